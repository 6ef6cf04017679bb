"""How old inputs are: the event time of the newest one."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from model_exporter.sidecar.columns import CONVERSION_ERRORS, Column, as_numpy
from model_exporter.sidecar.faults import Faults, Stage

GIVEN = "__event_time__"
"""Column of the times that a function of the user's gives: no feature's, and the last."""
AHEAD_NS = 24 * 3600 * 10**9
"""How far ahead of our clock an event may be: one in milliseconds for seconds, taken for true,
would be the newest for ever."""


Arguments = tuple[Any, ...]
Keywords = dict[str, Any]


def row_clock(
    event_time: Callable[..., Any] | None, *, index: int, faults: Faults
) -> Callable[[Arguments, Keywords], float]:
    """Return what gives the Unix seconds of a call's input; NaN where there are none.

    Parameters
    ----------
    index
        Position of the first argument that `event_time` gets: 1 behind `self`.
    """

    def read(args: Arguments, kwargs: Keywords) -> float:
        try:
            return math.nan if event_time is None else _seconds(event_time(*args[index:], **kwargs))
        except Exception as error:
            faults.error(Stage.EVENT_TIME, error)
            return math.nan

    return read


def batch_clock(
    event_time: Callable[..., Any] | None, *, index: int, faults: Faults
) -> Callable[[Arguments, Keywords, int], float]:
    """Return what gives the newest time of a batch, as `newest_ns`; of one time, or a column."""

    def read(args: Arguments, kwargs: Keywords, now_ns: int) -> float:
        if event_time is None:
            return 0.0
        try:
            times = as_numpy(event_time(*args[index:], **kwargs))
            is_column = isinstance(times, (list, tuple)) or getattr(times, "ndim", 0) == 1
            return newest_ns(times if is_column else [times], now_ns)
        except Exception as error:
            faults.error(Stage.EVENT_TIME, error)
            return 0.0

    return read


def newest_ns(column: Column, now_ns: int) -> float:
    """Return the newest time in a column as Unix nanoseconds; 0 where there is none.

    Takes datetimes (UTC if they do not say), ISO 8601 texts and Unix seconds; skips all else.

    Examples
    --------
    >>> newest_ns([5, "1970-01-01T00:00:07Z", None, "soon"], 10**10)
    7000000000.0
    """
    if isinstance(column, np.ndarray) and column.dtype.kind in "Mfiu":
        times = _times_of_array(column)
    else:
        values: Sequence[Any] = column.tolist() if isinstance(column, np.ndarray) else column
        times = np.array([_seconds(value) for value in values], dtype=np.float64) * 1e9
    known = times[(times > 0) & (times <= now_ns + AHEAD_NS)]  # neither is true of NaN
    return float(known.max()) if known.size else 0.0


def _times_of_array(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind != "M":
        return column.astype(np.float64) * 1e9
    times = column.astype("datetime64[ns]")
    return np.where(np.isnat(times), math.nan, times.astype(np.int64))


def _seconds(value: Any) -> float:
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, np.datetime64):
            return float(_times_of_array(np.array([value]))[0]) * 1e-9
        return math.nan if isinstance(value, bool) else float(value)
    except CONVERSION_ERRORS:
        return math.nan
