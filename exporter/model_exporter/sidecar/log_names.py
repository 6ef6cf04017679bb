"""The names of the prediction log's files, and what a directory of them holds."""

import hashlib
import os
import re
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

BLOCK_BYTES = 4096
"""What a file takes at least: a budget in whole blocks bounds the number of files, too."""
_LOG_FILE = re.compile(
    r"\.?.+-\d+-(?P<start>\d{8}T\d{12}Z)-(?P<number>\d+)\.(jsonl|parquet)(\.tmp)?"
)


def prefix(model_name: str) -> str:
    """Return how the names of a model's files begin.

    The digest tells models apart whose names are alike once they are made fit for a file, and
    `churn` from `churn-eu`: a prefix decides what may be deleted.
    """
    readable = _fit(model_name).lstrip(".")[:80]
    return f"{readable}-{hashlib.sha256(model_name.encode()).hexdigest()[:8]}-"


def stem(model_name: str, *, wall_ns: int, number: int) -> str:
    """Return a name that no other process gives, without its suffix."""
    start = datetime.fromtimestamp(wall_ns * 1e-9, UTC).strftime("%Y%m%dT%H%M%S%fZ")
    host = _fit(socket.gethostname())[:80]
    return f"{prefix(model_name)}{host}-{os.getpid()}-{start}-{number}"


def _fit(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)


class LogEntry(NamedTuple):
    """A file that some model's log wrote.

    Attributes
    ----------
    start, number
        When it was begun, and as which of its process, as its name tells: the order of deletion.
    size
        Bytes on disk, in whole blocks.
    """

    start: str
    number: int
    path: Path
    size: int

    @property
    def finished(self) -> bool:
        """Whether it is complete."""
        return not self.path.name.startswith(".")

    def of(self, model_prefix: str) -> bool:
        """Return whether it is a file of the model whose files begin so."""
        return self.path.name.removeprefix(".").startswith(model_prefix)


def entries(directory: Path) -> list[LogEntry]:
    """Return the files that this library wrote into a directory, the oldest first."""
    found = []
    try:
        listing = list(os.scandir(directory))
    except FileNotFoundError:
        return []
    for item in listing:
        match = _LOG_FILE.fullmatch(item.name)
        if match is None or item.name.startswith(".") != item.name.endswith(".tmp"):
            continue
        try:
            if not item.is_file(follow_symlinks=False):
                continue
            size = item.stat(follow_symlinks=False).st_size
        except FileNotFoundError:  # another process was faster
            continue
        blocks = -(-size // BLOCK_BYTES)
        number = int(match["number"])
        found.append(LogEntry(match["start"], number, Path(item.path), blocks * BLOCK_BYTES))
    return sorted(found)
