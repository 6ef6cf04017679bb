"""What killed processes left behind: adopted, without its unfinished last line."""

import contextlib
import os
from pathlib import Path

from model_exporter.sidecar import log_locks
from model_exporter.sidecar.log_names import entries

CHUNK = 1 << 16


def adopt_remains(directory: Path, model_prefix: str) -> None:
    """Publish the temporary files of a model whose writers are dead.

    A writer holds a lock on its file. The lock ends with its process, whatever became of its pid
    and in whatever container it ran; where the filesystem has no locks, nothing is adopted.
    """
    for entry in entries(directory):
        if entry.finished or not entry.of(model_prefix):
            continue
        with contextlib.suppress(OSError):  # another process was faster; or not ours to read
            _adopt(entry.path)


def _adopt(path: Path) -> None:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if log_locks.try_hold(file) is not True:
            return
        end = 0 if path.name.endswith(".parquet.tmp") else _end_of_last_line(file)
        final = path.with_name(path.name.removeprefix(".").removesuffix(".tmp"))
        if not end:  # nothing that could be read: half a Parquet file has no end to begin from
            path.unlink()
        elif not final.exists():
            os.ftruncate(file, end)
            os.fsync(file)
            path.rename(final)
    finally:
        log_locks.close(file)


def _end_of_last_line(file: int) -> int:
    place = os.fstat(file).st_size
    while place > 0:
        start = max(place - CHUNK, 0)
        found = os.pread(file, place - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0
