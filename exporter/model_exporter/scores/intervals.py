"""Two-sided 95 % confidence intervals, and the estimates that carry them.

Rows are taken as independent. Repeated rows (the same user, retries) make every interval here too
narrow, by the root of the mean number of repetitions.
"""

import math
from collections.abc import Sequence

from model_exporter.records import Estimate
from model_exporter.scores.statistics import Moments

Z = 1.959963984540054
"""97.5 % quantile of the normal distribution."""

MINIMUM_ROWS = 5
"""Fewer rows tell too little about the spread of a mean for an interval."""

Bounds = tuple[float, float]


def bounded(value: float, bounds: Bounds | None) -> Estimate | None:
    """Return an estimate; None if its value is not finite, without bounds if they are not."""
    if not math.isfinite(value):
        return None
    if bounds is None or not all(map(math.isfinite, bounds)):
        return Estimate(value)
    # Rounding may put an end on the wrong side of the value.
    return Estimate(value, min(bounds[0], value), max(bounds[1], value))


def wilson(ratio: float, trials: float) -> Bounds:
    """Return Wilson's score interval of a ratio; `trials` may be fractional (an effective size).

    Coverage is 93 to 97 % wherever about five rows of the rarer outcome are expected, and
    oscillates below. Wilson, J. Amer. Statist. Assoc. 22 (1927) 209-212.

    Examples
    --------
    >>> [round(end, 4) for end in wilson(0.9, 100)]
    [0.8256, 0.9448]
    """
    square = Z * Z / trials
    middle = ratio + square / 2
    half = Z * math.sqrt(ratio * (1 - ratio) / trials + square / trials / 4)
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def proportion(successes: int, trials: int) -> Estimate | None:
    """Return successes / trials with Wilson's interval; None without trials."""
    if not trials:
        return None
    return bounded(successes / trials, wilson(successes / trials, trials))


def mean_of(parts: Sequence[Estimate | None], *, count: int, widening: float = 1.0) -> Estimate:
    """Return the mean of estimates over `count` classes; None counts as a sure 0.

    Independent estimates need no `widening`. The ends come from those of the parts by the method
    of variance estimates recovery (Zou and Donner, Statist. Med. 27 (2008) 1693-1702), which
    keeps their asymmetry near 0 and 1.
    """
    known = [part for part in parts if part is not None]
    value = sum(part.value for part in known) / count
    below = math.hypot(*(part.value - _or(part.lower, 0.0) for part in known)) / count * widening
    above = math.hypot(*(_or(part.upper, 1.0) - part.value for part in known)) / count * widening
    return Estimate(value, max(0.0, value - below), min(1.0, value + above))


def positive_mean(losses: Moments) -> Estimate | None:
    """Return the mean of losses that are never negative; None without rows.

    The interval is Student's on the log scale (delta method): it stays positive and covers better
    than the plain one where losses are skewed.
    """
    if not losses.count:
        return None
    mean = losses.total / losses.count
    error = standard_error(losses)
    if error is None:
        return bounded(mean, None)
    return bounded(mean, log_bounds(mean, error, losses.count))


def mean(values: Moments) -> Estimate | None:
    """Return the mean of values of either sign with Student's interval; None without rows.

    Coverage at 50, 500 and 5,000 rows is 95 % for normal values and 94 to 95 % for exponential
    ones. Where a few large amounts decide, a small sample has too few of them to know: 89, 94 and
    95 % for lognormal amounts, 82, 93 and 95 % where nine amounts of ten are 0.
    """
    if not values.count:
        return None
    value = values.total / values.count
    error = standard_error(values)
    if error is None:
        return bounded(value, None)
    half = student(values.count - 1) * error
    return bounded(value, (value - half, value + half))


def log_bounds(value: float, error: float, count: int) -> Bounds | None:
    """Return Student's interval on the log scale of a value that is never negative."""
    if value <= 0:
        return (0.0, 0.0)
    exponent = student(count - 1) * error / value
    # Beyond this the rows say nothing about the order of magnitude.
    return (value * math.exp(-exponent), value * math.exp(exponent)) if exponent < 10 else None


def standard_error(values: Moments) -> float | None:
    """Return the standard error of a mean; None below `MINIMUM_ROWS` or where sums overflowed."""
    if values.count < MINIMUM_ROWS:
        return None
    squares = values.total_squares - values.total * (values.total / values.count)
    return root(squares / (values.count - 1) / values.count)


def root(square: float) -> float | None:
    """Return the root; 0 where rounding made the square negative, None where it overflowed."""
    return math.sqrt(max(0.0, square)) if math.isfinite(square) else None


def student(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t, within 0.001 from 4 degrees of freedom on.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.

    Examples
    --------
    >>> round(student(9), 3)
    2.262
    """
    z2 = Z * Z
    return Z * (
        1
        + (z2 + 1) / (4 * degrees)
        + ((5 * z2 + 16) * z2 + 3) / (96 * degrees**2)
        + (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * degrees**3)
        + ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / (92160 * degrees**4)
    )


def _or(end: float | None, default: float) -> float:
    return default if end is None else end
