"""The files of the prediction log: hidden while in the making, complete once they have a name."""

import contextlib
import os
from pathlib import Path
from typing import Any

from model_exporter.sidecar.log_rows import LogRows, LogSchema, arrow_table, json_lines

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
        self.rows += rows.size
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
