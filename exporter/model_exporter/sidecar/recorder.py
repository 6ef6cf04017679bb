"""What a monitored call leaves behind: appended without a lock, drained in bulk.

Appending to a list and deleting its head are each one step under the interpreter's lock (and on a
free-threaded build, under the list's own), so no call is lost or counted twice, whatever threads
do. The lists are never replaced: monitored functions hold on to their `append` and `extend`.
"""

import contextlib
from typing import Any

from model_exporter.sidecar.faults import DropReason, Faults

FIXED = 3
"""Values at the head of every recorded call: end, latency, prediction."""
PACKED = 4
"""Values of a call whose features are all numbers: end, start, prediction, features as bytes."""
SOFT_VALUES = 65_536
"""Values buffered before the flusher is woken: some 5,000 calls with ten features. Fewer would
wake it so often that one call in a thousand felt it; more would leave the cache."""
RELIEF_VALUES = 4 * SOFT_VALUES
"""Values buffered before a call takes its turn at the fold: by then the flusher, woken long ago,
gets too little of the interpreter, since callers that never wait leave it none."""


class BatchCall:
    """A batch call: its features counted, its outputs copied, both in the call.

    Attributes
    ----------
    captured
        Rows of the features; 0 where there are none or they could not be read.
    counts
        A flat array to add to that of `Counters`; None without a baseline.
    shapes
        Names of the columns of rows that were given by name, where there is a baseline.
    latency
        Nanoseconds; None of rows that did not come by a call.
    log_columns
        Columns for the log; None where nothing can be logged.
    """

    __slots__ = (
        "captured",
        "counts",
        "end",
        "ids",
        "latency",
        "log_columns",
        "output",
        "rows",
        "shapes",
    )

    def __init__(self) -> None:
        self.end = self.rows = self.captured = 0
        self.latency: int | None = 0
        self.output: Any = None
        self.ids: list[str | None] | None = None
        self.counts: Any = None
        self.shapes: Any = ()
        self.log_columns: Any = None


