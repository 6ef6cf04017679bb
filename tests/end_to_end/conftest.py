"""The whole stack with real binaries on loopback: model server, job, Prometheus, Alertmanager."""

import json
import shutil
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from model_exporter.demo import launch, stack
from model_exporter.demo.processes import Processes, fetch
from model_exporter.demo.receiver import Receiver
from model_exporter.demo.replay import open_replays

STORY_SECONDS = 75.0
"""The data last longer than the tests, so that rates and recent windows are never empty."""
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


@pytest.fixture(scope="session")
def world(
    require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Start everything, play the data, and end everything by process id."""
    require_tool("prometheus")
    if not any(map(shutil.which, stack.ALERTMANAGER_NAMES)):
        require_tool("alertmanager")
    directory = tmp_path_factory.mktemp("world")
    plan = launch.Plan(directory, STORY_SECONDS)
    with Processes(directory) as processes, Receiver() as receiver:
        server = launch.start_server(plan, processes)
        launch.start_job(plan, processes)
        started = stack.start(
            processes, directory, targets=plan.targets, factor=plan.factor, receiver=receiver
        )
        player = Player(plan, server)
        player.start()
        yield World(
            prometheus=started.prometheus,
            alertmanager=started.alertmanager,
            metrics={job: f"http://{at}/metrics" for job, at in plan.targets.items()},
            receiver=receiver,
        )
        player.stopping.set()
        player.join()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Return a function that asks until the answer is true; failing, it says what was missing."""

    def ask(question: Callable[[], Any], *, what: object, seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
            time.sleep(0.3)
        return answer

    return ask
