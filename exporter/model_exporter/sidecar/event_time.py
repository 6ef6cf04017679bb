"""How old inputs are: the event time of the newest one."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from model_exporter.sidecar.columns import CONVERSION_ERRORS, Column

AHEAD_NS = 24 * 3600 * 10**9
"""How far ahead of our clock an event may be: one in milliseconds for seconds, taken for true,
would be the newest for ever."""


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
        return math.nan if isinstance(value, bool) else float(value)
    except CONVERSION_ERRORS:
        return math.nan
