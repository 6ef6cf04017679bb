"""The telemetry of a call that goes on after its function returned."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from model_exporter.sidecar.calls import NOTHING

if TYPE_CHECKING:
    from model_exporter.sidecar.wrap import Steps

NEW, OPEN, DONE = range(3)


class Following:
    """The telemetry of one call that goes on.

    Parameters
    ----------
    values
        What `steps.begin` returned.
    before_ns
        How long the function took until it returned. What the caller does until it starts the
        stream or coroutine is not the model's time.
    stream
        Whether there are chunks to count.
    """

    __slots__ = (
        *("_before", "_chunks", "_first", "_last", "_start", "_state", "_steps", "_stream"),
        "_values",
    )

    def __init__(self, steps: "Steps", values: Any, before_ns: int, *, stream: bool) -> None:
        self._state = NEW
        self._steps = steps
        self._values = values
        self._before = before_ns
        self._stream = stream
        self._chunks = 0
        self._first = math.nan
        self._last = NOTHING

    def begin(self) -> None:
        """Start the clock, the first time."""
        if self._state == NEW:
            self._state = OPEN
            self._steps.enter(None)
            self._start = self._steps.clock() - self._before

    def chunk(self, item: Any) -> None:
        """Count a chunk; only with a hook to read it is it kept until the next."""
        if self._state == OPEN:
            if not self._chunks:
                self._first = self._steps.clock() - self._start
            self._chunks += 1
            if self._steps.reads_streams:
                self._last = item

    def end(self, result: Any = NOTHING) -> None:
        """End; the result of a stream is its last chunk."""
        if self._state == OPEN:
            self._record(self._steps.finish, self._last if self._stream else result)

    def settle(self, result: Any) -> Any:
        """End with a result, or go on following it; return what the caller gets."""
        if self._state != OPEN:
            return result
        return self._record(self._steps.settle, result)

    def fail(self, error: BaseException) -> None:
        """End with an exception; that the consumer of a stream leaves early is none."""
        if self._stream and isinstance(error, GeneratorExit):
            self.end()
        elif self._state == OPEN:
            self._record(lambda _, *rest: self._steps.fail(*rest), error)

    def _record(self, step: Callable[..., Any], result: Any) -> Any:
        self._state = DONE
        end = self._steps.clock()
        values, self._values, self._last = self._values, None, None
        if self._stream:
            self._steps.count_stream(self._first, self._chunks)
        return step(values, self._start, end, result)

    def __del__(self) -> None:
        self.fail(GeneratorExit())
