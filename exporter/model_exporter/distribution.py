"""The frozen distribution of one column, and the bins that later values are counted in.

Bins are chosen once, from the reference, and never again: the sidecar, the job and the dashboards
count in the same bins, so that their counts can be added and compared.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_exporter.errors import BaselineError
from model_exporter.records import OTHER

MISSING = -1
"""Bin index of a missing value."""
INVALID = -2
"""Bin index of a value of another type, or of one that is not finite."""

TRUTHS = frozenset({"true", "false"})
OPPOSITES = {"1": "0", "0": "1"}  # where only the positive class is known

DECILES = np.arange(1, 10) / 10
DIGITS = 12
"""Interpolated deciles can lie one ulp beside a tied data value and move the whole tie to the next
bin; twelve digits put them back on it."""


def category_text(value: object) -> str | None:
    """Text of a category, class or label, the same however the value was stored; None if missing.

    `1`, `1.0`, ``"1"`` and ``"1.0"`` are one category, and so are True and ``"True"``: the same
    column comes as integers from one file and, because of one missing value, as floats or text
    from the next.

    Examples
    --------
    >>> [category_text(v) for v in (1, 1.0, "1.0", True, " sun", float("nan"), None, "")]
    ['1', '1', '1', 'True', 'sun', None, None, None]
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _category_of_text(value.strip())
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if math.isnan(number):
            return None
        return str(int(number)) if number.is_integer() else repr(number)
    text = str(value)  # NaT and pandas.NA say so themselves; Decimal keeps its zeros
    return None if text in {"NaT", "<NA>"} else _category_of_text(text)


def class_texts(
    columns: Iterable[ArrayLike], *, positive_label: str | None, classes: Iterable[str] = ()
) -> list[NDArray[np.object_]]:
    """Return columns of labels or predictions as `category_text`, each of shape (n,).

    With a `positive_label` (a binary model), True and False become the classes they stand for:
    one table says 1 and the next True. `classes` names classes that the columns may lack.

    Examples
    --------
    >>> [texts.tolist() for texts in class_texts([[True, False], [0, 1]], positive_label="1")]
    [['1', '0'], ['0', '1']]
    """
    texts = [_texts(column) for column in columns]
    if positive_label is None or positive_label.lower() in TRUTHS:
        return texts
    found = {text for column in texts for text in column if text is not None} | set(classes)
    spoken = {text for text in found if text.lower() in TRUTHS}
    others = found - spoken - {positive_label}
    negative = others.pop() if len(others) == 1 else OPPOSITES.get(positive_label)
    if negative is None or not spoken:
        return texts
    names = {text: positive_label if text.lower() == "true" else negative for text in spoken}
    for column in texts:
        column[:] = [names.get(text, text) for text in column]
    return texts


def numeric_values(column: ArrayLike) -> NDArray[np.float64]:
    """Return a column as float64; None and empty text become NaN, other text is refused."""
    array = np.asarray(column)
    if array.dtype.kind not in "OUS":
        return array.astype(np.float64)
    return np.array(
        [math.nan if v is None or v == "" else float(v) for v in array.tolist()], dtype=np.float64
    )


