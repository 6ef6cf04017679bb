"""The audit log: every decision about a retraining, one JSON line each, bounded, for its owner.

Lines are numbered. They come from the outbox, where they were written together with the decision:
what a kill kept from this file is written at the next start, and what is in it is not repeated.
"""

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from model_exporter.job.quarantine import last_line_end

FILE = "retraining.jsonl"
MAX_BYTES = 10 << 20
"""Then it is renamed to `.1`, in place of the one before: twice this much at most."""
LINE_BYTES = 1 << 16


class Journal:
    """The file, and the one before it."""

    def __init__(self, directory: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = directory / FILE
        self._before = directory / f"{FILE}.1"
        self._max_bytes = max_bytes
        self._last = max(map(_last_entry, (self.path, self._before)))

    def write(self, lines: Sequence[tuple[int, str]]) -> None:
        """Append numbered lines, as JSON objects, that are not there yet; they are on the disk."""
        new = [(entry, line) for entry, line in lines if entry > self._last]
        if not new:
            return
        data = b"".join(
            json.dumps({"entry": entry, **json.loads(line)}).encode() + b"\n" for entry, line in new
        )
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_size + len(data) > self._max_bytes:
                self.path.replace(self._before)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        with os.fdopen(os.open(self.path, flags, 0o600), "r+b") as file:
            end = last_line_end(file)
            file.truncate(end)  # a line that was cut short by a full disk or a crash
            file.seek(end)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._last = new[-1][0]


def _last_entry(path: Path) -> int:
    """Return the number of the last whole line; 0 if there is none."""
    try:
        with path.open("rb") as file:
            end = last_line_end(file)
            file.seek(max(0, end - LINE_BYTES))
            lines = file.read(end - file.tell()).splitlines()
        return int(json.loads(lines[-1])["entry"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return 0
