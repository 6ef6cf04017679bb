"""Pushed records on disk, from the answer to who pushed them until the store has taken them in.

A record that was promised to be kept is in a segment that was synced. The segment that is written
to ends in ``.open``; before a turn reads, it is sealed and renamed to ``.jsonl``, so that what is
read is whole. A segment is deleted once the store has committed its rows. After a kill in between
it is read again, which changes nothing: the store makes a repeated record have no effect.
"""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from model_exporter.errors import SourceError, StateError
from model_exporter.job.sources.batch import Batch, Cursor
from model_exporter.job.sources.file import local_file
from model_exporter.job.sources.jsonl import read_jsonl
from model_exporter.job.sources.text import PORTION_BYTES

SEGMENT_BYTES = PORTION_BYTES
"""A segment is sealed at this size, so that it is read in one portion."""
OPEN, SEALED = ".open", ".jsonl"


class SpoolFullError(StateError):
    """What waits to be taken in has reached its bound."""


class Spool:
    """The segments of one source, of which one process writes and reads.

    Parameters
    ----------
    limit
        Bytes that wait at most; a record beyond them is refused.

    Raises
    ------
    StateError
        If the directory cannot be made or written.
    """

    def __init__(self, directory: Path, *, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        self._lock = threading.Lock()
        self._segment: _Segment | None = None
        self._closed = False
        self._unread: dict[int, int] = {}  # batches of a segment that are not in the store
        self._read: set[int] = set()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in sorted(directory.glob(f"*{OPEN}")):
                _recover(path)
            left = self._sealed()
            self._bytes = sum(path.stat().st_size for path in left)
        except OSError as error:
            raise StateError(
                f"{directory}: cannot write pushed records ({error.strerror}); set `state` to a "
                "writable directory"
            ) from error
        self._number = max((int(path.stem) for path in left), default=0)

    def append(self, lines: bytes) -> None:
        """Keep whole lines; when this returns they outlive a kill and a power cut.

        Raises
        ------
        SpoolFullError
            If there is no room until the store has taken in what waits.
        StateError
            If the spool was closed.
        OSError
            If the disk fails. None of the lines is promised then.
        """
        with self._lock:
            if self._closed:
                raise StateError(f"{self._directory}: closed")
            if self._bytes + len(lines) > self._limit:
                raise SpoolFullError(f"{self._directory}: {self._bytes} of {self._limit} bytes")
            segment = self._writable()
            segment.write(lines)
            self._bytes += len(lines)
            reached = segment.written
        segment.sync(reached)

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        """Yield what waits; the position of a cursor is the number of the segment.

        Raises
        ------
        SourceError
            At the end, if a segment was damaged; the others were read.
        """
        with self._lock:
            self._seal()
            self._unread, self._read = {}, set()
        failures = []
        for path in self._sealed():
            number = int(path.stem)
            try:
                for table, _ in read_jsonl(local_file(path), Cursor(), final=True):
                    with self._lock:
                        self._unread[number] = self._unread.get(number, 0) + 1
                    yield Batch(str(self._directory), table, Cursor(number))
            except (SourceError, OSError) as error:
                failures.append(error)
            else:
                with self._lock:
                    self._read.add(number)
                self._delete_taken()
        if failures:
            raise SourceError(f"{failures[0]}; repair or delete the file") from failures[0]

    def forget(self, batches: Iterable[Batch]) -> None:
        """Delete segments of which the store has committed the last batch."""
        with self._lock:
            for batch in batches:
                self._unread[batch.cursor.position] -= 1
        self._delete_taken()

    def sample(self) -> None:
        """Return that there is nothing to look at beforehand: records are checked at the door."""

    def _delete_taken(self) -> None:
        with self._lock:
            taken = [number for number in self._read if not self._unread.get(number)]
            for number in taken:
                path = self._directory / f"{number:020}{SEALED}"
                self._bytes -= path.stat().st_size
                path.unlink()
                self._read.discard(number)

    def close(self) -> None:
        """Refuse what comes from now on."""
        with self._lock:
            self._closed = True
            self._seal()

    def _sealed(self) -> list[Path]:
        return sorted(self._directory.glob(f"*{SEALED}"))

    def _writable(self) -> "_Segment":
        segment = self._segment
        if segment is not None and (segment.broken or segment.written >= SEGMENT_BYTES):
            self._seal()
        if self._segment is None:
            self._number += 1
            self._segment = _Segment(self._directory / f"{self._number:020}{OPEN}")
        return self._segment

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.close()
            segment.path.rename(segment.path.with_suffix(SEALED))


class _Segment:
    """A file being written.

    Attributes
    ----------
    broken
        Whether the disk failed: a later sync could succeed without the data being there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self.broken = False
        self._synced = 0
        self._syncing = threading.Lock()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        _sync_directory(path.parent)

    def write(self, lines: bytes) -> None:
        """Append whole lines, or nothing."""
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            self.broken = True
            os.ftruncate(self._file, self.written)
            raise
        self.written += len(lines)

    def sync(self, reached: int) -> None:
        """Wait until as many bytes are on the disk; who waits meanwhile shares the next sync."""
        with self._syncing:
            if self._synced >= reached:
                return
            if self.broken:
                raise OSError(f"{self.path}: not synced")
            written = self.written
            try:
                os.fsync(self._file)
            except OSError:
                self.broken = True
                raise
            self._synced = written

    def close(self) -> None:
        """Sync for those who still wait, and close."""
        with contextlib.suppress(OSError):  # they are told; nothing was promised
            self.sync(self.written)
        with self._syncing:
            os.close(self._file)


def _recover(path: Path) -> None:
    """Seal what a killed process left, without the line that it was writing."""
    whole = path.read_bytes().rfind(b"\n") + 1
    if whole:
        os.truncate(path, whole)
        path.rename(path.with_suffix(SEALED))
    else:
        path.unlink()


def _sync_directory(directory: Path) -> None:
    """Make a new name outlive a power cut."""
    file = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
