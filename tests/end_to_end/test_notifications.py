"""Twenty features drift, all restarts, a source goes: how often somebody is disturbed by it.

A job with a prediction log, Prometheus and Alertmanager, with the shipped rules and routes in fast
motion. The drift, the restarts and the outage follow upon one another in one world.
"""

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from model_exporter.baseline import Baseline
from model_exporter.demo import configuration, stack
from model_exporter.demo.processes import Processes, answers, fetch, free_port
from model_exporter.demo.receiver import Receiver

FEATURES = [f"f{number}" for number in range(20)]
FACTOR = 360.0
"""Half an hour takes 5 s: as long as a few scrapes, which come every second."""
WINDOW_SECONDS = 10
TICK = 0.2
ROWS = 30
"""A tick: 1,500 rows in a window, an hour of the rules' clock."""
QUIET_SECONDS = 8.0
"""Longer than any wait or group interval in fast motion: what was to come has come by then."""


class Writer(threading.Thread):
    """Writes the prediction log; `spread` is that of all features, `away` hides the file."""

    def __init__(self, directory: Path) -> None:
        super().__init__(daemon=True)
        self.spread = 1.0
        self.stopping = threading.Event()
        self._path = directory / "predictions.jsonl"
        self._hidden = directory / "hidden"
        self._lock = threading.Lock()
        self._chance = random.Random(3)
        self._path.touch()

    def run(self) -> None:
        total = 0
        while not self.stopping.wait(TICK):
            now = datetime.now(UTC).isoformat()
            rows = []
            for count in range(total, total + ROWS):
                row = {"prediction_id": str(count), "timestamp": now, "model_version": "3"}
                row |= {"prediction": count % 2, "score": self._chance.random()}
                row |= {name: self._chance.gauss(0, self.spread) for name in FEATURES}
                rows.append(json.dumps(row))
            total += ROWS
            with self._lock:
                path = self._hidden if self._hidden.exists() else self._path
                with path.open("a") as file:
                    file.write("\n".join(rows) + "\n")

    def hide(self) -> None:
        """Take the file away: from now on the source cannot be read."""
        with self._lock:
            self._path.rename(self._hidden)


@dataclass
class Office:
    """The programs, each with its command, and what Alertmanager has sent."""

    processes: Processes
    receiver: Receiver
    writer: Writer
    prometheus: str
    started: dict[str, tuple[list[str], str, "subprocess.Popen[str]"]] = field(default_factory=dict)

    def start(self, name: str, command: list[str], ready: str) -> None:
        child = self.processes.start(name, command)
        self.processes.wait_for(name, child, answers(ready), 60.0)
        self.started[name] = (command, ready, child)

    def restart(self, name: str) -> None:
        command, ready, child = self.started[name]
        child.terminate()
        child.wait(20)
        self.start(name, command, ready)

    def said(self, receiver: str) -> list[dict]:
        return [body for path, body in list(self.receiver.messages) if path == f"/{receiver}"]

    def texts(self) -> list[str]:
        """Return the titles of what was posted to the chat, in order."""
        return [body["attachments"][0]["title"] for body in self.said("slack")]

    def firing(self) -> set[str]:
        alerts = json.loads(fetch(f"{self.prometheus}/api/v1/alerts"))["data"]["alerts"]
        return {a["labels"]["alertname"] for a in alerts if a["state"] == "firing"} - {"Watchdog"}


