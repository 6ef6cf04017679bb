"""One model's turn: read what is new, take it in, evaluate."""

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import duckdb

from model_exporter.errors import DamagedStateError, SchemaError, SourceError, StateError
from model_exporter.job import database
from model_exporter.job.check import check_batch
from model_exporter.job.columns import label_columns, prediction_columns
from model_exporter.job.config import PUSH, ModelConfig, SourceConfig
from model_exporter.job.evaluate import Kept, evaluate
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.sources import READERS, Batch, Source
from model_exporter.job.sources.spool import Spool
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowReader

TOGETHER_ROWS = 500_000
"""A transaction costs the same for one row as for many: small files are taken in together."""

logger = logging.getLogger("model_exporter")


class Runner:
    """Sources, store and last results of one model. Use as a context manager."""

    def __init__(self, model: ModelConfig, state: Path) -> None:
        self.model = model
        self.failures: list[str] = []
        self._state = state
        self._open()
        configured = [model.predictions, model.labels]
        try:  # after the store, whose lock keeps other processes from the spools
            pushed = database.path_of(state, model.name).with_suffix(".pushed")
            self._sources = [(s, _opened(s, pushed)) for s in configured if s is not None]
        except StateError:
            self._store.close()
            raise
        self._health = Snapshot()
        self._rows = {config.name: 0 for config, _ in self._sources}

    @property
    def spools(self) -> dict[str, Spool]:
        """Where pushed records wait, by the name of the source."""
        return {c.name: source for c, source in self._sources if isinstance(source, Spool)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for spool in self.spools.values():
            spool.close()
        self._store.close()

    def _open(self) -> None:
        path = database.path_of(self._state, self.model.name)
        try:
            self._store = Store(self._state, self.model)
        except (duckdb.Error, DamagedStateError):
            if database.is_sound(path):
                raise
            database.set_aside(path)
            self._store = Store(self._state, self.model)
        self._windows = WindowReader(self._store)
        self._kept = Kept.nothing()

    def turn(self, now: int, *, final: bool = False) -> Snapshot:
        """Read, join and evaluate as of `now` (microseconds); return what to serve.

        A source that fails is noted in `failures` and as ``model_source_up 0``; the others are
        read, and what is known is evaluated. `final` reads an unterminated last line too.
        """
        started = time.perf_counter()
        try:
            snapshot = self._evaluated(now, final=final)
        except duckdb.Error:
            # What ails the file may show only when a part of it is read.
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
        for config, source in self._sources:
            self._read(config, source, now, final=final)
        self._store.compact()
        return evaluate(self._windows, self._kept)

    def _read(self, config: SourceConfig, source: Source, now: int, *, final: bool) -> None:
        name = config.name
        labels = (self.model.name, name)
        try:
            batches = source.read(self._store.cursors(name), final=final)
            for together in _gathered(self._checked(config, batches)):
                self._rows[name] += self._store.ingest(name, together)
                if isinstance(source, Spool):
                    source.forget(together)
        except (SourceError, SchemaError, OSError) as error:
            self.failures.append(f"{config.place}: {error}")
            logger.warning("%s: source %s: %s", self.model.name, name, error)
            self._health.put("model_source_up", labels, 0)
        else:
            self._health.put("model_source_up", labels, 1)
            seconds = now / 1_000_000
            self._health.put("model_source_last_success_timestamp_seconds", labels, seconds)
        self._health.put("model_source_rows_total", labels, self._rows[name])

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
                if config.type not in ("json", "jsonl") and batch.table.num_rows:
                    check_batch(columns, batch.table, batch.file)
            except SchemaError as error:
                if config.type not in READERS:
                    raise
                refused[batch.file] = error
            else:
                yield batch
        for refusal in refused.values():
            raise refusal


def _opened(source: SourceConfig, pushed: Path) -> Source:
    if source.type == PUSH:
        return Spool(pushed / source.name, limit=source.spool_bytes)
    return source.open()


def _gathered(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    together: list[Batch] = []
    try:
        for batch in batches:
            together.append(batch)
            if sum(b.table.num_rows for b in together) >= TOGETHER_ROWS:
                yield together
                together = []
    except (SourceError, SchemaError):
        if together:
            yield together  # what was read before is good
        raise
    if together:
        yield together
