"""The files that processes share: their format, and how one is written and read.

::

    head      magic, format, length of the identity, capacity of a slot, checksum; the identity
    slot      sequence, length of the payload, checksum; the payload
    slot      the same again; an archive has only one

A shard has one writer and two slots, written in turn: whenever the writer is killed, the slot
written before is whole, and a reader never sees half of a flush. It is written with `pwrite`
rather than mapped: a full disk is then an error that can be handled, where a page of a mapping that
the disk has no room for kills the process (SIGBUS), on some file systems even one that was
reserved.
"""

import contextlib
import fcntl
import json
import os
import stat
import struct
import time
import zlib
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from model_exporter.sidecar.sections import Section
from model_exporter.sidecar.tally import Tally
from model_exporter.sidecar.window import Digest

MAGIC = b"MODELSHD"
FORMAT = 3
HEAD = struct.Struct("<8sIIII")
SLOT = struct.Struct("<QII")
META = struct.Struct("<I")
SLOTS = 2
NAME_BYTES = 400
"""Room for a name in JSON: 64 characters of at most 4 bytes, or escaped, with quotes and comma."""
META_BYTES = 1024
"""Room for the rest of the JSON."""
WINDOW_VALUES = 512
"""Values that stand for a process's window: a quantile is right to a thousandth in rank."""
MAX_BYTES = 64 * 2**20
READS = 20
READ_PAUSE_SECONDS = 0.001
"""Between two tries of a file whose writer was faster than the reader."""


class SkipReason(StrEnum):
    """Why a file was left out."""

    DAMAGED = "damaged"
    """Empty, cut short, unreadable, or not what its checksum says."""
    FORMAT = "format"
    """Written by a version of model-exporter with another format."""
    LAYOUT = "layout"
    """Of this model version, but with another baseline, other buckets or classes."""


