"""Turns what calls recorded into counts, many calls at once."""

import math
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model_exporter.records import Subject, Task
from model_exporter.sidecar import business
from model_exporter.sidecar.columns import BLOCK, Column, ColumnCounts, numbers
from model_exporter.sidecar.counters import (
    Counters,
    Subjects,
)
from model_exporter.sidecar.event_time import newest_ns
from model_exporter.sidecar.faults import Faults, Stage
from model_exporter.sidecar.labels import Lookup, Names
from model_exporter.sidecar.outputs import OutputReader, Outputs
from model_exporter.sidecar.recorder import FIXED, PACKED, BatchCall, Recorder
from model_exporter.sidecar.schema import Shape, count_shapes
from model_exporter.sidecar.sections import LIMITS, Floats, Section
from model_exporter.sidecar.settings import Settings
from model_exporter.sidecar.tally import Tally
from model_exporter.sidecar.window import Digest, Window

NO_CLASS = -1


class Log(Protocol):
    """Takes predictions to log: Unix times in ns, outputs, and the captured columns by name."""

    def __call__(
        self,
        ends_ns: NDArray[np.int64],
        outputs: Outputs,
        *,
        ids: Sequence[str | None] | None,
        columns: Mapping[str, Column],
    ) -> None:
        """Queue the predictions."""


