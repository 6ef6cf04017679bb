"""Writes the prediction log: one thread, files that appear complete, never in the model's way."""

import contextlib
import itertools
import os
import re
import socket
import threading
from _queue import SimpleQueue
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import Any

from model_exporter.sidecar.clock import Clock
from model_exporter.sidecar.faults import DropReason, Faults, Stage
from model_exporter.sidecar.log_rows import LogRows, LogSchema, arrow_table, json_lines
from model_exporter.sidecar.settings import LogSettings

CLOSE_SECONDS = 10.0
"""How long `close` waits for a disk that hangs."""
PARQUET_ROWS = 100_000
"""Rows of a Parquet file at most: they wait in memory, because an unfinished Parquet file is
unreadable and an open one cannot survive a fork."""


class JsonLines:
    """A JSON-lines file in the making, under a hidden temporary name until it is finished."""

    def __init__(self, path: Path, schema: LogSchema) -> None:
        self._path = path
        self._schema = schema
        self._file: int | None = None
        self.rows = 0
        self.size = 0

    def write(self, rows: LogRows) -> None:
        """Append rows; on an error nothing of them stays in the file."""
        data = json_lines(self._schema, rows)
        if self._file is None:
            self._file = create(self._path)
        try:
            write_all(self._file, data)
        except OSError:
            self._take_back()
            raise
        self.size += len(data)
        self.rows += len(rows)

    def _take_back(self) -> None:
        assert self._file is not None  # noqa: S101 - for the type checker
        if self.rows:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            return
        file, self._file = self._file, None
        os.close(file)
        temporary(self._path).unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the file its name."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            os.fsync(file)
        finally:
            os.close(file)
        publish(self._path)

    def abandon(self) -> None:
        """Let go of the file without touching it, in a forked child."""
        if self._file is not None:
            os.close(self._file)


class Parquet:
    """A Parquet file in the making, in memory until it is finished."""

    def __init__(self, path: Path, schema: LogSchema) -> None:
        self._path = path
        self._schema = schema
        self._tables: list[Any] = []
        self.rows = 0
        self.size = 0

    def write(self, rows: LogRows) -> None:
        """Keep rows for the file."""
        table = arrow_table(self._schema, rows)
        self._tables.append(table)
        self.rows += len(rows)
        self.size += table.nbytes

    def finish(self) -> None:
        """Write the file and give it its name."""
        if not self._tables:
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables, self._tables = self._tables, []
        table = pa.concat_tables(tables, promote_options="permissive")
        file = create(self._path)
        try:
            with os.fdopen(file, "wb") as sink:
                pq.write_table(table, sink, compression="zstd")
                sink.flush()
                os.fsync(sink.fileno())
            publish(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary(self._path).unlink()
            raise

    def abandon(self) -> None:
        """Forget the rows: they are the parent's."""


class LogWriter:
    """The queue and the thread of a prediction log.

    Files rotate by size and by age. Whatever cannot be queued or written is dropped and counted;
    the next rows are tried again.
    """

    def __init__(
        self, settings: LogSettings, schema: LogSchema, *, faults: Faults, clock: Clock
    ) -> None:
        self._settings = settings
        self._schema = schema
        self._faults = faults
        self._clock = clock
        self._kind = Parquet if settings.format == "parquet" else JsonLines
        self._file: JsonLines | Parquet | None = None
        self._closed = False
        self._reset()

    def _reset(self) -> None:
        self._queue: SimpleQueue[LogRows | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._sequence = itertools.count()
        self._opened_ns = 0
        # Each of the two has one writer at a time, so their difference needs no lock.
        self._queued = 0
        self._done = 0

    def put(self, rows: LogRows) -> None:
        """Queue rows, or drop and count them; one thread at a time (under the fold's lock)."""
        if self._closed:
            self._faults.drop(DropReason.CLOSED, len(rows))
        elif self._queued - self._done >= self._settings.queue_rows:
            self._faults.drop(DropReason.LOG_QUEUE_FULL, len(rows))
        else:
            self._queued += len(rows)
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
            return
        self._thread.join(CLOSE_SECONDS)
        self._thread = None

    def after_fork(self) -> None:
        """Leave file, queue and thread to the parent."""
        if self._file is not None:
            self._file.abandon()
            self._file = None
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
            self._done += len(rows)
            if self._due():
                self._rotate()

    def _patience(self) -> float | None:
        if self._file is None:
            return None
        age = (self._clock.monotonic_ns() - self._opened_ns) * 1e-9
        return max(self._settings.max_seconds - age, 0.0)

    def _due(self) -> bool:
        if self._file is None:
            return False
        too_long = self._kind is Parquet and self._file.rows >= PARQUET_ROWS
        return too_long or self._file.size >= self._settings.max_bytes or self._patience() == 0

    def _write(self, rows: LogRows) -> None:
        try:
            if self._file is None:
                self._file = self._kind(self._next_path(), self._schema)
                self._opened_ns = self._clock.monotonic_ns()
            self._file.write(rows)
        except Exception as error:
            if self._file is not None and not self._file.rows:
                self._file = None  # the next rows try a new file, in a new directory if need be
            self._failed(error, len(rows))

    def _rotate(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.finish()
        except Exception as error:
            self._failed(error, file.rows)

    def _failed(self, error: Exception, rows: int) -> None:
        self._faults.drop(DropReason.LOG_WRITE_FAILED, rows)
        with contextlib.suppress(Exception):  # strict mode raises, but this thread must go on
            self._faults.error(Stage.LOG, error)

    def _next_path(self) -> Path:
        self._settings.directory.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9._-]", "_", self._schema.model_name).lstrip(".")
        host = re.sub(r"[^A-Za-z0-9._-]", "_", socket.gethostname())
        start = datetime.fromtimestamp(self._clock.wall_ns() * 1e-9, UTC).strftime("%Y%m%dT%H%M%S%fZ")
        number = next(self._sequence)
        stem = f"{name}-{host}-{os.getpid()}-{start}-{number}"
        return self._settings.directory / f"{stem}.{self._settings.format}"


def temporary(path: Path) -> Path:
    """Return the hidden name of a file in the making."""
    return path.with_name(f".{path.name}.tmp")


def create(path: Path) -> int:
    """Open a new temporary file that only its owner can read: it may hold personal data."""
    return os.open(temporary(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def publish(path: Path) -> None:
    """Give a finished file its name."""
    temporary(path).rename(path)


def write_all(file: int, data: bytes) -> None:
    """Write all of `data`."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
