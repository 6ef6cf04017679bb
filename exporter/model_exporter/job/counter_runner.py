"""One turn of a model whose predictions are counters: ask, compare, keep."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from model_exporter.errors import SourceError
from model_exporter.job.config import ModelConfig
from model_exporter.job.counters import CounterReader
from model_exporter.job.drift import put_drift
from model_exporter.job.runner import Stopped, logger
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.sources.prometheus import Prometheus
from model_exporter.job.sources.spool import Spool
from model_exporter.job.sources.web import Backoff
from model_exporter.job.windows import WindowTotals, windows_of

MICROSECONDS = 1_000_000
NEGLIGIBLE_MOVE = 1 / 500
"""Share of a window that it moves by before it is asked for anew, three minutes of a day: the
server reads every sample in a window for an answer."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found about one window, and as of when, in microseconds."""

    now: int
    part: Snapshot


class CounterRunner:
    """A `Runner` without a store: what it knows is in the counters, and in its last answers.

    While the server fails the last answers stay, and ``model_source_up`` is 0.
    """

    behind = False
    spools: Mapping[str, Spool] = {}

    def __init__(self, model: ModelConfig, *, backoff: Backoff | None = None) -> None:
        assert model.predictions.prometheus is not None
        self.model = model
        self.failures: list[str] = []
        prometheus = Prometheus(model.predictions.prometheus, backoff=backoff)
        self._reader = CounterReader(prometheus, model)
        self._found: dict[str, _Found] = {}
        self._health = Snapshot()
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Have the turn that runs end; from any thread."""
        self._stopping.set()

    interrupt = stop

    def turn(self, now: int, *, final: bool = False) -> Snapshot:
        """Ask and compare as of `now` (microseconds); `final` makes no difference.

        Raises
        ------
        Stopped
            If the runner was asked to stop.
        """
        started = time.perf_counter()
        self.failures = []
        labels = (self.model.name, self.model.predictions.name)
        try:
            newest = self._aside(lambda: self._read(now))
        except SourceError as error:
            self._failed(error)
            self._health.put("model_source_up", labels, 0)
        else:
            self._health.put("model_source_up", labels, 1)
            seconds = now / MICROSECONDS
            self._health.put("model_source_last_success_timestamp_seconds", labels, seconds)
            if newest is not None:
                family = "model_newest_prediction_timestamp_seconds"
                self._health.put(family, labels[:1], newest)
        duration = time.perf_counter() - started
        self._health.put("model_evaluation_duration_seconds", labels[:1], duration)
        family = "model_evaluation_last_success_timestamp_seconds"
        self._health.put(family, labels[:1], now / MICROSECONDS)
        return self._snapshot()

    def step(self, now: int) -> Snapshot:
        """Evaluate as of another instant with nothing of the last; `failures` stay."""
        failures = self.failures
        self._found.clear()
        snapshot = self.turn(now)
        self.failures = failures or self.failures
        return snapshot

    def _read(self, now: int) -> float | None:
        """Ask for what has changed; return the time of the newest prediction."""
        served = self._reader.check(now)
        intervals = windows_of(self.model, now, maturity=0)
        due = {text: i for text, i in intervals.items() if self._is_due(text, i, now)}
        windows = [self._reader.read(text, i, now=now) for text, i in due.items()]
        counted = bool(self._found) or any(len(window.groups) > 1 for window in windows)
        if not (served or counted):
            longest = max(self.model.windows, key=lambda window: window.seconds)
            raise SourceError(
                f"no process has served {self.model.name!r} in the last {longest.text}; "
                "check `name`, `match` and what Prometheus scrapes"
            )
        for window in windows:
            self._found[window.text] = _Found(now, self._compared(window))
        return self._reader.newest(now)

    def _is_due(self, text: str, interval: tuple[int, int], now: int) -> bool:
        found = self._found.get(text)
        moved = abs(now - found.now) if found else now
        return moved >= NEGLIGIBLE_MOVE * (interval[1] - interval[0])

    def _compared(self, window: WindowTotals) -> Snapshot:
        part = Snapshot()
        for group, totals in window.groups.items():
            labels = (self.model.name, group.version, window.text, "", "")
            part.put("model_window_predictions", labels, totals.count("predictions"))
        put_drift(part, self.model, window, lambda version, rows: {})
        return part

    def _failed(self, error: SourceError) -> None:
        source = self.model.predictions
        self.failures.append(f"{source.place}: {error}")
        extra = {"event": "source_failed", "model": self.model.name, "source": source.name}
        logger.warning("%s: source %s: %s", self.model.name, source.name, error, extra=extra)

    def _snapshot(self) -> Snapshot:
        snapshot = Snapshot()
        parts: Iterable[Snapshot] = [found.part for found in self._found.values()]
        for part in (*parts, self._health):
            snapshot.merge(part)
        return snapshot

    def _aside(self, read: Callable[[], float | None]) -> float | None:
        """Return what a function returns, called in a thread that is left alone if it hangs."""
        answers: queue.SimpleQueue[float | Exception | None] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put(read())
            except Exception as error:  # raised again in the thread that judges it
                answers.put(error)

        name = f"model-exporter-{self.model.name}-{self.model.predictions.name}"
        threading.Thread(target=run, name=name, daemon=True).start()
        while not self._stopping.is_set():
            try:
                answer = answers.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            if isinstance(answer, Exception):
                raise answer
            return answer
        raise Stopped
