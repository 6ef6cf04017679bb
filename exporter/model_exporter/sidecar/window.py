"""The newest predictions, for gauges that describe what the model says just now."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)

Floats = NDArray[np.float64]


class Digest(NamedTuple):
    """A window's statistics; those of several processes can be pooled.

    Attributes
    ----------
    rows, mean, squares
        Number and mean of the finite values, and the sum of their squared deviations.
    values, weights
        Values that stand for all, and how many each stands for.
    classes
        How often each class was predicted, by slot.
    """

    rows: float
    mean: float
    squares: float
    values: Floats
    weights: Floats
    classes: Floats

    def with_classes(self, classes: Floats) -> "Digest":
        """Return the digest with the classes in other slots."""
        return self._replace(classes=classes)

    @property
    def stddev(self) -> float:
        """Standard deviation of the values."""
        return math.sqrt(self.squares / self.rows)

    def quantiles(self) -> list[float]:
        """Return the values at `LEVELS`, interpolated; `numpy.quantile` where all weights are 1."""
        order = np.argsort(self.values)
        values, weights = self.values[order], self.weights[order]
        middles = np.cumsum(weights) - (weights + weights[0]) / 2
        return list(np.interp(np.array(LEVELS) * middles[-1], middles, values).tolist())


NOTHING = np.zeros(0)
EMPTY = Digest(0, 0.0, 0.0, NOTHING, NOTHING, NOTHING)


def pooled(digests: Sequence[Digest]) -> Digest:
    """Return the digest of all rows together; every `classes` has the same length."""
    classes = np.sum([digest.classes for digest in digests], axis=0)
    filled = [digest for digest in digests if digest.rows]
    if len(filled) < 2:
        return (filled[0] if filled else EMPTY).with_classes(classes)
    rows = sum(digest.rows for digest in filled)
    mean = sum(digest.rows * digest.mean for digest in filled) / rows
    squares = sum(d.squares + d.rows * (d.mean - mean) ** 2 for d in filled)
    values = np.concatenate([digest.values for digest in filled])
    weights = np.concatenate([digest.weights for digest in filled])
    return Digest(rows, mean, squares, values, weights, classes)


class Window:
    """A ring of the newest predictions.

    Parameters
    ----------
    rows
        How many predictions it holds.
    nanoseconds
        How old a prediction may be when it is read.
    """

    def __init__(self, rows: int, nanoseconds: int) -> None:
        self._nanoseconds = nanoseconds
        self._rows = rows
        self.reset()

    def reset(self) -> None:
        """Forget every prediction."""
        self._next = 0
        self._ends = np.full(self._rows, -np.inf)
        self._values = np.full(self._rows, np.nan)
        self._classes = np.full(self._rows, -1, dtype=np.int64)

    def add(self, ends: Floats, values: Floats, classes: NDArray[np.int64]) -> None:
        """Add predictions, oldest first: when each ended, its value or NaN, its class or -1."""
        ends, values, classes = ends[-self._rows :], values[-self._rows :], classes[-self._rows :]
        before_end = self._rows - self._next
        for ring, new in (
            (self._ends, ends),
            (self._values, values),
            (self._classes, classes),
        ):
            ring[self._next : self._next + new.size] = new[:before_end]
            ring[: max(new.size - before_end, 0)] = new[before_end:]
        self._next = (self._next + ends.size) % self._rows

    def digest(self, now_ns: int, classes: int, *, limit: int | None = None) -> Digest:
        """Return the statistics of the predictions that are not too old.

        Parameters
        ----------
        classes
            Number of slots of classes.
        limit
            How many values stand for all, at equal distances in rank; None keeps every value.
        """
        recent = self._ends >= now_ns - self._nanoseconds
        values = self._values[recent & np.isfinite(self._values)]
        named = self._classes[recent & (self._classes >= 0)]
        counts = np.bincount(named, minlength=classes).astype(np.float64)
        if not values.size:
            return EMPTY.with_classes(counts)
        rows, mean = values.size, float(values.mean())
        squares = float(((values - mean) ** 2).sum())
        if limit is not None and rows > limit:
            values = np.quantile(values, (np.arange(limit) + 0.5) / limit)
        weights = np.full(values.size, rows / values.size)
        return Digest(rows, mean, squares, values, weights, counts)
