"""One model's turn: read what is new, take it in, evaluate."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import duckdb

from model_exporter.errors import DamagedStateError, SchemaError, SourceError, StateError
from model_exporter.job import database
from model_exporter.job.check import check_batch
from model_exporter.job.columns import label_columns, prediction_columns
from model_exporter.job.config import ModelConfig
from model_exporter.job.evaluate import Kept, evaluate
from model_exporter.job.maturity import maturity_of
from model_exporter.job.progress import Line, Progress
from model_exporter.job.reading import Reading
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.source_section import PUSH, SourceConfig
from model_exporter.job.sources import READERS, Batch, Source
from model_exporter.job.sources.spool import Spool
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowReader, WindowTotals, windows_of

TOGETHER_ROWS = 2_000_000
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
    stores
        Of this process, which share its memory.
    """

    def __init__(
        self,
        model: ModelConfig,
        state: Path,
        *,
        patience: float | None = None,
        line: Line | None = None,
        stores: int = 1,
    ) -> None:
        self.model = model
        self._stores = stores
        self.failures: list[str] = []
        self._patience = patience
        self._line = line
        self._stopping = threading.Event()
        self._readings: dict[str, tuple[Reading, Progress]] = {}
        self._state = state
        self._open()
        configured = [model.predictions, model.labels]
        try:  # after the store, whose lock keeps other processes from the spools
            pushed = database.path_of(state, model.name).with_suffix(".pushed")
            self._sources = [(s, _opened(s, pushed)) for s in configured if s is not None]
        except StateError:
            self._store.close()
            raise
        self._waited = {config.name: 0.0 for config, _ in self._sources}
        self._health = Snapshot()
        self._rows = {config.name: 0 for config, _ in self._sources}

    @property
    def spools(self) -> dict[str, Spool]:
        """Where pushed records wait, by the name of the source."""
        return {c.name: source for c, source in self._sources if isinstance(source, Spool)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._drop_all()
        for spool in self.spools.values():
            spool.close()
        self._store.close()

    def _open(self) -> None:
        path = database.path_of(self._state, self.model.name)
        try:
            self._store = Store(self._state, self.model, stores=self._stores)
        except (duckdb.Error, DamagedStateError):
            if database.is_sound(path):
                raise
            database.set_aside(path)
            self._store = Store(self._state, self.model, stores=self._stores)
        self._windows = WindowReader(self._store)
        self._kept = Kept.nothing()

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
        try:
            snapshot = self._evaluated(now, final=final)
        except duckdb.InterruptException as error:
            raise Stopped from error
        except duckdb.Error:
            # What ails the file may show only when a part of it is read.
            self._drop_all()
            self._store.close()
            if not database.is_sound(self._store.path):
                database.set_aside(self._store.path)
            self._open()
            snapshot = self._evaluated(now, final=final)
        duration = time.perf_counter() - started
        self._health.put("model_evaluation_duration_seconds", (self.model.name,), duration)
        snapshot.merge(self._health)
        return snapshot

    def _evaluated(self, now: int, *, final: bool) -> Snapshot:
        self.failures = []
        self._store.advance(now)
        self._read_all(now, final=final)
        self._store.compact()
        return evaluate(self._windows, self._kept)

    def _checked(self, config: SourceConfig, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches that have the columns of records; the cursors of others stay.

        A bad file hides no other; pages and chunks follow one another, so that the first bad one
        ends the reading.
        """
        of_labels = config is self.model.labels
        columns = label_columns(self.model) if of_labels else prediction_columns(self.model)
        refused: dict[str, SchemaError] = {}
        for batch in batches:
            if batch.file in refused:
                continue
            try:
                if config.type not in ("json", "jsonl", "kafka") and batch.table.num_rows:
                    check_batch(columns, batch.table, batch.file)
            except SchemaError as error:
                if config.type not in READERS:
                    raise
                refused[batch.file] = error
            else:
                yield batch
        for refusal in refused.values():
            raise refusal

    def step(self, now: int) -> Snapshot:
        """Evaluate as of another instant, without reading."""
        self._store.advance(now)
        self._store.compact()
        return evaluate(self._windows)

    def totals(self) -> list[WindowTotals]:
        """Return the totals of the windows as of the last turn."""
        store = self._store
        windows = windows_of(self.model, store.now, maturity=maturity_of(store))
        return list(self._windows.read(windows))

    def _read_all(self, now: int, *, final: bool) -> None:
        """Read all sources at once, and take in what each brings: those that were quick first."""
        for config, source in self._sources:
            name = config.name
            if name not in self._readings:
                batches = source.read(self._store.cursors(name), final=final)
                thread = f"model-exporter-{self.model.name}-{name}"
                reading = Reading(self._checked(config, batches), name=thread)
                self._readings[name] = reading, Progress(self.model.name, name, line=self._line)
        deadline = None if self._patience is None else time.monotonic() + self._patience
        for config, source in sorted(self._sources, key=lambda s: self._waited[s[0].name]):
            self._read(config, source, now, deadline)

    def _read(self, config: SourceConfig, source: Source, now: int, deadline: float | None) -> None:
        labels = (self.model.name, config.name)
        try:
            done = self._take_in(config.name, source, deadline)
        except (SourceError, SchemaError, OSError) as error:
            self.failures.append(f"{config.place}: {error}")
            logger.warning(
                "%s: source %s: %s",
                *(self.model.name, config.name, error),
                extra={"event": "source_failed", "model": labels[0], "source": labels[1]},
            )
            self._health.put("model_source_up", labels, 0)
        else:
            if done:
                self._health.put("model_source_up", labels, 1)
                seconds = now / 1_000_000
                self._health.put("model_source_last_success_timestamp_seconds", labels, seconds)
        self._health.put("model_source_rows_total", labels, self._rows[config.name])

    def _take_in(self, name: str, source: Source, deadline: float | None) -> bool:
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
                if isinstance(source, Spool):
                    source.forget(together)
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

    def _drop_all(self) -> None:
        for name in list(self._readings):
            self._drop(name)

    def _drop(self, name: str) -> None:
        reading, _ = self._readings.pop(name)
        reading.cancel()
        reading.join()
        if self._line is not None:
            self._line.clear()


def _opened(source: SourceConfig, pushed: Path) -> Source:
    if source.type == PUSH:
        return Spool(pushed / source.name, limit=source.spool_bytes)
    return source.open()
