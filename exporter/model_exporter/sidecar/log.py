"""Writes the prediction log: one thread, whole files or batches, never in the model's way."""

import contextlib
import threading
from _queue import Empty, SimpleQueue
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import NumericDistribution
from model_exporter.records import Subject, Task
from model_exporter.sidecar.columns import Column
from model_exporter.sidecar.counters import Subjects
from model_exporter.sidecar.faults import DropReason, Faults, Stage
from model_exporter.sidecar.log_budget import OverBudget
from model_exporter.sidecar.log_files import LogFile
from model_exporter.sidecar.log_place import limits_of, place_of
from model_exporter.sidecar.log_rows import LogRows, LogSchema
from model_exporter.sidecar.outputs import Outputs
from model_exporter.sidecar.settings import Settings

CLOSE_SECONDS = 10.0
"""How long `close` waits for a disk that hangs."""


class LogWriter:
    """The queue and the thread of a prediction log.

    Files rotate by size and by age. Whatever cannot be queued or written is dropped and counted;
    the next rows are tried again.
    """

    def __init__(self, settings: Settings, subjects: Subjects, *, faults: Faults) -> None:
        assert settings.log is not None
        self._settings = settings.log
        self._schema = log_schema(settings)
        self._clock = settings.clock
        counted = {f: bins for (s, f), bins in subjects.bins.items() if s is Subject.FEATURE}
        self._bins = {**counted, **subjects.uncounted}
        self._faults = faults
        self._limits = limits_of(settings.log)
        self._place, self._sender = place_of(settings, self._schema, faults)
        self._file: LogFile | None = None
        self._closed = False
        self._reset()

    def _reset(self) -> None:
        self._queue: SimpleQueue[LogRows | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._opened_ns = 0
        # Each of the two has one writer at a time, so their difference needs no lock.
        self._queued = 0
        self._done = 0

    def log(
        self,
        ends_ns: NDArray[np.int64],
        outputs: Outputs,
        *,
        ids: Sequence[str | None] | None,
        columns: Mapping[str, Column],
    ) -> None:
        """Queue predictions, with raw values only of the features that are allowed."""
        rows = LogRows(
            ends_ns=ends_ns,
            ids=ids,
            outputs=outputs,
            bins={name: bins.index(columns[name]) for name, bins in self._bins.items()},
            segments={name: columns[name] for name in self._settings.segments},
            features={name: columns[name] for name in self._settings.features},
        )
        self.put(rows)

    def put(self, rows: LogRows) -> None:
        """Queue rows, or drop and count them; one thread at a time (under the fold's lock)."""
        if self._closed:
            self._faults.drop(DropReason.CLOSED, rows.size)
        elif self._queued - self._done >= self._settings.queue_rows:
            self._faults.drop(DropReason.LOG_QUEUE_FULL, rows.size)
        else:
            self._queued += rows.size
            self._queue.put(rows)
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="model-exporter-log", daemon=True)
        with contextlib.suppress(RuntimeError):  # the interpreter is going down; close() writes
            thread.start()
            self._thread = thread

    def close(self) -> None:
        """Write what is queued, finish the file and end the thread."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        if self._thread is None:
            self._run()
        else:
            self._thread.join(CLOSE_SECONDS)
            self._thread = None
        if self._sender is not None:
            self._sender.close()

    def after_fork(self) -> None:
        """Leave file, queue and thread to the parent."""
        if self._file is not None:
            self._file.abandon()
            self._file = None
        self._place.after_fork()
        if self._sender is not None:
            self._sender.after_fork()
        self._reset()

    def _run(self) -> None:
        while True:
            try:
                rows = self._queue.get(timeout=self._patience())
            except Empty:
                self._rotate()
                continue
            if rows is None:
                self._rotate()
                return
            self._write(rows)
            self._done += rows.size
            if self._due():
                self._rotate()

    def _patience(self) -> float | None:
        if self._file is None:
            return None
        age = (self._clock.monotonic_ns() - self._opened_ns) * 1e-9
        return max(self._limits.seconds - age, 0.0)

    def _due(self) -> bool:
        if self._file is None:
            return False
        full = self._file.rows >= self._limits.rows or self._file.size >= self._limits.bytes
        return full or self._patience() == 0

    def _write(self, rows: LogRows) -> None:
        try:
            if self._file is None:
                self._file = self._place.open()
                self._wake_sender()  # for what an earlier process left in the spool
                self._opened_ns = self._clock.monotonic_ns()
            self._file.write(rows)
        except Exception as error:
            if self._file is not None and not self._file.rows:
                self._file = None  # the next rows try a new file, in a new directory if need be
            self._failed(error, rows.size)

    def _rotate(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.finish()
        except Exception as error:
            self._failed(error, file.rows)
        self._wake_sender()

    def _wake_sender(self) -> None:
        if self._sender is not None:
            self._sender.wake()

    def _failed(self, error: Exception, rows: int) -> None:
        over = isinstance(error, OverBudget)
        self._faults.drop(DropReason.LOG_BUDGET if over else DropReason.LOG_WRITE_FAILED, rows)
        with contextlib.suppress(Exception):  # strict mode raises, but this thread must go on
            self._faults.error(Stage.LOG, error)


def log_schema(settings: Settings) -> LogSchema:
    """Return what the log's rows have in common."""
    assert settings.log is not None
    baseline = settings.baseline
    return LogSchema(
        model_name=settings.name,
        model_version=settings.version,
        task=settings.task,
        classes=settings.classes if settings.task is Task.MULTICLASS else (),
        baseline="" if baseline is None else baseline.checksum,
        bins=() if baseline is None else tuple(baseline.features),
        segments=settings.log.segments,
        features=settings.log.features,
        class_name=settings.class_namer(),
        numeric=frozenset(
            name
            for name, distribution in (baseline.features.items() if baseline else ())
            if isinstance(distribution, NumericDistribution)
        ),
    )