class Fold:
    """Counts, names and the sliding window of a monitor, and what adds to them.

    Parameters
    ----------
    log
        Where predictions are logged; None where they are not.

    Notes
    -----
    One lock guards the counts. The flusher and scrapes take it, and a call only where callers
    leave the flusher no time. It is re-entrant because a signal handler may scrape in the middle
    of a scrape; a flush within a flush does nothing.
    """

    def __init__(
        self,
        settings: Settings,
        subjects: Subjects,
        *,
        recorder: Recorder,
        faults: Faults,
        log: Log | None,
        has_ids: bool,
    ) -> None:
        self.settings = settings
        self.subjects = subjects
        self._class_name = settings.class_namer()
        self.names = {section: Names(limit=limit) for section, limit in LIMITS.items()}
        limit = LIMITS[Section.CLASSES]
        known = (self._class_name(text) or "" for text in settings.classes[:limit])
        self.names[Section.CLASSES] = Names(known, limit=limit)
        self.window = Window(settings.window_rows, settings.window_ns)
        self.counters = Counters(settings, self.subjects)
        self.lock = threading.RLock()
        self._flushing = False
        self._recorder = recorder
        self._faults = faults
        self._log = log
        self.taps: list[Log] = []  # of `model_exporter.testing`
        self._first = FIXED + has_ids
        self.reader = OutputReader(
            settings.task,
            settings.positive_label,
            name=self._class_name,
            threshold=settings.threshold,
            negative=settings.negative,
        )
        self._slots = Lookup(self._class_slot)

    def reset(self) -> None:
        """Start from nothing, in a forked child."""
        self.lock = threading.RLock()
        self._flushing = False
        self.counters.array[:] = 0
        for names in self.names.values():
            names.reset()
        self.window.reset()
        self._slots = Lookup(self._class_slot)

    def flush(self) -> None:
        """Count everything recorded so far."""
        with self.lock:
            if self._flushing:
                return
            self._flushing = True
            try:
                self._flush()
            finally:
                self._flushing = False

    def _flush(self) -> None:
        rows, failures, batches = self._recorder.drain()
        packed = self._recorder.take_packed()
        offset = self.settings.clock.offset_ns()
        streams = self._recorder.take_streams()
        if streams:
            self._guard(self._fold_streams, streams)
        shapes = self._recorder.take_shapes()
        if shapes:
            self._guard(self._count_shapes, [Shape(*s) for s in Counter(shapes).items()])
        amounts = self._recorder.take_amounts()
        if amounts:
            self._guard(business.count, amounts, *self._section(Section.MEASURES))
        if failures:
            self._guard(self._fold_failures, failures, offset)
        steps = [(self._fold_rows, rows), (self._fold_packed, packed)]
        if rows and packed and rows[-self._recorder.width] > packed[-PACKED]:
            steps.reverse()  # whose newest call is newer comes last
        for step, flat in steps:
            if flat:
                self._guard(step, flat, offset)
        for batch in batches:
            self._guard(self._fold_batch, batch, offset)

    def tally(self, *, window: Digest | None = None) -> Tally:
        """Return what is counted by now; by default with the window as it is by now."""
        with self.lock:
            self.counters.dropped[:] = list(self._faults.dropped.values())
            self.counters.internal_errors[:] = list(self._faults.errors.values())
            return Tally(
                self.counters.array.copy(),
                {section: names.taken for section, names in self.names.items()},
                in_progress=self._recorder.in_progress,
                window=self.digest() if window is None else window,
            )

    def digest(self, *, limit: int | None = None) -> Digest:
        """Return the window's statistics by now; `limit` bounds the values that stand for it."""
        with self.lock:
            now = self.settings.clock.monotonic_ns()
            return self.window.digest(now, self.names[Section.CLASSES].size, limit=limit)

    def _section(self, section: Section) -> tuple[Names, Floats]:
        return self.names[section], self.counters.named[section]

    def _guard(self, step: Callable[..., None], *arguments: Any) -> None:
        try:
            step(*arguments)
        except Exception as error:
            self._faults.error(Stage.FOLD, error)

    def _fold_failures(self, flat: list[Any], offset: int) -> None:
        latency = numbers(flat[1::3]).array
        self._count_calls(max(flat[0::3]) + offset, latency)
        names, counts = self._section(Section.ERROR_TYPES)
        for name in flat[2::3]:
            if name:  # KeyboardInterrupt and the like are no errors of the model
                counts[names.slot(name)] += 1

    def _count_shapes(self, shapes: Iterable[Shape]) -> None:
        columns = frozenset(self.settings.columns)
        extra = self.names[Section.EXTRA_COLUMNS]
        count_shapes(shapes, self.counters, columns=columns, extra=extra)

    def _fold_streams(self, flat: list[Any]) -> None:
        first = numbers(flat[0::2]).array
        self.counters.first_chunk.add(first[~np.isnan(first)] * 1e-9)
        self.counters.chunks += sum(flat[1::2])

    def _fold_rows(self, flat: list[Any], offset: int) -> None:
        width = self._recorder.width
        ends = numbers(flat[0::width]).array.astype(np.int64)
        self._count_calls(int(ends.max()) + offset, numbers(flat[1::width]).array)
        self.counters.rows += ends.size
        names = self.settings.columns
        columns = {n: flat[i::width] for i, n in enumerate(names, start=self._first)}
        self._guard(self._count_row_features, columns)
        outputs = self.reader.split(flat[2::width])
        self._guard(self._count_outputs, ends, outputs)
        ids = flat[FIXED::width] if self._first > FIXED else None
        if self._log is not None:
            self._log(ends + offset, outputs, ids=ids, columns=columns)
        for tap in self.taps:
            tap(ends + offset, outputs, ids=ids, columns=columns)

    def _fold_packed(self, flat: list[Any], offset: int) -> None:
        ends, starts = _whole(flat[0::PACKED]), _whole(flat[1::PACKED])
        self._count_calls(int(ends.max()) + offset, (ends - starts).astype(np.float64))
        self.counters.rows += ends.size
        matrix = np.frombuffer(b"".join(flat[3::PACKED])).reshape(ends.size, -1).T.copy("C")
        self._guard(self._count_matrix, matrix)
        outputs = self.reader.split(flat[2::PACKED])
        self._guard(self._count_outputs, ends, outputs)
        for tap in self.taps:
            columns = dict(zip(self.subjects.numeric.names, matrix, strict=True))
            tap(ends + offset, outputs, ids=None, columns=columns)

    def _count_matrix(self, matrix: NDArray[np.float64]) -> None:
        self._add_features(self.subjects.numeric.count_matrix(matrix), self.counters)

    def _fold_batch(self, batch: BatchCall, offset: int) -> None:
        if batch.latency is None:
            self.counters.last_ns[0] = batch.end + offset
        else:
            self._count_calls(batch.end + offset, np.array([batch.latency], dtype=np.float64))
            self.counters.batch_rows.add(np.array([batch.rows], dtype=np.float64))
        self.counters.rows += batch.rows
        if batch.counts is not None:
            self.counters.add(batch.counts)
        self._guard(self._count_shapes, batch.shapes)
        if not batch.rows:
            return
        ends = np.full(batch.rows, batch.end, dtype=np.int64)
        unread = [None] * batch.rows
        outputs = self.reader.split(unread if batch.output is None else batch.output)
        self._guard(self._count_outputs, ends, outputs)
        if self._log is not None and batch.log_columns is not None:
            self._log(ends + offset, outputs, ids=batch.ids, columns=batch.log_columns)
        for tap in self.taps:
            tap(ends + offset, outputs, ids=batch.ids, columns=batch.log_columns or {})

    def _count_calls(self, last_ns: int, latency_ns: NDArray[np.float64]) -> None:
        self.counters.requests += latency_ns.size
        self.counters.last_ns[0] = last_ns
        self.counters.latency.add(latency_ns * 1e-9)

    def count_features(
        self, columns: Mapping[str, Column], counters: Counters, *, block: int = BLOCK
    ) -> None:
        """Add the columns of features to `counters`, those with bins `block` rows at a time."""
        if not columns:
            return
        size = len(next(iter(columns.values()), ()))
        for start in range(0, size, block):
            part = {name: columns[name][start : start + block] for name in counters.features}
            self._add_features(self._counted(part), counters)
        for name, check in self.subjects.checks.items():
            counters.check(name, check.count(columns[name]))
        if self.settings.event_time:
            now = self.settings.clock.wall_ns()
            newest = newest_ns(columns[self.settings.event_time], now)
            counters.input_ns[0] = max(counters.input_ns[0], newest)

    def _add_features(
        self, counted: Iterable[tuple[str, ColumnCounts]], counters: Counters
    ) -> None:
        for name, found in counted:
            counters.features[name].add(found)
            counters.bins[Subject.FEATURE, name] += found.bins

    def _count_row_features(self, columns: Mapping[str, Column]) -> None:
        # In one block: what is gained by staying in the cache is lost by waiting for the lock.
        self.count_features(columns, self.counters, block=sys.maxsize)

    def _counted(self, columns: Mapping[str, Column]) -> Iterator[tuple[str, ColumnCounts]]:
        yield from self.subjects.numeric.count(columns)
        for name, bins in self.subjects.categorical.items():
            yield name, bins.count(columns[name])

    def _count_outputs(self, ends: NDArray[np.int64], outputs: Outputs) -> None:
        values = outputs.values
        if self.settings.task is Task.REGRESSION:
            valid = np.isfinite(values)
            slots = np.full(ends.size, NO_CLASS)
        else:
            valid = (values >= 0) & (values <= 1)
            slots = np.array(self._slots(outputs.classes or ()), dtype=np.int64)
            names, counts = self._section(Section.CLASSES)
            counts += np.bincount(slots[slots != NO_CLASS], minlength=names.size)
        self.counters.output.add(values[valid])
        self.window.add(ends.astype(np.float64), np.where(valid, values, math.nan), slots)
        for key, column in self._output_columns(outputs):
            if key in self.subjects.bins:
                self.counters.bins[key] += self.subjects.bins[key].count(column).bins

    def _output_columns(self, outputs: Outputs) -> list[tuple[tuple[Subject, str], Column]]:
        if outputs.classes is None:
            return [((Subject.PREDICTION, ""), outputs.values)]
        return [
            ((Subject.PREDICTION, ""), outputs.classes),
            ((Subject.SCORE, ""), outputs.values),
            *(((Subject.SCORE, name), column) for name, column in outputs.scores.items()),
        ]

    def _class_slot(self, value: Any) -> int:
        text = self._class_name(value)
        return NO_CLASS if text is None else self.names[Section.CLASSES].slot(text)


def _whole(column: Sequence[int]) -> NDArray[np.int64]:
    """Return readings of a clock, exactly: as floats they would lose nanoseconds in 104 days."""
    return np.fromiter(column, dtype=np.int64, count=len(column))