class Recorder:
    """The buffers between the calls and the fold.

    Parameters
    ----------
    width
        Values recorded a call: end, latency, prediction, then id and features where captured.
    values
        Values buffered at most; later calls are dropped and counted.

    Attributes
    ----------
    wake
        Tells the flusher that there is something to do.
    relieve
        Folds in the caller's place; returns whether it could.
    rows
        Flat: `width` values a call.
    packed
        Flat: `PACKED` values a call, of calls whose features went into one `bytes`.
    failures
        Flat: end, latency and name of the exception class, for each call that raised.
    streams
        Flat: nanoseconds to the first chunk (NaN without one) and chunks, for each ended stream.
    shapes
        Names of the columns of each row that has others than the baseline.
    amounts
        Flat: measure and amount, of what the business counts.
    calls
        One item for each call in progress, and for each in `packed`, whose items go together with
        them: to take one away in the call would cost as much as a clock reading.
    limit
        Length of `rows` from which on a call has to ask `admit`. 0 until the first call, which
        thus starts the flusher.
    packed_limit
        The same for `packed`: the length that so many calls have there.
    """

    __slots__ = (
        "_hard",
        "_relief",
        "_soft",
        "amounts",
        "batches",
        "calls",
        "failures",
        "faults",
        "limit",
        "packed",
        "packed_limit",
        "relieve",
        "rows",
        "sample",
        "shapes",
        "streams",
        "wake",
        "width",
    )

    def __init__(self, width: int, *, values: int, faults: Faults) -> None:
        self.width = width
        self.faults = faults
        self.rows: list[Any] = []
        self.packed: list[Any] = []
        self.failures: list[Any] = []
        self.batches: list[BatchCall] = []
        self.streams: list[Any] = []
        self.shapes: list[Any] = []
        self.amounts: list[Any] = []
        self.calls: list[None] = []
        self._hard = max(values, width)
        # Up to here a call looks at one buffer only, and there are two.
        self._relief = min(RELIEF_VALUES, self._hard // 2)
        self._soft = min(SOFT_VALUES, self._relief)
        self._ask_from(0)
        self.wake: Any = None
        self.relieve: Any = None
        self.sample: Any = None

    def ask_always(self) -> None:
        """Have the next call ask `admit`."""
        self._ask_from(0)

    def _ask_from(self, values: int) -> None:
        """Have calls ask `admit` once so many values are buffered."""
        self.limit = values
        self.packed_limit = values * PACKED // self.width

    def admit(self, rows: int = 1, *, latency: int | None = None) -> bool:
        """Return whether there is room for a call; wake the flusher, or count the drop.

        `latency` is that of a call that ended well: it may become an exemplar.
        """
        pending = sum(batch.rows for batch in self.batches) if self.batches else 0
        pending += len(self.packed) // PACKED * self.width
        filled = len(self.rows) + len(self.failures) + len(self.amounts) + pending
        if filled >= self._relief and self.relieve():
            filled = 0
        if filled < self._hard:
            looks = latency is not None and self.sample is not None and self.sample(latency)
            if looks or filled >= self._relief:
                self._ask_from(0)  # brings the next call here, too
            else:  # the flusher is woken once; it sets the limit back
                self._ask_from(self._soft if filled < self._soft else self._relief)
            self.wake()
            return True
        self.faults.drop(DropReason.BUFFER_FULL, rows)
        return False

    def leave(self) -> None:
        """End a call."""
        with contextlib.suppress(IndexError):  # forked within the call: it began in the parent
            self.calls.pop()

    def fail(self, start: int, end: int, error: BaseException) -> None:
        """Record a call that raised."""
        if len(self.failures) >= self.limit and not self.admit():
            return
        kind = type(error).__name__
        if kind == "CancelledError":
            kind = "cancelled"
        elif isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            kind = ""
        self.failures.extend((end, end - start, kind))

    def stream(self, first_ns: float, chunks: int) -> None:
        """Record a stream that ended; `fail` or what records rows comes right after, and wakes."""
        if len(self.streams) < self._hard:
            self.streams.extend((first_ns, chunks))

    def note(self, names: tuple[Any, ...]) -> None:
        """Record the names in an odd row; what records its outcome comes after, and wakes."""
        if len(self.shapes) < SOFT_VALUES:  # each flush empties it, and comes much earlier
            self.shapes.append(names)

    def amount(self, measure: str, amount: float) -> None:
        """Record an amount of what the business counts."""
        if len(self.amounts) < self.limit or self.admit():
            self.amounts.extend((measure, amount))

    def take_amounts(self) -> list[Any]:
        """Take the amounts recorded so far; one thread at a time."""
        return _take(self.amounts)

    def take_shapes(self) -> list[Any]:
        """Take the names recorded so far; one thread at a time."""
        return _take(self.shapes)

    def take_streams(self) -> list[Any]:
        """Take the streams recorded so far; one thread at a time."""
        return _take(self.streams)

    def take_packed(self) -> list[Any]:
        """Take the packed calls recorded so far; one thread at a time."""
        taken = _take(self.packed)
        del self.calls[: len(taken) // PACKED]
        return taken

    @property
    def in_progress(self) -> int:
        """How many calls have begun and not ended."""
        begun = len(self.calls)  # first: a call that ends meanwhile is not in progress
        return max(begun - len(self.packed) // PACKED, 0)

    def drain(self) -> tuple[list[Any], list[Any], list[BatchCall]]:
        """Take what was recorded so far; one thread at a time."""
        if self.limit > self._soft:
            self._ask_from(self._soft)
        return _take(self.rows), _take(self.failures), _take(self.batches)

    def reset(self) -> None:
        """Forget everything."""
        calls = (self.rows, self.packed, self.failures, self.batches, self.streams, self.calls)
        for buffer in (*calls, self.shapes, self.amounts):
            buffer.clear()
        self.ask_always()


def _take(buffer: list[Any]) -> list[Any]:
    taken = buffer[:]
    del buffer[: len(taken)]
    return taken
