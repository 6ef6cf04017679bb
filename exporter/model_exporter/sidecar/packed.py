"""The wrapper for a plain row of nothing but numbers: they become the bytes of one `bytes`.

To pack them in the call costs no more than to copy them into a list, since they are in the cache,
and saves the fold most of its work: to read the numbers one by one again, and to free them.
"""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from model_exporter.sidecar.calls import RowSteps
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.plain import ABSENT

FLOAT64 = np.dtype(np.float64)
PAUSE = 64
"""Calls that go the plain way after a row with something else than numbers, a missing value say:
where many rows have some, few pay for the exception."""


def packed_wrapper(
    function: Callable[..., Any],
    *,
    general: Callable[..., Any],
    fail: Callable[[int, int, BaseException], None],
    settle: Callable[[Any, int, int, Any], Any],
    clock: Callable[[], int],
    steps: RowSteps,
    pipeline: Pipeline,
) -> Callable[..., Any]:
    """Return `function` monitored; `general` is what else would have been."""
    get, whole, scalars = steps.capture.getter, steps.capture.whole, steps.scalars
    width, wide = steps.capture.width, steps.capture.wide
    recorder, taps = pipeline.recorder, pipeline.fold.taps
    rows, extend = recorder.packed, recorder.packed.extend
    enter = recorder.calls.append
    pack, ndarray, float64 = struct.Struct(f"{whole}d").pack, np.ndarray, FLOAT64
    pause = 0
    assert get is not None

    def wrapper(row: Any = ABSENT, /, *rest: Any, **kwargs: Any) -> Any:
        nonlocal pause
        if rest or kwargs:
            return general(**kwargs) if row is ABSENT else general(row, *rest, **kwargs)
        record = None
        if pause > 0:
            pause -= 1
        elif not taps:  # they want the values as they were
            kind = type(row)
            try:
                if kind is list:
                    record = pack(*row)
                elif kind is dict:
                    record = pack(*get(row))
                    if len(row) > width:
                        wide(row)
                elif kind is ndarray and row.dtype is float64 and row.shape == shape:
                    record = row.tobytes()
            except Exception:  # not all numbers, or not all there
                pause = PAUSE
        if record is None:  # not above: an exception of the model would get ours as its context
            return general() if row is ABSENT else general(row)
        enter(None)
        start = clock()
        try:
            result = function(row)
        except BaseException as error:
            fail(start, clock(), error)
            raise
        end = clock()
        if len(rows) < recorder.packed_limit and type(result) in scalars:
            extend((end, start, result, record))  # which also ends it: see `Recorder.calls`
            return result
        return settle(record, start, end, result)

    shape = (whole,)
    return wrapper
