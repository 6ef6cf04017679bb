"""The whole stack with real binaries on loopback: model servers, job, Prometheus, Alertmanager."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.end_to_end.variety import Variety, models

from model_exporter.demo import configuration, launch, stack
from model_exporter.demo.processes import Processes, answers, fetch, free_port
from model_exporter.demo.receiver import Receiver
from model_exporter.demo.replay import open_replays

TICK = 0.25


@dataclass(frozen=True)
class World:
    """Addresses of what runs, and what Alertmanager has sent."""

    prometheus: str
    alertmanager: str
    metrics: dict[str, str]
    receiver: Receiver

    def get(self, path: str, **parameters: str) -> Any:
        """Ask Prometheus's API and return the data of its answer."""
        query = urllib.parse.urlencode(parameters)
        answer = json.loads(fetch(f"{self.prometheus}/api/v1/{path}?{query}", seconds=15))
        assert answer["status"] == "success", answer
        return answer["data"]


class Player(threading.Thread):
    """Plays the demo's data to the model server and the label files until told to stop."""

    def __init__(self, plan: launch.Plan, server: "subprocess.Popen[str]") -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self._plan = plan
        self._server = server

    def run(self) -> None:
        start = time.monotonic()
        with ExitStack() as files:
            replays = open_replays(files, self._plan.directory, seconds=self._plan.seconds)
            while not self.stopping.wait(TICK):
                launch.advance(replays, self._server, elapsed=time.monotonic() - start)


def start_job(plan: launch.Plan, processes: Processes) -> None:
    """Start the job as the demo does, with more models; their own scores are in this folder."""
    launch.create_places(plan.directory)
    text = configuration.exporter(plan.directory, f"127.0.0.1:{plan.job_port}")
    document = yaml.safe_load(text)
    document["models"] += models(plan.directory)
    path = plan.directory / "exporter.yml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    paths = (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
    child = processes.start(
        "job",
        [sys.executable, "-m", "model_exporter", "serve", "--config", str(path)],
        environment={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    ready = answers(f"http://127.0.0.1:{plan.job_port}/-/ready")
    processes.wait_for("job", child, ready, launch.READY_SECONDS)


@contextmanager
def playing(directory: Path, *, seconds: float) -> Iterator[World]:
    """Start everything, play data that last so long, and end everything by process id."""
    plan = launch.Plan(directory, seconds)
    with Processes(directory) as processes, Receiver() as receiver:
        server = launch.start_server(plan, processes)
        start_job(plan, processes)
        port = free_port()
        players = (Player(plan, server), Variety(directory, port))
        targets = {**plan.targets, "variety": f"127.0.0.1:{port}"}
        started = stack.start(
            processes, directory, targets=targets, factor=plan.factor, receiver=receiver
        )
        for player in players:
            player.start()
        assert started.prometheus
        assert started.alertmanager
        yield World(
            prometheus=started.prometheus,
            alertmanager=started.alertmanager,
            metrics={job: f"http://{at}/metrics" for job, at in targets.items()},
            receiver=receiver,
        )
        for player in players:
            player.stopping.set()
            player.join()
