"""One model's turn: read what is new, take it in, evaluate."""

import logging
import threading
import time
from pathlib import Path
from typing import Self

import duckdb

from model_exporter.errors import SourceError
from model_exporter.job.config import ModelConfig, SourceConfig
from model_exporter.job.evaluate import evaluate
from model_exporter.job.progress import Line, Progress
from model_exporter.job.reading import Reading
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.sources import READERS, FileSource
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowReader

TOGETHER_ROWS = 500_000
"""A transaction costs the same for one row as for many: small files are taken in together."""
SLOW_SECONDS = 1.0
"""A source that was waited for longer than this, or in vain, comes last in the next turn."""

logger = logging.getLogger("model_exporter")


class Stopped(Exception):  # noqa: N818  # nothing went wrong
    """The turn ended early because the runner was asked to stop; what it had begun is undone."""


class Runner:
    """Sources, store and last results of one model. Use as a context manager.

    Parameters
    ----------
    patience
        Seconds of one turn that may go into taking in rows. A source that needs longer is read on
        in the next turn, after the others; None waits for every source.
    line
        Where a terminal shows how far the reading has come.
    """

    def __init__(
        self,
        model: ModelConfig,
        state: Path,
        *,
        patience: float | None = None,
        line: Line | None = None,
    ) -> None:
        self.model = model
        self.failures: list[str] = []
        self._patience = patience
        self._line = line
        self._stopping = threading.Event()
        self._store = Store(state, model)
        self._windows = WindowReader(self._store)
        configured = [model.predictions, model.labels]
        self._sources = [
            (source, FileSource(source.path, READERS[source.type]))
            for source in configured
            if source is not None
        ]
        self._readings: dict[str, tuple[Reading, Progress]] = {}
        self._waited = {source.name: 0.0 for source, _ in self._sources}
        self._health = Snapshot()
        self._rows = {source.name: 0 for source, _ in self._sources}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for name in list(self._readings):
            self._drop(name)
        self._store.close()

    @property
    def behind(self) -> bool:
        """Whether a source is still being read."""
        return bool(self._readings)

    def stop(self) -> None:
        """Have the turn that runs end between two batches; from any thread."""
        self._stopping.set()
        for reading, _ in list(self._readings.values()):
            reading.cancel()

    def interrupt(self) -> None:
        """Have it end at once, undoing the batch that it takes in; from any thread."""
        self._store.interrupt()

    def turn(self, now: int, *, final: bool = False) -> Snapshot:
        """Read, join and evaluate as of `now` (microseconds); return what to serve.

        A source that fails is noted in `failures` and as ``model_source_up 0``; the others are
        read, and what is known is evaluated. `final` reads an unterminated last line too.

        Raises
        ------
        Stopped
            If the runner was asked to stop.
        """
        started = time.perf_counter()
        self.failures = []
        try:
            self._store.advance(now)
            self._read_all(now, final=final)
            self._store.compact()
            snapshot = evaluate(self._windows)
        except duckdb.InterruptException as error:
            raise Stopped from error
        duration = time.perf_counter() - started
        self._health.put("model_evaluation_duration_seconds", (self.model.name,), duration)
        snapshot.merge(self._health)
        return snapshot

    def step(self, now: int) -> Snapshot:
        """Evaluate as of another instant, without reading."""
        self._store.advance(now)
        self._store.compact()
        return evaluate(self._windows)

    def _read_all(self, now: int, *, final: bool) -> None:
        """Read all sources at once, and take in what each brings: those that were quick first."""
        for source, files in self._sources:
            if source.name not in self._readings:
                batches = files.read(self._store.cursors(source.name), final=final)
                reading = Reading(batches, name=f"model-exporter-{self.model.name}-{source.name}")
                progress = Progress(self.model.name, source.name, line=self._line)
                self._readings[source.name] = reading, progress
        deadline = None if self._patience is None else time.monotonic() + self._patience
        for source, _ in sorted(self._sources, key=lambda s: self._waited[s[0].name]):
            self._read(source, now, deadline)

    def _read(self, source: SourceConfig, now: int, deadline: float | None) -> None:
        labels = (self.model.name, source.name)
        try:
            done = self._take_in(source.name, deadline)
        except (SourceError, OSError) as error:
            self.failures.append(f"{source.place}: {error}")
            logger.warning(
                "%s: source %s: %s",
                *(self.model.name, source.name, error),
                extra={"event": "source_failed", "model": labels[0], "source": labels[1]},
            )
            self._health.put("model_source_up", labels, 0)
        else:
            if done:
                self._health.put("model_source_up", labels, 1)
                seconds = now / 1_000_000
                self._health.put("model_source_last_success_timestamp_seconds", labels, seconds)
        self._health.put("model_source_rows_total", labels, self._rows[source.name])

    def _take_in(self, name: str, deadline: float | None) -> bool:
        """Take in what a source brings until the deadline; tell whether that was all."""
        reading, progress = self._readings[name]
        waited = 0.0
        late = False
        try:
            while not reading.done:
                self._go_on()
                started = time.monotonic()
                left = None if deadline is None else max(0.0, deadline - started)
                together = reading.take(TOGETHER_ROWS, seconds=left)
                waited += time.monotonic() - started
                self._go_on()
                if not together and not reading.done:
                    late = True
                    return False
                rows = self._store.ingest(name, together) if together else 0
                self._rows[name] += rows
                progress.add(rows)
            return True
        finally:
            if not late:  # it has ended; or what was taken from it is lost, and is read again
                self._drop(name)
            self._waited[name] = waited if late or waited > SLOW_SECONDS else 0.0

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _drop(self, name: str) -> None:
        reading, _ = self._readings.pop(name)
        reading.cancel()
        reading.join()
        if self._line is not None:
            self._line.clear()
