"""What each row does to a score: the influence function, by which paired scores are compared.

Moving the weight of one row by a little moves a score by its influence. Influences have mean 0,
and their standard deviation over the root of the rows is the standard error of the score. That of
the difference of two scores on the same rows is the difference of the two influences.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Key = tuple[str, ...]
"""Family name of the score, then the values of its extra labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Influenced:
    """A score, and the influence of each row on it, shape (n,)."""

    value: float
    rows: Floats


Scores = Mapping[Key, Influenced]


def mean(values: Floats) -> Influenced:
    """Return a mean of row values."""
    value = float(values.mean())
    return Influenced(value, values - value)


def quotient(numerator: Floats, denominator: Floats) -> Influenced | None:
    """Return the quotient of two means; None where the lower one is 0."""
    below = float(denominator.mean())
    if not below:
        return None
    value = float(numerator.mean()) / below
    return Influenced(value, (numerator - value * denominator) / below)


def average(parts: list[Influenced]) -> Influenced | None:
    """Return the mean of scores on the same rows; None without any."""
    if not parts:
        return None
    value = sum(part.value for part in parts) / len(parts)
    total: Floats = np.sum([part.rows for part in parts], axis=0)
    return Influenced(value, total / len(parts))


def known(scores: Mapping[Key, Influenced | None]) -> Scores:
    """Leave out scores that are undefined or that overflowed."""
    return {
        key: score
        for key, score in scores.items()
        if score is not None and np.isfinite(score.value) and np.isfinite(score.rows).all()
    }
