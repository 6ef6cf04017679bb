"""What a drift statistic compares: the counts and, where known, the values of two samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_exporter.distribution import (
    CategoricalDistribution,
    NumericDistribution,
    category_text,
)
from model_exporter.records import OTHER

NUMERIC = NumericDistribution.kind
CATEGORICAL = CategoricalDistribution.kind


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A reference and a window of one subject, bin by bin.

    Make one with `Comparison.numeric` or `Comparison.categorical`. Missing and infinite values
    are on neither side.

    Attributes
    ----------
    reference_counts, current_counts
        Rows per bin, both of shape (bins,).
    reference_values, reference_value_counts
        The distinct values of the reference, ascending, and how often each occurred; empty where
        the baseline kept none.
    current_values
        The window's values, ascending, shape (n,); empty where the log has none.
    edges, minimum, maximum
        Inner edges of the bins, shape (bins - 1,), and range of the reference.
    """

    kind: str
    reference_counts: NDArray[np.int64]
    current_counts: NDArray[np.int64]
    reference_values: NDArray[np.float64]
    reference_value_counts: NDArray[np.int64]
    current_values: NDArray[np.float64]
    edges: NDArray[np.float64]
    minimum: float
    maximum: float

    @classmethod
    def numeric(
        cls,
        distribution: NumericDistribution,
        current_counts: ArrayLike,
        current_values: ArrayLike = (),
    ) -> Self:
        """Compare a numeric window; `current_counts` by the bins of the distribution."""
        values = np.asarray(current_values, dtype=np.float64)
        return cls(
            kind=NUMERIC,
            reference_counts=distribution.counts,
            current_counts=np.asarray(current_counts, dtype=np.int64),
            reference_values=distribution.values,
            reference_value_counts=distribution.value_counts,
            current_values=np.sort(values[np.isfinite(values)]),
            edges=distribution.edges,
            minimum=distribution.minimum,
            maximum=distribution.maximum,
        )

    @classmethod
    def categorical(
        cls, distribution: CategoricalDistribution, current_counts: Mapping[str, int]
    ) -> Self:
        """Compare a categorical window, over the union of the categories.

        A category that the reference has not seen is a bin of its own, unless the reference
        counted its own rare categories as `records.OTHER`: nobody can tell then, and it counts
        there too.
        """
        totals = dict.fromkeys((*distribution.categories, OTHER), 0)
        pooled = distribution.counts[-1] > 0
        # In the order of their names: a sum of floats depends on the order in its last bit.
        for category, count in sorted(current_counts.items()):
            text = category_text(category)
            if text is not None:
                name = OTHER if pooled and text not in totals else text
                totals[name] = totals.get(name, 0) + int(count)
        current = np.fromiter(totals.values(), dtype=np.int64, count=len(totals))
        reference = np.zeros(len(totals), dtype=np.int64)
        reference[: distribution.counts.size] = distribution.counts
        used = (reference > 0) | (current > 0)
        nothing = np.empty(0)
        return cls(
            kind=CATEGORICAL,
            reference_counts=reference[used],
            current_counts=current[used],
            reference_values=nothing,
            reference_value_counts=np.empty(0, dtype=np.int64),
            current_values=nothing,
            edges=nothing,
            minimum=float("nan"),
            maximum=float("nan"),
        )

    @property
    def has_values(self) -> bool:
        """Whether both sides know their values, and not only their bins."""
        return bool(self.reference_values.size and self.current_values.size)

    def proportions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return the share of each bin, reference and current; None where a side is empty."""
        reference, current = self.reference_counts.sum(), self.current_counts.sum()
        if not reference or not current:
            return None
        return self.reference_counts / reference, self.current_counts / current


@dataclass(frozen=True, slots=True)
class DriftResult:
    """A drift statistic and, where it has one, its p-value.

    The p-value is the chance of a value at least as large if both samples came from one
    distribution and rows were independent.
    """

    value: float
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class DriftStatistic:
    """A drift statistic.

    Attributes
    ----------
    name, p_value_name
        Families in the catalogue of the value and of the p-value.
    kinds
        Kinds of distribution that it is defined for.
    compute
        Pure function; None where the statistic is undefined.
    """

    name: str
    p_value_name: str | None
    kinds: frozenset[str]
    compute: Callable[[Comparison], DriftResult | None]


ANY_KIND = frozenset({NUMERIC, CATEGORICAL})
NUMERIC_ONLY = frozenset({NUMERIC})