@dataclass(frozen=True, slots=True, eq=False)
class NumericDistribution:
    """Bins, counts and moments of a numeric column; missing and infinite values apart.

    Attributes
    ----------
    edges
        Inner bin edges, ascending, shape (k,): the unique deciles of the reference. Bin i is
        [edges[i-1], edges[i]), the outer bins are open to infinity.
    counts
        Reference rows per bin, shape (k + 1,).
    values, value_counts
        The distinct reference values, ascending, and how often each occurred; empty where the
        baseline was told to keep none. More than `max_values` distinct values are thinned to
        that many evenly spaced order statistics.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    missing: int
    minimum: float
    maximum: float
    mean: float
    standard_deviation: float
    values: NDArray[np.float64]
    value_counts: NDArray[np.int64]

    kind = "numeric"

    @classmethod
    def fit(cls, column: ArrayLike, *, max_values: int) -> Self:
        """Fit on a reference column, shape (n,)."""
        raw = numeric_values(column)
        data = np.sort(raw[np.isfinite(raw)])
        if not data.size:
            raise BaselineError(
                "a numeric column of the reference holds no finite value; leave it out of "
                "`features` or give a reference that has it"
            )
        edges = np.unique([float(f"{q:.{DIGITS}g}") for q in np.quantile(data, DECILES)])
        values, value_counts = np.unique(data, return_counts=True)
        if values.size > max_values:
            kept = np.round(np.linspace(0, data.size - 1, max_values)).astype(np.int64)
            values, value_counts = np.unique(data[kept], return_counts=True)
        return cls(
            edges=edges,
            counts=np.bincount(
                np.searchsorted(edges, data, side="right"), minlength=edges.size + 1
            ).astype(np.int64),
            missing=int(raw.size - data.size),
            minimum=float(data[0]),
            maximum=float(data[-1]),
            mean=float(data.mean()),
            standard_deviation=float(data.std()),
            values=values,
            value_counts=value_counts.astype(np.int64),
        )

    @property
    def bins(self) -> tuple[str, ...]:
        """Name of each bin, as in the label `bin`."""
        texts = [f"{e:.6g}" for e in self.edges.tolist()]
        if len(set(texts)) < len(texts):
            texts = [repr(e) for e in self.edges.tolist()]
        starts, ends = ["-Inf", *texts], [*texts, "+Inf"]
        return tuple(
            f"{'[' if i else '('}{a},{b})"
            for i, (a, b) in enumerate(zip(starts, ends, strict=True))
        )

    def bin_index(self, column: ArrayLike) -> NDArray[np.int64]:
        """Return the bin of each value; `MISSING` for NaN, `INVALID` for infinities."""
        data = numeric_values(column)
        index = np.searchsorted(self.edges, data, side="right").astype(np.int64)
        index[np.isnan(data)] = MISSING
        index[np.isinf(data)] = INVALID
        return index

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the baseline file."""
        return {
            "kind": self.kind,
            "edges": self.edges.tolist(),
            "counts": self.counts.tolist(),
            "missing": self.missing,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "mean": self.mean,
            "standard_deviation": self.standard_deviation,
            "values": self.values.tolist(),
            "value_counts": self.value_counts.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            edges=np.array(data["edges"], dtype=np.float64),
            counts=np.array(data["counts"], dtype=np.int64),
            missing=data["missing"],
            minimum=data["minimum"],
            maximum=data["maximum"],
            mean=data["mean"],
            standard_deviation=data["standard_deviation"],
            values=np.array(data["values"], dtype=np.float64),
            value_counts=np.array(data["value_counts"], dtype=np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CategoricalDistribution:
    """Categories of the reference and their counts; missing values apart.

    The last bin, `OTHER`, collects categories that the reference has not seen.
    """

    categories: tuple[str, ...]
    counts: NDArray[np.int64]
    missing: int

    kind = "categorical"

    @classmethod
    def fit(cls, column: Iterable[object], *, max_categories: int) -> Self:
        """Fit on a reference column; the rarest beyond `max_categories` count as `OTHER`."""
        totals: dict[str, int] = {}
        missing = 0
        for text in map(category_text, column):
            if text is None:
                missing += 1
            else:
                totals[text] = totals.get(text, 0) + 1
        if not totals:
            raise BaselineError(
                "a categorical column of the reference holds no value; leave it out of "
                "`features` or give a reference that has it"
            )
        by_count = sorted(totals, key=lambda category: (-totals[category], category))
        kept = sorted(by_count[:max_categories])
        other = sum(totals[category] for category in by_count[max_categories:])
        counts = np.array([*(totals[c] for c in kept), other], dtype=np.int64)
        return cls(categories=tuple(kept), counts=counts, missing=missing)

    @property
    def bins(self) -> tuple[str, ...]:
        """Name of each bin, as in the label `bin`."""
        return (*self.categories, OTHER)

    def bin_index(self, column: Iterable[object]) -> NDArray[np.int64]:
        """Return the bin of each value; `MISSING` for None and NaN."""
        places = {category: i for i, category in enumerate(self.categories)}
        other = len(self.categories)
        texts = map(category_text, column)
        return np.array(
            [MISSING if text is None else places.get(text, other) for text in texts],
            dtype=np.int64,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the baseline file."""
        return {
            "kind": self.kind,
            "categories": list(self.categories),
            "counts": self.counts.tolist(),
            "missing": self.missing,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            categories=tuple(data["categories"]),
            counts=np.array(data["counts"], dtype=np.int64),
            missing=data["missing"],
        )


Distribution = NumericDistribution | CategoricalDistribution


def distribution_from_json(data: Mapping[str, Any]) -> Distribution:
    """Read a distribution of either kind."""
    if data["kind"] == NumericDistribution.kind:
        return NumericDistribution.from_json(data)
    return CategoricalDistribution.from_json(data)


def _category_of_text(text: str) -> str | None:
    whole, point, zeros = text.partition(".")
    if point and zeros and not zeros.strip("0") and whole.lstrip("-").isdecimal():
        text = whole
    return text or None


def _texts(column: ArrayLike) -> NDArray[np.object_]:
    array = np.asarray(column)
    if array.dtype.kind == "O":
        return np.array([category_text(value) for value in array.tolist()], dtype=np.object_)
    # Millions of rows hold a few classes: normalise each once.
    values, inverse = np.unique(array, return_inverse=True)
    texts = np.array([category_text(value) for value in values.tolist()], dtype=np.object_)
    return texts[inverse]
