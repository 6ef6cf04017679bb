"""The story from its beginning to its end."""

import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from model_exporter.demo import alerts, captions, configuration, fast_motion, launch, stack, table
from model_exporter.demo.datasets import DATASETS
from model_exporter.demo.processes import (
    Processes,
    StoryError,
    ending_on_signals,
    fetch,
)
from model_exporter.demo.readings import Exposition, Reading, read
from model_exporter.demo.receiver import Receiver
from model_exporter.demo.replay import Replay, open_replays
from model_exporter.demo.screen import Lines, Screen, Terminal

TICK = 0.25
REFRESH = 1.0
RATE_REFRESHES = 5
"""Rate and latency are those of the last so many seconds."""
SETTLE_SECONDS = 15.0
JUDGED = (configuration.WINDOWS[0], configuration.WINDOWS[-1])
HELP = (
    "No prometheus on PATH: alerts are judged here by the thresholds of the shipped rules. "
    "For Prometheus, Alertmanager and Grafana: docker compose up"
)


def tell(*, once: bool, seconds: float, picture: Path | None = None) -> int:
    """Start everything, tell the story, end everything."""
    with (
        ending_on_signals(signal.SIGTERM, signal.SIGHUP),
        tempfile.TemporaryDirectory(prefix="model-exporter-demo-") as name,
        Processes(Path(name)) as processes,
        Receiver() as receiver,
    ):
        try:
            plan = launch.Plan(Path(name), seconds)
            return _tell(plan, processes, receiver, once=once, picture=picture)
        except StoryError as error:
            print(f"model-exporter demo: {error}", file=sys.stderr)
            return 1


def _tell(
    plan: launch.Plan,
    processes: Processes,
    receiver: Receiver,
    *,
    once: bool,
    picture: Path | None,
) -> int:
    live = not once and Console().is_terminal
    print("Training three models ...", flush=True)
    server = launch.start_server(plan, processes)
    launch.start_job(plan, processes)
    found = stack.start(
        processes, plan.directory, targets=plan.targets, factor=plan.factor, receiver=receiver
    )
    links = _links(plan, found)
    screen: Screen = Terminal(links) if live else Lines(picture)
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


def _links(plan: launch.Plan, found: stack.Stack) -> dict[str, str]:
    links = {
        "models": f"http://127.0.0.1:{plan.server_port}/metrics",
        "exporter job": f"http://127.0.0.1:{plan.job_port}/metrics",
        "Prometheus": found.prometheus,
        "Alertmanager": found.alertmanager,
        "Grafana": found.grafana and f"{found.grafana}/d/models-overview",
    }
    return {name: url for name, url in links.items() if url}


def _pace(plan: launch.Plan) -> str:
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
        plan: launch.Plan,
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
        self._sent = 0

    def play(self, receiver: Receiver) -> None:
        """Tell the story."""
        with ExitStack() as files:
            replays = open_replays(files, self._plan.directory, seconds=self._plan.seconds)
            self._play(replays, receiver)

    def _play(self, replays: list[Replay], receiver: Receiver) -> None:
        start = time.monotonic()
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
        self._sent += launch.advance(replays, self._server, elapsed=elapsed)

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
        missing = self._sent
        while time.monotonic() < deadline:
            readings = self._readings(before=Exposition(), server=Exposition())
            self._look_for_alerts(time.monotonic() - start)
            missing = self._sent - sum(reading.rows for reading in readings)
            if missing <= 0:
                return
            time.sleep(TICK)
        self._screen.say(f"This machine is busy: the job is {missing} rows behind the models.")

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
