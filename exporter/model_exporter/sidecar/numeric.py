"""Counts all numeric features at once.

Every numpy operation on more than 500 elements releases the interpreter's lock, and where other
threads keep it busy, each release may cost the five milliseconds until it comes back. One matrix
of all features takes some 25 operations, whatever the number of features and rows.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence

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
        # Each feature has a place for every bin and one for values that are in none.
        self._places = self._width + 2
        self._starts = np.arange(len(bins))[:, np.newaxis] * self._places
        self._dtype = np.min_scalar_type(self._places)

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
        index = np.zeros(matrix.shape, dtype=self._dtype)
        for edges in self._edges:
            index += matrix >= edges
        low, high = matrix.min(axis=1), matrix.max(axis=1)
        clean = ((low >= self._minima) & (high <= self._maxima)).tolist()
        invalid = [
            [0] * len(REASONS) if fine else self._odd(i, matrix, index)
            for i, fine in enumerate(clean)
        ]
        flat = (index + self._starts).ravel()
        counts = np.bincount(flat, minlength=self._starts.size * self._places)
        table = counts.reshape(-1, self._places).tolist()
        for i, (name, bins) in enumerate(self._bins.items()):
            yield name, _counts(read[i], size, table[i], invalid[i], bins=len(bins.names))

    def _odd(
        self, i: int, matrix: NDArray[np.float64], index: NDArray[np.unsignedinteger]
    ) -> list[int]:
        """Take a feature's values that are in no bin out of the index; return its invalid ones."""
        values = matrix[i]
        infinite = np.isinf(values)
        index[i][infinite | np.isnan(values)] = self._places - 1
        outside = (values < self._minima[i]) | (values > self._maxima[i])
        invalid = [0] * len(REASONS)
        invalid[NOT_FINITE] = int(np.count_nonzero(infinite))
        invalid[OUT_OF_RANGE] = int(np.count_nonzero(outside)) - invalid[NOT_FINITE]
        return invalid


def _counts(
    read: Numbers, size: int, places: list[int], invalid: list[int], *, bins: int
) -> ColumnCounts:
    invalid[TYPE] = len(read.wrong)
    not_missing = invalid[NOT_FINITE] + len(read.wrong) + read.skipped
    return ColumnCounts(size - read.skipped, places[-1] - not_missing, invalid, places[:bins])


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
