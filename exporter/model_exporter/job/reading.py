"""A source that is read in a thread of its own, a little ahead of whoever takes the rows in."""

import queue
import threading
import time
from collections.abc import Iterable

from model_exporter.job.sources import Batch

AHEAD_BYTES = 96 << 20
"""No batch is read while this much waits to be taken: it is held in memory."""
CANCEL_SECONDS = 1.0
"""How long the thread of a cancelled reading is waited for; one that hangs is left to itself."""
TAKE_BYTES = 256 << 20
"""Batches are taken together up to this size: rows may be wide."""


class Reading:
    """One pass over a source, begun at once.

    Attributes
    ----------
    done
        Whether everything was taken, or the source failed.
    """

    def __init__(self, batches: Iterable[Batch], *, name: str) -> None:
        self.done = False
        self._cancelled = threading.Event()
        self._queue: queue.SimpleQueue[Batch | Exception | None] = queue.SimpleQueue()
        self._ahead = 0
        self._room = threading.Condition()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(batches,), name=name, daemon=True)
        self._thread.start()

    def take(self, rows: int, *, seconds: float | None) -> list[Batch]:
        """Return the next batches: this many rows, or fewer where the end or the time comes.

        Of wide rows fewer come together. `seconds` is how long to wait for them; None for as long
        as it takes.

        Raises
        ------
        Exception
            What the source raised, once all that was read before has been taken.
        """
        if self._failure is not None:
            self.done = True
            raise self._failure
        found: list[Batch] = []
        deadline = None if seconds is None else time.monotonic() + seconds
        size = 0
        while not self.done and rows > 0 and size < TAKE_BYTES:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                item = self._queue.get(block=left != 0, timeout=left)
            except queue.Empty:
                break
            if isinstance(item, Exception):
                self._failure = item
                return found or self.take(rows, seconds=seconds)
            if item is None:
                self.done = True
            else:
                found.append(item)
                rows -= item.table.num_rows
                size += item.table.nbytes
                with self._room:
                    self._ahead -= item.table.nbytes
                    self._room.notify()
        return found

    def cancel(self) -> None:
        """Have the thread end after the batch that it reads, and whoever waits in `take` return."""
        with self._room:
            self._cancelled.set()
            self._room.notify()
        self._queue.put(None)

    def join(self) -> None:
        """Wait for the thread of a reading that is done or cancelled, unless it hangs."""
        self._thread.join(CANCEL_SECONDS)

    def _run(self, batches: Iterable[Batch]) -> None:
        end: Exception | None = None
        try:
            for batch in batches:
                with self._room:
                    self._ahead += batch.table.nbytes
                self._queue.put(batch)
                if not self._has_room():
                    return
        except Exception as error:  # raised again by `take`, in the thread that judges it
            end = error
        self._queue.put(end)

    def _has_room(self) -> bool:
        """Wait until there is room for another batch; tell whether it is still wanted."""
        with self._room:
            self._room.wait_for(lambda: self._ahead < AHEAD_BYTES or self._cancelled.is_set())
        return not self._cancelled.is_set()
