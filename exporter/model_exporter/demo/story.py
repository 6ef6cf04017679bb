"""The story from its beginning to its end."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from model_exporter.demo import alerts, captions, configuration, fast_motion, stack, table
from model_exporter.demo.datasets import DATASETS
from model_exporter.demo.processes import (
    Processes,
    StoryError,
    answers,
    ending_on_signals,
    fetch,
    free_port,
)
from model_exporter.demo.readings import Exposition, Reading, read
from model_exporter.demo.receiver import Receiver
from model_exporter.demo.replay import Replay, create_label_file
from model_exporter.demo.screen import Lines, Screen, Terminal
from model_exporter.demo.serving import READY

TICK = 0.25
REFRESH = 1.0
RATE_REFRESHES = 5
"""Rate and latency are those of the last so many seconds."""
RULE_HOURS = 9
"""So many hours of the rules' clock pass in the story: a wait of half an hour then takes some
seconds, as long as a few evaluations."""
TRAINING_SECONDS = 120.0
SETTLE_SECONDS = 15.0
JUDGED = (configuration.WINDOWS[0], configuration.WINDOWS[-1])
HELP = (
    "No prometheus on PATH: alerts are judged here by the thresholds of the shipped rules. "
    "For Prometheus, Alertmanager and Grafana: docker compose up"
)


@dataclass(slots=True)
class Plan:
    """Where everything is and how fast it goes."""

    directory: Path
    seconds: float
    server_port: int = field(default_factory=free_port)
    job_port: int = field(default_factory=free_port)

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


def tell(*, once: bool, seconds: float) -> int:
    """Start everything, tell the story, end everything."""
    with (
        ending_on_signals(signal.SIGTERM, signal.SIGHUP),
        tempfile.TemporaryDirectory(prefix="model-exporter-demo-") as name,
        Processes(Path(name)) as processes,
        Receiver() as receiver,
    ):
        try:
            return _tell(Plan(Path(name), seconds), processes, receiver, once=once)
        except StoryError as error:
            print(f"model-exporter demo: {error}", file=sys.stderr)
            return 1


def _tell(plan: Plan, processes: Processes, receiver: Receiver, *, once: bool) -> int:
    live = not once and Console().is_terminal
    print("Training three models ...", flush=True)
    server = _start_server(plan, processes)
    _start_job(plan, processes)
    found = stack.start(
        processes, plan.directory, targets=plan.targets, factor=plan.factor, receiver=receiver
    )
    links = _links(plan, found)
    screen: Screen = Terminal(links) if live else Lines()
    with screen:
        screen.say(_pace(plan))
        screen.say(_alerting(found))
        if not live:
            for name, url in links.items():
                screen.say(f"{name:13}{url}")
        Story(plan, server, screen, found).play(receiver)
    if live:
        _stay()
    return 0


def _start_server(plan: Plan, processes: Processes) -> "subprocess.Popen[str]":
    arguments = (str(plan.directory), str(plan.server_port), "127.0.0.1")
    command = [sys.executable, "-m", "model_exporter.demo.serving", *arguments]
    child = processes.start("server", command, pipe=True)
    processes.wait_for(
        "server", child, lambda: READY in processes.said("server").split(), TRAINING_SECONDS
    )
    return child


def _start_job(plan: Plan, processes: Processes) -> None:
    for dataset in DATASETS:
        create_label_file(configuration.label_file(dataset, plan.directory))
        configuration.prediction_log(dataset, plan.directory).mkdir(parents=True, exist_ok=True)
    path = plan.directory / "exporter.yml"
    path.write_text(configuration.exporter(plan.directory, f"127.0.0.1:{plan.job_port}"), "utf-8")
    command = [sys.executable, "-m", "model_exporter.cli", "serve", "--config", str(path)]
    child = processes.start("job", command)
    ready = answers(f"http://127.0.0.1:{plan.job_port}/-/ready")
    processes.wait_for("job", child, ready, TRAINING_SECONDS)


def _links(plan: Plan, found: stack.Stack) -> dict[str, str]:
    links = {
        "models": f"http://127.0.0.1:{plan.server_port}/metrics",
        "exporter job": f"http://127.0.0.1:{plan.job_port}/metrics",
        "Prometheus": found.prometheus,
        "Alertmanager": found.alertmanager,
        "Grafana": found.grafana and f"{found.grafana}/d/models-overview",
    }
    return {name: url for name, url in links.items() if url}


def _pace(plan: Plan) -> str:
    wait = fast_motion.divided("30m", plan.factor)
    return (
        f"Fast motion: months of data pass in {plan.seconds:.0f} s; the shipped rules' durations "
        f"are divided by {plan.factor:.0f} (a wait of 30m takes {wait}), nothing else in them."
    )


def _alerting(found: stack.Stack) -> str:
    if found.prometheus is None:
        return HELP
    names = ["Prometheus", *(["Alertmanager"] if found.alertmanager else [])]
    text = f"Started {' and '.join(names)} with the shipped rules; all traffic stays on 127.0.0.1."
    return text if found.grafana else f"{text} For Grafana too: docker compose up"


def _stay() -> None:
    print("The story is told. Everything keeps running for you to look at; Ctrl-C ends it.")
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        print()


class Story:
    """Plays the data and shows what the two /metrics pages and the alerts say."""

    def __init__(
        self,
        plan: Plan,
        server: "subprocess.Popen[str]",
        screen: Screen,
        found: stack.Stack,
    ) -> None:
        self._plan = plan
        self._server = server
        self._screen = screen
        self._history = alerts.History()
        self._firing: list[alerts.Alert] = []
        self._ask: Callable[[Exposition, float], list[alerts.Alert]] = (
            alerts.asked(found.prometheus) if found.prometheus else alerts.Judge(plan.factor)
        )
        self._pages: deque[Exposition] = deque(maxlen=RATE_REFRESHES + 1)
        self._sent = {dataset.model: 0 for dataset in DATASETS}

    def play(self, receiver: Receiver) -> None:
        """Tell the story."""
        start = time.monotonic()
        replays = [
            Replay(
                dataset,
                seconds=self._plan.seconds,
                started=time.time(),
                labels=configuration.label_file(dataset, self._plan.directory).open("a"),
            )
            for dataset in DATASETS
        ]
        before = shown = 0.0
        first = self._page("server")
        while (elapsed := time.monotonic() - start) < self._plan.seconds:
            self._advance(replays, elapsed)
            for text in captions.due(before / self._plan.seconds, elapsed / self._plan.seconds):
                self._screen.headline(text, elapsed=elapsed)
            if elapsed - shown >= REFRESH:
                shown = elapsed
                self._refresh(replays, elapsed)
            before = elapsed
            time.sleep(max(0.0, TICK - (time.monotonic() - start - elapsed)))
        self._advance(replays, self._plan.seconds)
        self._settle(start)
        readings = self._readings(before=first, server=self._page("server"))
        self._screen.end(
            self._table(readings, replays, self._plan.seconds), self._summary(receiver)
        )

    def _advance(self, replays: list[Replay], elapsed: float) -> None:
        for replay in replays:
            request = replay.requests(elapsed)
            if request is not None:
                self._send(request)
                self._sent[replay.dataset.model] += len(request["columns"]["prediction_id"])
            replay.tell_labels(elapsed)

    def _send(self, request: dict[str, object]) -> None:
        assert self._server.stdin is not None
        try:
            self._server.stdin.write(json.dumps(request) + "\n")
            self._server.stdin.flush()
        except BrokenPipeError as error:
            raise StoryError("the model server ended before the story") from error

    def _page(self, which: str) -> Exposition:
        port = self._plan.server_port if which == "server" else self._plan.job_port
        try:
            return Exposition(fetch(f"http://127.0.0.1:{port}/metrics"), at=time.monotonic())
        except OSError as error:
            raise StoryError(f"/metrics of the {which} cannot be read: {error}") from error

    def _refresh(self, replays: list[Replay], elapsed: float) -> None:
        self._pages.append(self._page("server"))
        readings = self._readings(before=self._pages[0], server=self._pages[-1])
        self._look_for_alerts(elapsed)
        self._screen.show(self._table(readings, replays, elapsed))

    def _readings(self, *, before: Exposition, server: Exposition) -> list[Reading]:
        self._job = self._page("job")
        return [read(dataset, server, before, self._job, windows=JUDGED) for dataset in DATASETS]

    def _look_for_alerts(self, elapsed: float) -> None:
        self._firing = self._ask(self._job, elapsed)
        new = self._history.note(self._firing, elapsed=elapsed)
        for (model, name), group in groupby(new, key=lambda alert: (alert.model, alert.name)):
            text = f"ALERT {name} {model} {alerts.about(group)}".rstrip()
            self._screen.say(text, elapsed=elapsed)

    def _settle(self, start: float) -> None:
        """Wait until the job has read the last rows."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            readings = self._readings(before=Exposition(), server=Exposition())
            self._look_for_alerts(time.monotonic() - start)
            if all(reading.rows >= self._sent[reading.model] for reading in readings):
                return
            time.sleep(TICK)

    def _table(self, readings: list[Reading], replays: list[Replay], elapsed: float) -> Table:
        title = f"Quality and drift over the last {JUDGED[0]}, {elapsed:.0f} s into the story"
        dates = {r.dataset.model: r.date(elapsed).strftime("%d %b %Y") for r in replays}
        return table.table(readings, self._firing, title=title, dates=dates)

    def _summary(self, receiver: Receiver) -> list[str]:
        lines = ["", "Alerts that fired, with the second of the story:"]
        for (name, model), fired in self._history.by_rule().items():
            first, severity = self._history.first[fired[0]], fired[0].severity
            line = f"  {first:+4.0f} s  {severity:9}{name:36}{model:17}{alerts.about(fired)}"
            lines.append(line.rstrip())
        if not self._history.first:
            lines.append("  none")
        sent = ", ".join(f"{name} {count}" for name, count in receiver.counts().items())
        if sent:
            lines.append(f"Notifications that Alertmanager delivered to this machine: {sent}")
        return lines