class UnusableError(Exception):
    """A file cannot be used."""

    def __init__(self, reason: SkipReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Record(NamedTuple):
    """What a file holds: its number of the writing, and whether the writer still holds it.

    `folded` are the shards whose counts an archive has, as long as their files may exist.
    """

    sequence: int
    tally: Tally
    living: bool = False
    folded: tuple[str, ...] = ()


def capacity(array_size: int, names: int) -> int:
    """Return the bytes a payload takes at most."""
    floats = array_size + names + WINDOW_VALUES
    return META.size + META_BYTES + names * NAME_BYTES + 8 * floats


def encode(tally: Tally, folded: tuple[str, ...] = ()) -> bytes:
    """Return a tally as a payload."""
    window = tally.window
    meta = {
        "names": dict(tally.names),
        "in_progress": tally.in_progress,
        "window": [window.rows, window.mean, window.squares],
        "sizes": [tally.array.size, window.classes.size, window.values.size],
        "folded": folded,
    }
    text = json.dumps(meta, ensure_ascii=False).encode()
    floats = (tally.array, window.classes, window.values)
    return b"".join([META.pack(len(text)), text, *(part.tobytes() for part in floats)])


def decode(payload: bytes) -> tuple[Tally, tuple[str, ...]]:
    """Return the tally of a payload, and the shards folded into it."""
    start = META.size + META.unpack_from(payload)[0]
    meta = json.loads(payload[META.size : start])
    ends = np.cumsum(meta["sizes"])
    array, classes, values = np.split(np.frombuffer(payload, np.float64, offset=start), ends[:-1])
    rows, mean, squares = meta["window"]
    weights = np.full(values.size, rows / max(values.size, 1))
    window = Digest(rows, mean, squares, values, weights, classes)
    names = {Section(section): names for section, names in meta["names"].items()}
    tally = Tally(array, names, meta["in_progress"], window)
    return tally, tuple(meta["folded"])


def head(identity: bytes, size: int) -> bytes:
    """Return the head of a file, padded so that slots start on a multiple of 8."""
    text = identity + b" " * (-(HEAD.size + len(identity)) % 8)
    return HEAD.pack(MAGIC, FORMAT, len(text), size, zlib.crc32(text, size)) + text


def slot(sequence: int, payload: bytes) -> bytes:
    """Return a filled slot."""
    return SLOT.pack(sequence, len(payload), _checksum(sequence, payload)) + payload


def _checksum(sequence: int, payload: bytes) -> int:
    return zlib.crc32(payload, sequence & 0xFFFFFFFF)


def is_free(file: int) -> bool:
    """Return whether nobody holds the file: its process has ended, however it did."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def read(path: Path, identity: bytes) -> Record:
    """Return what a file holds.

    Raises
    ------
    UnusableError
        If it is damaged, of another format, or of another identity.
    OSError
        If it cannot be opened; `FileNotFoundError` if it is gone.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise UnusableError(SkipReason.DAMAGED)
        for tried in range(READS):
            living = not is_free(file)  # asked first: what a dead process wrote is all there
            data = os.pread(file, min(os.fstat(file).st_size, MAX_BYTES), 0)
            whole, torn = _slots(data, identity)
            newest = max(whole, default=(0, b""))
            # In turn, the slot in the making is the next one; else the writer was faster than we.
            if living and newest[0] < torn - 1 and tried < READS - 1:
                time.sleep(READ_PAUSE_SECONDS)
                continue
            if not newest[0]:
                break
            tally, folded = _decoded(newest[1])
            return Record(newest[0], tally, living, folded)
    finally:
        os.close(file)
    raise UnusableError(SkipReason.DAMAGED)


def _decoded(payload: bytes) -> tuple[Tally, tuple[str, ...]]:
    try:
        return decode(payload)
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise UnusableError(SkipReason.DAMAGED) from error


def _slots(data: bytes, identity: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return sequence and payload of the whole slots, and the highest sequence of the others."""
    size, place = _opened(data, identity)
    whole: list[tuple[int, bytes]] = []
    torn = 0
    while place + SLOT.size <= len(data):
        sequence, length, checksum = SLOT.unpack_from(data, place)
        payload = data[place + SLOT.size : place + SLOT.size + length]
        if length and len(payload) == length and _checksum(sequence, payload) == checksum:
            whole.append((sequence, payload))
        else:
            torn = max(torn, sequence)
        place += SLOT.size + size
    return whole, torn


def _opened(data: bytes, identity: bytes) -> tuple[int, int]:
    """Check the head; return the capacity of a slot and the place of the first."""
    if len(data) < HEAD.size:
        raise UnusableError(SkipReason.DAMAGED)
    magic, version, length, size, checksum = HEAD.unpack_from(data)
    if magic != MAGIC:
        raise UnusableError(SkipReason.DAMAGED)
    if version != FORMAT:
        raise UnusableError(SkipReason.FORMAT)
    text = data[HEAD.size : HEAD.size + length]
    if zlib.crc32(text, size) != checksum:
        raise UnusableError(SkipReason.DAMAGED)
    if text.rstrip(b" ") != identity:
        raise UnusableError(SkipReason.LAYOUT)
    return size, HEAD.size + length


class ShardFile:
    """A process's own shard: made whole and held before it has its name.

    Raises
    ------
    OSError
        If there is no room, or the directory cannot be written.
    """

    def __init__(self, path: Path, identity: bytes, size: int) -> None:
        self._size = -(-size // 8) * 8
        self._sequence = 0
        self._last = b""
        start = head(identity, self._size)
        self._start = len(start)
        hidden = path.with_name(f"{path.name}.tmp")
        self._file: int | None = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _reserve(self._file, self._start + SLOTS * (SLOT.size + self._size))
            _write(self._file, start, 0)
            hidden.rename(path)
        except OSError:
            with contextlib.suppress(OSError):
                hidden.unlink()
            self.release()
            raise

    @property
    def is_deleted(self) -> bool:
        """Whether somebody has removed the file, which no other process can see then."""
        return self._file is None or os.fstat(self._file).st_nlink == 0

    def publish(self, tally: Tally) -> None:
        """Write a tally, unless it is the one written last."""
        assert self._file is not None
        payload = encode(tally)
        if payload == self._last:
            return
        if len(payload) > self._size:
            raise ValueError("the payload is longer than a slot")
        self._sequence += 1
        place = self._start + (self._sequence % SLOTS) * (SLOT.size + self._size)
        _write(self._file, slot(self._sequence, payload), place)
        self._last = payload

    def release(self) -> None:
        """Let go of the file; in a forked child the parent still holds it."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _reserve(file: int, size: int) -> None:
    """Take the room now, so that a disk that fills up later does not stop the counting."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        _write(file, bytes(size), 0)


def _write(file: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, place)
        view, place = view[written:], place + written


def write_archive(path: Path, identity: bytes, record: Record) -> None:
    """Replace an archive in one step; not synced, for a power cut ends every process anyway."""
    payload = encode(record.tally, record.folded)
    data = head(identity, len(payload)) + slot(record.sequence, payload)
    hidden = path.with_name(f"{path.name}.tmp")
    file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _write(file, data, 0)
        hidden.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            hidden.unlink()
        raise
    finally:
        os.close(file)
