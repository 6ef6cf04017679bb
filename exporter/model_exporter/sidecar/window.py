"""The newest predictions, for gauges that describe what the model says just now."""

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


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

    def add(
        self, ends: NDArray[np.float64], values: NDArray[np.float64], classes: NDArray[np.int64]
    ) -> None:
        """Add predictions, oldest first: when each ended, its value or NaN, its class or -1."""
        ends, values, classes = ends[-self._rows :], values[-self._rows :], classes[-self._rows :]
        places = (self._next + np.arange(ends.size)) % self._rows
        self._ends[places] = ends
        self._values[places] = values
        self._classes[places] = classes
        self._next = int((self._next + ends.size) % self._rows)

    def values(self, now_ns: int) -> NDArray[np.float64]:
        """Return the finite values that are not too old."""
        recent = self._ends >= now_ns - self._nanoseconds
        values: NDArray[np.float64] = self._values[recent & np.isfinite(self._values)]
        return values

    def class_counts(self, now_ns: int, size: int) -> NDArray[np.int64]:
        """Return how often each class was predicted, shape (size,)."""
        recent = (self._ends >= now_ns - self._nanoseconds) & (self._classes >= 0)
        return np.bincount(self._classes[recent], minlength=size)
