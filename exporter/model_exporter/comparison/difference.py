"""The record that every comparison gives."""

import math
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

from model_exporter.scores.intervals import MINIMUM_ROWS

ROUNDING = 1e-12
"""A standard error below this share of the scores is what rounding leaves of none at all."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Score of the challenger minus that of the champion.

    Attributes
    ----------
    lower, upper
        Two-sided 95 % confidence interval; None where the rows tell nothing about it.
    p_value
        Two-sided, of no difference; below 0.05 exactly where the interval leaves out 0.
    """

    value: float
    lower: float | None = None
    upper: float | None = None
    p_value: float | None = None


def student_difference(
    value: float, error: float, *, rows: int, scale: float, span: float = math.inf
) -> Difference:
    """Return a difference with Student's interval and test.

    Parameters
    ----------
    error
        Standard error of `value`.
    rows
        Pairs of rows behind it; below `MINIMUM_ROWS` they say too little about the error.
    scale
        Size of the two scores, for which `error` may be no more than rounding.
    span
        The largest difference that there can be.

    Examples
    --------
    >>> d = student_difference(-0.02, 0.01, rows=101, scale=1.7, span=1)
    >>> round(d.lower, 4), round(d.upper, 4), round(d.p_value, 4)
    (-0.0398, -0.0002, 0.0482)
    """
    if rows < MINIMUM_ROWS or not math.isfinite(error) or error <= ROUNDING * scale:
        return Difference(value)
    half = float(stdtrit(rows - 1, 0.975)) * error
    p_value = 2 * float(stdtr(rows - 1, -abs(value) / error))
    return Difference(value, max(-span, value - half), min(span, value + half), p_value)
