"""Bulk counting: one column of captured values into the counts of one feature."""

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import (
    INVALID,
    MISSING,
    CategoricalDistribution,
    Distribution,
    NumericDistribution,
    category_text,
)
from model_exporter.records import InvalidReason
from model_exporter.sidecar.labels import Lookup

Column = Sequence[Any] | NDArray[Any]

REASONS = tuple(InvalidReason)
OUT_OF_RANGE = REASONS.index(InvalidReason.OUT_OF_RANGE)
UNSEEN = REASONS.index(InvalidReason.UNSEEN)
TYPE = REASONS.index(InvalidReason.TYPE)
CONSTRAINT = REASONS.index(InvalidReason.CONSTRAINT)
NOT_FINITE = REASONS.index(InvalidReason.NOT_FINITE)

BLOCK = 32_768
"""Rows counted at a time: 20 columns of them take 5 MB. In smaller blocks the hundreds of numpy
calls a block show, in greater ones little is gained."""


CONVERSION_ERRORS = (Exception,)
"""What a value that is not a number raises when it is made one: it may be any object, and a tensor
of two elements raises RuntimeError. Let through, it would cost the counts of all other rows."""


class _NotCaptured:
    """Stands for the values of a row that could not be read at all."""

    def __repr__(self) -> str:
        return "NOT_CAPTURED"


NOT_CAPTURED = _NotCaptured()


class ColumnCounts:
    """Counts of one column of one feature.

    Attributes
    ----------
    values, missing
        Values captured, and how many of them were missing.
    invalid
        How many were invalid, in the order of `InvalidReason`.
    bins
        How many fell into each bin.
    """

    __slots__ = ("bins", "invalid", "missing", "values")

    def __init__(self, values: int, missing: int, invalid: list[int], bins: Any) -> None:
        self.values = values
        self.missing = missing
        self.invalid = invalid
        self.bins = bins


class Numbers:
    """A column as float64; what is not a number is NaN and counted apart.

    Attributes
    ----------
    wrong
        Places of the values of another type.
    skipped
        How many values were not captured.
    """

    __slots__ = ("array", "skipped", "wrong")

    def __init__(self, array: NDArray[np.float64], wrong: Sequence[int], skipped: int) -> None:
        self.array = array
        self.wrong = wrong
        self.skipped = skipped


def as_numpy(values: Any) -> Any:
    """Return a column of pandas, polars or Arrow as an array; anything else as it is."""
    if not hasattr(values, "to_numpy"):
        return values
    if hasattr(values, "null_count") and hasattr(values, "to_pylist"):
        # An Arrow array refuses to copy unless told to, and knows no NaT or None as such.
        return values.to_numpy(zero_copy_only=False)
    return values.to_numpy()


def numbers(column: Column) -> Numbers:
    """Read a column of numbers, fast where it holds nothing else.

    `struct.pack` converts a list about three times as fast as `numpy.array`, and refuses text,
    which numpy would parse.
    """
    if isinstance(column, np.ndarray):
        if column.dtype.kind in "fiub":
            return Numbers(column.astype(np.float64, copy=False), (), 0)
        # As integers, dates would pass for numbers.
        return _numbers_of_list(
            column.astype(str if column.dtype.kind in "mM" else object).tolist()
        )
    return _numbers_of_list(column)


def _numbers_of_list(column: Sequence[Any]) -> Numbers:
    try:
        return Numbers(_packed(column), (), 0)
    except CONVERSION_ERRORS:
        pass
    try:
        return Numbers(_packed([math.nan if v is None else v for v in column]), (), 0)
    except CONVERSION_ERRORS:
        return _cleaned(column)


def _packed(column: Sequence[Any]) -> NDArray[np.float64]:
    return np.frombuffer(struct.pack(f"{len(column)}d", *column))


def _cleaned(column: Sequence[Any]) -> Numbers:
    found = [_number(value) for value in column]
    skipped = sum(value is NOT_CAPTURED for value in column)
    wrong = [place for place, number in enumerate(found) if number is None]
    clean = [math.nan if number is None else number for number in found]
    return Numbers(np.array(clean, dtype=np.float64), wrong, skipped)


