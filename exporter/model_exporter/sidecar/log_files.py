"""The files of the prediction log: hidden while in the making, complete once they have a name."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from model_exporter.sidecar import log_locks
from model_exporter.sidecar.log_rows import LogRows, LogSchema, arrow_table, json_lines

PARQUET_ROWS = 100_000
"""Rows of a Parquet file at most: they wait in memory, because an unfinished Parquet file is
unreadable and an open one cannot survive a fork."""

Reserve = Callable[[int], None]
"""Makes room for so many bytes, or raises `OverBudget`."""


class LogFile(Protocol):
    """A file, or a batch, in the making."""

    rows: int
    size: int

    def write(self, rows: LogRows) -> None:
        """Append rows; on an error nothing of them stays."""

    def finish(self) -> None:
        """Complete it, for readers to see."""

    def abandon(self) -> None:
        """Leave it to the parent, in a forked child."""


def unlimited(size: int) -> None:
    """Reserve nothing."""


class JsonLines:
    """A JSON-lines file in the making, under a hidden temporary name until it is finished."""

    def __init__(self, path: Path, schema: LogSchema, *, reserve: Reserve = unlimited) -> None:
        self._path = path
        self._schema = schema
        self._reserve = reserve
        self._file: int | None = None
        self.rows = 0
        self.size = 0

    def write(self, rows: LogRows) -> None:
        """Append rows; on an error nothing of them stays in the file."""
        data = json_lines(self._schema, rows)
        self._reserve(len(data))
        if self._file is None:
            self._file = create(self._path)
        try:
            write_all(self._file, data)
        except OSError:
            self._take_back()
            raise
        self.size += len(data)
        self.rows += rows.size

    def _take_back(self) -> None:
        assert self._file is not None
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
            publish(self._path)
        finally:
            log_locks.close(file)  # and its lock: not before the name, or another process adopts it

    def abandon(self) -> None:
        """Let go of the file without touching it, in a forked child."""
        if self._file is not None:
            os.close(self._file)


class Parquet:
    """A Parquet file in the making, in memory until it is finished."""

    def __init__(self, path: Path, schema: LogSchema, *, reserve: Reserve = unlimited) -> None:
        self._path = path
        self._schema = schema
        self._reserve = reserve
        self._tables: list[Any] = []
        self.rows = 0
        self.size = 0

    def write(self, rows: LogRows) -> None:
        """Keep rows for the file."""
        table = arrow_table(self._schema, rows)
        self._tables.append(table)
        self.rows += rows.size
        self.size += table.nbytes

    def finish(self) -> None:
        """Write the file and give it its name."""
        if not self._tables:
            return
        data = self._encoded()
        self._reserve(len(data))
        file = create(self._path)
        try:
            write_all(file, data)
            os.fsync(file)
            publish(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary(self._path).unlink()
            raise
        finally:
            log_locks.close(file)

    def _encoded(self) -> memoryview:
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables, self._tables = self._tables, []
        sink = pa.BufferOutputStream()
        table = pa.concat_tables(tables, promote_options="permissive")
        pq.write_table(table, sink, compression="zstd")
        return memoryview(sink.getvalue())

    def abandon(self) -> None:
        """Forget the rows: they are the parent's."""


def temporary(path: Path) -> Path:
    """Return the hidden name of a file in the making."""
    return path.with_name(f".{path.name}.tmp")


def create(path: Path) -> int:
    """Open a new temporary file that only its owner can read: it may hold personal data.

    It is locked until it is closed, which tells other processes that its writer lives.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    while True:
        file = os.open(temporary(path), flags, 0o600)
        log_locks.hold(file)
        if log_locks.is_linked(file):
            return file
        os.close(file)  # taken for the remains of a dead writer before the lock was ours


def publish(path: Path) -> None:
    """Give a finished file its name."""
    temporary(path).rename(path)


def write_all(file: int, data: bytes | memoryview) -> None:
    """Write all of `data`."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
