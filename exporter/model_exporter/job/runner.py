"""One model's turn: read what is new, take it in, evaluate."""

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from model_exporter.errors import SourceError, StateError
from model_exporter.job.config import PUSH, ModelConfig, SourceConfig
from model_exporter.job.evaluate import evaluate
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.sources import READERS, Batch, FileSource
from model_exporter.job.sources.spool import Spool
from model_exporter.job.store import Store, file_stem
from model_exporter.job.windows import WindowReader

TOGETHER_ROWS = 500_000
"""A transaction costs the same for one row as for many: small files are taken in together."""

logger = logging.getLogger("model_exporter")


class Runner:
    """Sources, store and last results of one model. Use as a context manager."""

    def __init__(self, model: ModelConfig, state: Path) -> None:
        self.model = model
        self.failures: list[str] = []
        self._store = Store(state, model)
        self._windows = WindowReader(self._store)
        configured = [model.predictions, model.labels]
        try:  # after the store, whose lock keeps other processes from the spools
            pushed = state / f"{file_stem(model.name)}.pushed"
            self._sources = [(s, _open(s, pushed)) for s in configured if s is not None]
        except StateError:
            self._store.close()
            raise
        self._health = Snapshot()
        self._rows = {source.name: 0 for source, _ in self._sources}

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

    def turn(self, now: int, *, final: bool = False) -> Snapshot:
        """Read, join and evaluate as of `now` (microseconds); return what to serve.

        A source that fails is noted in `failures` and as ``model_source_up 0``; the others are
        read, and what is known is evaluated. `final` reads an unterminated last line too.
        """
        started = time.perf_counter()
        self.failures = []
        self._store.advance(now)
        for source, records in self._sources:
            self._read(source, records, now, final=final)
        self._store.compact()
        snapshot = evaluate(self._windows)
        duration = time.perf_counter() - started
        self._health.put("model_evaluation_duration_seconds", (self.model.name,), duration)
        snapshot.merge(self._health)
        return snapshot

    def _read(
        self, source: SourceConfig, records: FileSource | Spool, now: int, *, final: bool
    ) -> None:
        labels = (self.model.name, source.name)
        try:
            batches = records.read(self._store.cursors(source.name), final=final)
            for together in _gathered(batches):
                self._rows[source.name] += self._store.ingest(source.name, together)
                if isinstance(records, Spool):
                    records.forget()
        except (SourceError, OSError) as error:
            self.failures.append(f"{source.place}: {error}")
            logger.warning("%s: source %s: %s", self.model.name, source.name, error)
            self._health.put("model_source_up", labels, 0)
        else:
            self._health.put("model_source_up", labels, 1)
            seconds = now / 1_000_000
            self._health.put("model_source_last_success_timestamp_seconds", labels, seconds)
        self._health.put("model_source_rows_total", labels, self._rows[source.name])


def _open(source: SourceConfig, pushed: Path) -> FileSource | Spool:
    if source.type == PUSH:
        return Spool(pushed / source.name, limit=source.spool_bytes)
    return FileSource(source.path, READERS[source.type])


def _gathered(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    together: list[Batch] = []
    try:
        for batch in batches:
            together.append(batch)
            if sum(b.table.num_rows for b in together) >= TOGETHER_ROWS:
                yield together
                together = []
    except SourceError:
        if together:
            yield together  # what was read before is good
        raise
    if together:
        yield together
