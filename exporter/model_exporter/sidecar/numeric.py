"""Counts all numeric features at once.

Every numpy operation on more than 500 elements releases the interpreter's lock, and where other
threads keep it busy, each release may cost the five milliseconds until it comes back. One matrix
of all features takes one such operation an edge, whatever the number of features and rows; to
count the True of a row releases nothing, and costs less than to find and count the bin of each.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_exporter.sidecar.columns import (
    CONVERSION_ERRORS,
    NOT_FINITE,
    OUT_OF_RANGE,
    REASONS,
    TYPE,
    Column,
    ColumnCounts,
    Numbers,
    NumericBins,
    numbers,
)


class Odd(NamedTuple):
    """How many values of a column need more than a bin: `above` are +inf, of the infinite ones."""

    nan: int = 0
    infinite: int = 0
    above: int = 0
    outside: int = 0


NO_ODD = Odd()


class NumericFeatures:
    """The numeric features of a baseline, counted together; the same counts as `NumericBins`."""

    def __init__(self, bins: Mapping[str, NumericBins]) -> None:
        self._bins = dict(bins)
        self.names = tuple(bins)
        self._width = max((b.edges.size for b in bins.values()), default=0)
        edges = np.full((len(bins), self._width), math.inf)
        for row, each in zip(edges, bins.values(), strict=True):
            row[: each.edges.size] = each.edges
        self._edges = [edges[:, i : i + 1].copy() for i in range(self._width)]
        self._minima = np.array([b.minimum for b in bins.values()])
        self._maxima = np.array([b.maximum for b in bins.values()])

    def count(self, columns: Mapping[str, Column]) -> Iterator[tuple[str, ColumnCounts]]:
        """Count one column of each feature, all of one length."""
        size = len(columns[next(iter(self._bins))]) if self._bins else 0
        if not size:
            return
        matrix = np.empty((len(self._bins), size))
        read = [_fill(row, columns[name]) for row, name in zip(matrix, self._bins, strict=True)]
        yield from self.count_matrix(matrix, read)

    def count_matrix(
        self, matrix: NDArray[np.float64], read: Sequence[Numbers] | None = None
    ) -> Iterator[tuple[str, ColumnCounts]]:
        """Count a matrix of one row a feature; `read` tells what was odd about each."""
        read = read or [NOTHING_ODD] * len(matrix)
        size = matrix.shape[1]
        reached = np.empty(matrix.shape, dtype=np.bool_)
        totals = [[size] * len(matrix)]  # of each feature, how many values reach each edge
        for edges in self._edges:
            np.greater_equal(matrix, edges, out=reached)
            totals.append([np.count_nonzero(row) for row in reached])
        low, high = matrix.min(axis=1), matrix.max(axis=1)
        clean = ((low >= self._minima) & (high <= self._maxima)).tolist()
        features = zip(self._bins.items(), zip(*totals, strict=True), read, clean, strict=True)
        for i, ((name, bins), reaching, each, is_clean) in enumerate(features):
            odd = NO_ODD if is_clean else _odd(matrix[i], low[i], high[i], bins)
            yield name, _counts(each, reaching, odd, bins=len(bins.names))


def _odd(values: NDArray[np.float64], low: np.float64, high: np.float64, bins: NumericBins) -> Odd:
    """Count values that are in no bin, or out of range; `low` and `high` are NaN if any is."""
    nan = infinite = above = 0
    if not math.isfinite(low) or not math.isfinite(high):
        nan = int(np.count_nonzero(np.isnan(values)))
        above = int(np.count_nonzero(values == math.inf))
        infinite = above + int(np.count_nonzero(values == -math.inf))
    outside = 0 if low >= bins.minimum else int(np.count_nonzero(values < bins.minimum))
    outside += 0 if high <= bins.maximum else int(np.count_nonzero(values > bins.maximum))
    return Odd(nan, infinite, above, outside - infinite)


def _counts(read: Numbers, reaching: Sequence[int], odd: Odd, *, bins: int) -> ColumnCounts:
    size = reaching[0]
    # Infinite and missing values are in no bin; of these, only +inf reaches any edge.
    from_edge = [size - odd.nan - odd.infinite, *(n - odd.above for n in reaching[1:]), 0]
    counts = [n - above for n, above in pairwise(from_edge)]
    invalid = [0] * len(REASONS)
    invalid[NOT_FINITE], invalid[OUT_OF_RANGE] = odd.infinite, odd.outside
    invalid[TYPE] = len(read.wrong)
    missing = odd.nan - len(read.wrong) - read.skipped
    return ColumnCounts(size - read.skipped, missing, invalid, counts[:bins])


NOTHING_ODD = Numbers(np.empty(0), (), 0)


def _fill(row: NDArray[np.float64], column: Column) -> Numbers:
    """Write a column into a row of the matrix; return what was odd about it."""
    if not isinstance(column, np.ndarray):
        try:
            struct.pack_into(f"{row.size}d", row.data, 0, *column)
            return NOTHING_ODD
        except CONVERSION_ERRORS:
            pass
    read = numbers(column)
    row[:] = read.array
    return read
