"""Starts the two processes that the story is about: the model server and the exporter job."""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from model_exporter.demo import configuration, fast_motion
from model_exporter.demo.datasets import DATASETS
from model_exporter.demo.processes import READY, Processes, StoryError, answers, free_port
from model_exporter.demo.replay import Replay, create_label_file

RULE_HOURS = 9
"""So many hours of the rules' clock pass in the story: a wait of half an hour then takes some
seconds, as long as a few evaluations."""
READY_SECONDS = 120.0
"""Training takes a few of them; a busy machine may need many."""
LOG_SECONDS = 2.0
"""Age at which a log file is finished; a minute by default, and the story is short."""


@dataclass(slots=True)
class Plan:
    """Where everything is and how fast it goes."""

    directory: Path
    seconds: float
    server_port: int = field(default_factory=free_port)
    job_port: int = field(default_factory=free_port)
    address: str = "127.0.0.1"
    log_seconds: float = LOG_SECONDS

    @property
    def factor(self) -> float:
        """How many times faster the rules' clocks run."""
        return RULE_HOURS * fast_motion.HOUR / self.seconds

    @property
    def targets(self) -> dict[str, str]:
        """Addresses to scrape, by job name."""
        return {
            "demo-model": f"127.0.0.1:{self.server_port}",
            "model-exporter": f"127.0.0.1:{self.job_port}",
        }


def start_server(plan: Plan, processes: Processes) -> "subprocess.Popen[str]":
    """Start the model server and wait until its models are trained."""
    arguments = (str(plan.directory), str(plan.server_port), plan.address, str(plan.log_seconds))
    command = [sys.executable, "-m", "model_exporter.demo.serving", *arguments]
    child = processes.start("server", command, pipe=True)
    processes.wait_for(
        "server", child, lambda: READY in processes.said("server").split(), READY_SECONDS
    )
    return child


def advance(replays: Iterable[Replay], server: "subprocess.Popen[str]", *, elapsed: float) -> int:
    """Ask the model server for what is due, write the labels that are, and return the rows asked.

    Raises
    ------
    StoryError
        If the server has ended.
    """
    assert server.stdin is not None
    rows = 0
    try:
        for replay in replays:
            request = replay.requests(elapsed)
            if request is not None:
                rows += len(request["columns"]["prediction_id"])
                server.stdin.write(json.dumps(request) + "\n")
            replay.tell_labels(elapsed)
        server.stdin.flush()
    except BrokenPipeError as error:
        raise StoryError("the model server ended before the story") from error
    return rows


def create_places(directory: Path) -> None:
    """Create what the job wants to see when it starts: label files and log directories."""
    for dataset in DATASETS:
        create_label_file(configuration.label_file(dataset, directory))
        configuration.prediction_log(dataset, directory).mkdir(parents=True, exist_ok=True)


def start_job(plan: Plan, processes: Processes) -> None:
    """Start `model-exporter serve`, and wait until it has evaluated once."""
    create_places(plan.directory)
    path = plan.directory / "exporter.yml"
    path.write_text(configuration.exporter(plan.directory, f"127.0.0.1:{plan.job_port}"), "utf-8")
    command = [sys.executable, "-m", "model_exporter", "serve", "--config", str(path)]
    child = processes.start("job", command)
    ready = answers(f"http://127.0.0.1:{plan.job_port}/-/ready")
    processes.wait_for("job", child, ready, READY_SECONDS)
