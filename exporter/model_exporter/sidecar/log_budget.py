"""The disk budget of a log directory: room is made by deleting this model's oldest files."""

from collections.abc import Callable
from pathlib import Path

from model_exporter.sidecar.faults import TelemetryError
from model_exporter.sidecar.log_names import LogEntry, entries

LOOK_BYTES = 1 << 20
"""Bytes written between two looks at the directory, into which other processes write, too."""
CHUNK = 1 << 20


class OverBudget(TelemetryError):  # noqa: N818 - it is no error of the program's
    """There is no room left, and nothing that may be deleted."""


class Budget:
    """Bounds the bytes of all log files in a directory.

    Parameters
    ----------
    limit
        Bytes; 0 for no bound.
    model_prefix
        Only finished files that begin so are ever deleted.
    dropped
        Is told how many rows went with a deleted file.

    Notes
    -----
    Several processes that write at once may exceed the limit by `LOOK_BYTES` each, until the next
    of them looks.
    """

    def __init__(
        self, directory: Path, *, limit: int, model_prefix: str, dropped: Callable[[int], None]
    ) -> None:
        self._directory = directory
        self._limit = limit
        self._prefix = model_prefix
        self._dropped = dropped
        self._step = min(LOOK_BYTES, limit // 16)
        self.look()

    def look(self) -> None:
        """Look at the directory before the next write."""
        self._used = 0
        self._since_look = self._limit

    def reserve(self, size: int) -> None:
        """Make room for `size` bytes.

        Raises
        ------
        OverBudget
            If there is none, and no file of this model to delete.
        """
        if not self._limit:
            return
        if self._since_look + size > self._step or self._used + size > self._limit:
            self._make_room(size)
            self._since_look = 0
        self._since_look += size
        self._used += size

    def _make_room(self, size: int) -> None:
        found = entries(self._directory)
        self._used = sum(entry.size for entry in found)
        for entry in found:
            if self._used + size <= self._limit:
                return
            if entry.finished and entry.of(self._prefix) and self._delete(entry):
                self._used -= entry.size
        if self._used + size > self._limit:
            self._since_look = self._limit
            raise OverBudget(
                "the log's budget is used up and there is no finished file of this model to "
                "delete; raise log_budget_bytes or clear the directory"
            )

    def _delete(self, entry: LogEntry) -> bool:
        try:
            rows = count_rows(entry.path)
            entry.path.unlink()
        except FileNotFoundError:  # another process made room, and counts it
            return True
        except OSError:  # another user's, say
            return False
        self._dropped(rows)
        return True


def count_rows(path: Path) -> int:
    """Return how many rows a finished file has; 0 of a file that cannot be read."""
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet as pq

            return int(pq.read_metadata(path).num_rows)
        except (ImportError, OSError, ValueError):
            return 0
    rows = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            rows += chunk.count(b"\n")
    return rows
