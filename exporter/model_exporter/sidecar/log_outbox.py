"""Batches that wait to be sent: files in a spool, or memory where there is none."""

import contextlib
import os
import threading
from collections import deque
from pathlib import Path
from typing import NamedTuple, Protocol

from model_exporter.sidecar import log_locks
from model_exporter.sidecar.faults import DropReason, Faults
from model_exporter.sidecar.log_files import LogFile
from model_exporter.sidecar.log_names import entries, prefix
from model_exporter.sidecar.log_rows import LogRows, LogSchema, json_lines

MEMORY_BYTES = 16 << 20
"""What waits without a spool, at most: a receiver that is down must not eat the model's memory."""


class Batch(NamedTuple):
    """Rows on their way.

    Attributes
    ----------
    path, file
        Of a spool: the file, open and locked against other processes that share the spool.
    """

    data: bytes
    path: Path | None = None
    file: int = -1

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.data.count(b"\n")


class Outbox(Protocol):
    """Where the sender takes batches from; whatever it takes it gives back in one of two ways."""

    def take(self) -> Batch | None:
        """Return a batch that nobody else is sending; None if there is none."""

    def done(self, batch: Batch) -> None:
        """Forget a batch that was delivered, or never will be."""

    def keep(self, batch: Batch) -> None:
        """Put a batch back; others come first, so that none can block the rest."""

    def close(self) -> None:
        """Count what is lost now that the process ends."""


class Spool:
    """The finished files of a model in a directory, whichever process wrote them."""

    def __init__(self, directory: Path, model_name: str) -> None:
        self._directory = directory
        self._prefix = prefix(model_name)
        self._paths: deque[Path] = deque()

    def take(self) -> Batch | None:
        """Return the oldest file that was not tried since the directory was last listed."""
        if not self._paths:
            found = entries(self._directory)
            self._paths.extend(e.path for e in found if e.finished and e.of(self._prefix))
        while self._paths:
            path = self._paths.popleft()
            if path.suffix == ".jsonl" and (batch := _claim(path)) is not None:
                return batch
        return None

    def done(self, batch: Batch) -> None:
        """Delete the file, while it is locked: a process that waited sees that it is gone."""
        assert batch.path is not None
        try:
            batch.path.unlink(missing_ok=True)
        finally:
            log_locks.close(batch.file)

    def keep(self, batch: Batch) -> None:
        """Let go of the file."""
        log_locks.close(batch.file)

    def close(self) -> None:
        """Lose nothing: the next process sends it."""


def _claim(path: Path) -> Batch | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:  # sent, or deleted to make room
        return None
    # Without locks two processes may send it twice, which receivers have to bear anyway.
    if log_locks.try_hold(file) is not False and log_locks.is_linked(file):
        try:
            with os.fdopen(os.dup(file), "rb") as whole:
                return Batch(whole.read(), path, file)
        except OSError:
            log_locks.close(file)
            raise
    log_locks.close(file)
    return None


class Memory:
    """Batches in memory, where there is no spool; beyond a bound the oldest are dropped."""

    def __init__(self, schema: LogSchema, *, limit: int, faults: Faults) -> None:
        self._schema = schema
        self._limit = min(limit or MEMORY_BYTES, MEMORY_BYTES)
        self._faults = faults
        self.after_fork()

    def after_fork(self) -> None:
        """Forget the parent's batches."""
        self._lock = threading.Lock()
        self._batches: deque[Batch] = deque()
        self._bytes = 0

    def open(self) -> LogFile:
        """Return a new batch to write to."""
        return _MemoryFile(self._schema, self)

    def put(self, data: bytes) -> None:
        """Add a batch."""
        with self._lock:
            self._batches.append(Batch(data))
            self._bytes += len(data)
            while self._bytes > self._limit:
                oldest = self._batches.popleft()
                self._bytes -= len(oldest.data)
                self._faults.drop(DropReason.LOG_BUDGET, oldest.rows)

    def take(self) -> Batch | None:
        """Return the batch that waited longest."""
        with self._lock, contextlib.suppress(IndexError):
            batch = self._batches.popleft()
            self._bytes -= len(batch.data)
            return batch
        return None

    def done(self, batch: Batch) -> None:
        """Forget it: it was taken out already."""

    def keep(self, batch: Batch) -> None:
        """Put it back at the end."""
        self.put(batch.data)

    def close(self) -> None:
        """Drop and count what is left."""
        while (batch := self.take()) is not None:
            self._faults.drop(DropReason.LOG_UNSENT, batch.rows)


class _MemoryFile:
    """A batch in the making."""

    def __init__(self, schema: LogSchema, memory: Memory) -> None:
        self._schema = schema
        self._memory = memory
        self._parts: list[bytes] = []
        self.rows = 0
        self.size = 0

    def write(self, rows: LogRows) -> None:
        """Append rows."""
        data = json_lines(self._schema, rows)
        self._parts.append(data)
        self.rows += rows.size
        self.size += len(data)

    def finish(self) -> None:
        """Hand the batch to the sender."""
        self._memory.put(b"".join(self._parts))

    def abandon(self) -> None:
        """Forget the rows: they are the parent's."""