def _number(value: Any) -> float | None:
    """Return a value as float, NaN if it is missing, None if it is of another type."""
    if value is None or value is NOT_CAPTURED:
        return math.nan
    if isinstance(value, str):
        return None if value.strip() else math.nan
    if isinstance(value, np.ndarray):
        value = value.item() if value.size == 1 else "an array"
    if not hasattr(type(value), "__float__"):
        return math.nan if category_text(value) is None else None  # NaT and pandas.NA
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except CONVERSION_ERRORS:
        return None


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))


class NumericBins:
    """Counts a numeric column in the bins of the baseline."""

    def __init__(self, distribution: NumericDistribution) -> None:
        self.names = distribution.bins
        self.edges = distribution.edges
        self.minimum = distribution.minimum
        self.maximum = distribution.maximum

    def count(self, column: Column) -> ColumnCounts:
        """Count a column; infinities and missing values are in no bin."""
        read = numbers(column)
        x = read.array
        index = self._index(read)
        invalid = [0] * len(REASONS)
        invalid[OUT_OF_RANGE] = _count((x < self.minimum) | (x > self.maximum)) - _count(
            np.isinf(x)
        )
        invalid[TYPE] = len(read.wrong)
        wrong, missing, *bins = np.bincount(
            index - INVALID, minlength=self.edges.size + 1 - INVALID
        ).tolist()
        invalid[NOT_FINITE] = wrong - len(read.wrong)
        return ColumnCounts(x.size - read.skipped, missing - read.skipped, invalid, bins)

    def index(self, column: Column) -> NDArray[np.int64]:
        """Return the bin of each value, `MISSING` or `INVALID`."""
        return self._index(numbers(column))

    def _index(self, read: Numbers) -> NDArray[np.int64]:
        index = np.searchsorted(self.edges, read.array, side="right").astype(np.int64)
        index[np.isnan(read.array)] = MISSING
        index[np.isinf(read.array)] = INVALID
        index[list(read.wrong)] = INVALID
        return index


class CategoricalBins:
    """Counts a categorical column in the categories of the baseline."""

    def __init__(
        self,
        distribution: CategoricalDistribution,
        *,
        text: Callable[[Any], str | None] = category_text,
    ) -> None:
        self._text = text
        self.names = distribution.bins
        self._places = {text: i for i, text in enumerate(distribution.categories)}
        self._other = len(distribution.categories)
        self._lookup = Lookup(self._resolve)

    def count(self, column: Column) -> ColumnCounts:
        """Count a column; an unseen category is invalid and in the bin of all others."""
        found = np.array(self._find(column), dtype=np.int64)
        counts = np.bincount(found - SKIPPED, minlength=self._other + 1 - SKIPPED).tolist()
        skipped, wrong, missing, *bins = counts
        invalid = [0] * len(REASONS)
        invalid[UNSEEN] = bins[self._other]
        invalid[TYPE] = wrong
        return ColumnCounts(len(found) - skipped, missing, invalid, bins)

    def index(self, column: Column) -> NDArray[np.int64]:
        """Return the bin of each value, `MISSING` or `INVALID`."""
        found = np.array(self._find(column), dtype=np.int64)
        found[found == SKIPPED] = MISSING
        return found

    def _find(self, column: Column) -> list[int]:
        return self._lookup(column.tolist() if isinstance(column, np.ndarray) else column)

    def _resolve(self, value: Any) -> int:
        if value is NOT_CAPTURED:
            return SKIPPED
        if isinstance(value, (list, tuple, dict, set, bytes, np.ndarray)):
            return INVALID
        try:
            text = self._text(value)
        except Exception:  # whatever its text raises, the other rows count
            return INVALID
        return MISSING if text is None else self._places.get(text, self._other)


SKIPPED = INVALID - 1
"""Place of a value that was not captured; the lowest, so that counts can start there."""


def bins_of(
    distribution: Distribution, *, text: Callable[[Any], str | None] = category_text
) -> NumericBins | CategoricalBins:
    """Return the counter for a distribution of either kind; `text` names categories."""
    if isinstance(distribution, NumericDistribution):
        return NumericBins(distribution)
    return CategoricalBins(distribution, text=text)
