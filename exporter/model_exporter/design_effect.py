"""How much more counts vary than those of independent rows would: Kish's design effect."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_exporter.errors import SchemaError

HOUR = 3600
ONE_SIDED_95 = 1.645


def hours(column: Iterable[object], name: str) -> NDArray[np.int64]:
    """Return the hour of each timestamp, counted from 1970.

    Taken are datetimes and ISO 8601 text (UTC unless they say otherwise), and Unix time in seconds.
    """
    return np.array([_hour(value, name) for value in column], dtype=np.int64)


def _hour(value: object, name: str) -> int:
    try:
        return math.floor(_seconds(value) / HOUR)
    except (TypeError, ValueError, OverflowError) as error:
        raise SchemaError(
            f"column {name!r} of the reference holds {value!r}, which is no timestamp; expected a "
            "datetime, ISO 8601 or Unix seconds in every row"
        ) from error


def _seconds(value: Any) -> float:
    if isinstance(value, np.datetime64):
        return math.nan if np.isnat(value) else float(value.astype("datetime64[s]").astype(int))
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value)


def design_effect(periods: ArrayLike, bins: ArrayLike) -> float:
    """Variance of the counts of bins between periods, as a multiple of that of independent rows.

    Pearson's chi-squared of the table of periods by bins, divided by its degrees of freedom: 1 for
    independent rows, 5 for rows in clusters of five alike. The upper end of its 95 % interval is
    returned, and never less than 1: an estimate that is too small by a tenth would multiply false
    alarms. Rows of negative bins (missing) are left out. Misleads where a reference has a daily
    cycle or a trend, which count as clusters.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bins = np.repeat(rng.integers(10, size=10_000), 5)  # each row five times
    >>> round(design_effect(np.arange(50_000) // 500, bins), 1)
    5.5

    References
    ----------
    Kish, Survey Sampling, 1965; McCullagh and Nelder, Generalized Linear Models, 1989, 4.5.
    """
    of_row, bin_of_row = np.asarray(periods), np.asarray(bins)
    used = bin_of_row >= 0
    names, row = np.unique(of_row[used], return_inverse=True)
    kinds, column = np.unique(bin_of_row[used], return_inverse=True)
    degrees = (names.size - 1) * (kinds.size - 1)
    if degrees <= 0:
        return 1.0
    table = np.zeros((names.size, kinds.size))
    np.add.at(table, (row, column), 1)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    value = float(((table - expected) ** 2 / expected).sum())
    # Wilson and Hilferty's 5 % quantile of chi-squared; of few degrees it is not to be had.
    spread = 2 / (9 * degrees)
    least = degrees * max(0.2, 1 - spread - ONE_SIDED_95 * math.sqrt(spread)) ** 3
    return max(1.0, value / least)