def exporter(directory: Path, port: int) -> Path:
    """Write the baseline and the configuration of a model of twenty features."""
    chance = random.Random(1)
    table: dict[str, list] = {n: [chance.gauss(0, 1) for _ in range(5000)] for n in FEATURES}
    table |= {"prediction": [n % 2 for n in range(5000)]}
    table |= {"score": [chance.random() for _ in range(5000)]}
    Baseline.from_table(
        table, task="binary", features={"numeric": FEATURES, "categorical": []}, score="score"
    ).save(directory / "churn.json")
    model = {
        "name": "churn",
        "task": "binary",
        "baseline": "churn.json",
        "predictions": {"type": "jsonl", "path": "predictions.jsonl"},
        "features": {"numeric": FEATURES},
        "windows": [f"{WINDOW_SECONDS}s"],
    }
    path = directory / "exporter.yml"
    document = {"listen": f"127.0.0.1:{port}", "poll_interval": "500ms", "models": [model]}
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(scope="module")
def office(
    require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """Start the three programs on twenty quiet features."""
    directory = tmp_path_factory.mktemp("office")
    job, prometheus, manager = (f"127.0.0.1:{free_port()}" for _ in range(3))
    config = exporter(directory, int(job.rpartition(":")[2]))
    writer = Writer(directory)
    (directory / "prometheus.yml").write_text(
        configuration.prometheus(
            {"model-exporter": job},
            rules=stack.write_rules(directory, FACTOR),
            alertmanager=manager,
        )
    )
    with Processes(directory) as processes, Receiver() as receiver:
        routes = stack.write_alertmanager(directory, factor=FACTOR, receiver_url=receiver.url)
        office = Office(processes, receiver, writer, f"http://{prometheus}")
        writer.start()
        serve = [sys.executable, "-m", "model_exporter", "serve", "--config", str(config)]
        office.start("job", serve, f"http://{job}/-/ready")
        alertmanager = [
            stack.find(*stack.ALERTMANAGER_NAMES) or require_tool("alertmanager"),
            f"--config.file={routes}",
            f"--storage.path={directory / 'alertmanager'}",
            f"--web.listen-address={manager}",
            "--cluster.listen-address=",
        ]
        office.start("alertmanager", alertmanager, f"http://{manager}/-/ready")
        monitor = [
            require_tool("prometheus"),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'prometheus'}",
            f"--web.listen-address={prometheus}",
            # Alerts outlive four of these: long enough for a restart.
            "--rules.alert.resend-delay=10s",
        ]
        office.start("prometheus", monitor, f"http://{prometheus}/-/ready")
        yield office
        writer.stopping.set()
        writer.join()


def test_twenty_features_that_drift_are_one_notification(
    office: Office, eventually: Callable
) -> None:
    judged = f"{office.prometheus}/api/v1/query?query=count(model_drift_detected==0)>19"
    eventually(lambda: json.loads(fetch(judged))["data"]["result"], what="twenty quiet features")
    assert office.texts() == []
    office.writer.spread = 0.3
    eventually(office.texts, what="a notification")
    time.sleep(QUIET_SECONDS)  # for one too many
    assert office.firing() == {"ModelFeatureDrift", "ModelDriftWidespread"}
    assert office.texts() == ["[FIRING 1] ModelDriftWidespread: churn 3"]
    assert [len(office.said(name)) for name in ("pagerduty", "automation")] == [1, 1]


def test_restarts_in_steady_state_disturb_nobody(office: Office, eventually: Callable) -> None:
    before = office.texts()
    for name in ("job", "alertmanager", "prometheus"):
        office.restart(name)
        eventually(lambda: len(office.firing()) == 2, what="the alerts that were firing")
    time.sleep(QUIET_SECONDS)
    assert office.texts() == before
    assert [len(office.said(name)) for name in ("pagerduty", "automation")] == [1, 1]


def test_a_source_that_is_down_is_one_notification_and_resolves_nothing(
    office: Office, eventually: Callable
) -> None:
    """The window is empty by the end of it, and nothing has drifted in no rows."""
    before = office.texts()
    office.writer.hide()
    eventually(lambda: len(office.texts()) > len(before), what="a notification")
    time.sleep(WINDOW_SECONDS + QUIET_SECONDS)
    rows = f"{office.prometheus}/api/v1/query?query=sum(model_window_predictions)"
    assert [v["value"][1] for v in json.loads(fetch(rows))["data"]["result"]] in ([], ["0"])
    assert office.texts()[len(before) :] == ["[FIRING 1] ModelSourceDown: churn"]
    assert [len(office.said(name)) for name in ("pagerduty", "automation")] == [1, 1]
