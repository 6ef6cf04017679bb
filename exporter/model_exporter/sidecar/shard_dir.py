"""The directory of the shards: its lock, and what is removed from it in time."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from model_exporter.sidecar import shard_file

PREFIX = "model-exporter-"
SHARD = ".shard"
ARCHIVE = ".archive"
HIDDEN = ".tmp"
LOCK = "model-exporter.lock"
LOCK_TRIES = 50
LOCK_PAUSE_SECONDS = 0.001
"""A scrape waits so long for another's folding; then it sums without folding."""
HIDDEN_SECONDS = 60.0
"""Age of a file in the making whose maker must have been killed."""
ABANDONED_SECONDS = 86_400.0
"""Age of files that belong to nobody: damaged, or of a version or baseline that is gone."""


class Lock:
    """Lets one process at a time change the archives of a directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK
        self._file: int | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the lock, or say that it could not be had in time."""
        file = self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield any(_tried(file) for _ in range(LOCK_TRIES))
        finally:
            self._file = None
            # A child forked meanwhile has the file too: closing alone would leave it the lock.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def after_fork(self) -> None:
        """Let go of the parent's lock."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _tried(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(LOCK_PAUSE_SECONDS)
        return False
    return True


def is_free(path: Path) -> bool:
    """Return whether no living process holds a file; also if there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        return shard_file.is_free(file)
    finally:
        os.close(file)


def sweep(directory: Path, *, keep: str) -> None:
    """Remove what nobody has used for long, with the lock held; `keep` is the archive in use."""
    now = time.time()
    ages = {}
    for entry in os.scandir(directory):
        if entry.name.startswith(PREFIX):
            with contextlib.suppress(FileNotFoundError):
                ages[entry.name] = now - entry.stat().st_mtime
    # Archives last: what keeps one are its shards.
    for name in sorted(ages, key=lambda name: name.endswith(ARCHIVE)):
        path, age = directory / name, ages[name]
        if name.endswith(HIDDEN):
            is_waste = age > HIDDEN_SECONDS
        elif name.endswith(ARCHIVE):
            stem = name.removesuffix(ARCHIVE)
            is_used = name == keep or any(n.startswith(stem) for n in ages if n != name)
            is_waste = age > ABANDONED_SECONDS and not is_used
        else:
            is_waste = age > ABANDONED_SECONDS and is_free(path)
        if is_waste:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            del ages[name]
