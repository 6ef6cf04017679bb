"""Records that could not be used, kept to be looked at: JSON Lines beside the store.

Each distinct record comes once, as it was read, with where it was and why it was refused. Written
after the transaction that refused it: a process killed in between loses lines, and never leaves
half a line before others. The file may hold personal data, and only its owner may read it.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MAX_BYTES = 10 << 20
"""A file that would grow larger loses its older half."""
NAME_LENGTH = 64

logger = logging.getLogger("model_exporter")


class Quarantine:
    """The file of one model."""

    def __init__(self, directory: Path, model: str, *, max_bytes: int = MAX_BYTES) -> None:
        self._model = model
        self._max_bytes = max_bytes
        self.path = directory / f"{_file_name(model)}-quarantine.jsonl"

    def write(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append records; where that fails, say so and go on."""
        lines = [json.dumps(record, default=str).encode() + b"\n" for record in records]
        lines = [line for line in lines if len(line) <= self._max_bytes // 2]
        while lines and sum(map(len, lines)) > self._max_bytes // 2:
            del lines[: -(-len(lines) // 2)]
        if not lines:
            return
        try:
            self._append(b"".join(lines))
        except OSError as error:
            logger.warning(
                "%s: refused records could not be written to %s: %s",
                *(self._model, self.path, error),
                extra={"event": "quarantine_failed", "model": self._model},
            )

    def _append(self, data: bytes) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        with os.fdopen(os.open(self.path, flags, 0o600), "r+b") as file:
            end = last_line_end(file)
            if end + len(data) > self._max_bytes:
                self._halve(file, end)
            else:
                file.truncate(end)  # a line that was cut short by a full disk or a crash
                file.seek(end)
                file.write(data)
                return
        self._append(data)

    def _halve(self, file: Any, end: int) -> None:
        file.seek(end - min(end, self._max_bytes // 2))
        file.readline()
        kept = file.read(end - file.tell())
        temporary = self.path.with_suffix(".tmp")
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as smaller:
            smaller.write(kept)
        temporary.replace(self.path)


def last_line_end(file: Any) -> int:
    """Return the size of the file up to the end of its last whole line."""
    size = int(file.seek(0, os.SEEK_END))
    step = 1 << 16
    while size > 0:
        start = max(0, size - step)
        file.seek(start)
        found = file.read(size - start).rfind(b"\n")
        if found >= 0:
            return start + int(found) + 1
        size = start
    return 0


def _file_name(model: str) -> str:
    """Return the name of the model, or where it cannot be that of a file, a digest with it."""
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", model)[:NAME_LENGTH]
    if readable == model:
        return model
    return f"{readable}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
