"""How far data is from a reference: the population stability index, and whether it is noise."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from model_exporter.distribution import (
    CategoricalDistribution,
    Distribution,
    NumericDistribution,
    category_text,
    numeric_values,
)
from model_exporter.drift.comparison import Comparison
from model_exporter.drift.psi import psi

TOLERANCE = 0.01
SIGNIFICANCE = 0.01


class DataDrift(float):
    """The greatest population stability index of what was compared: a number, 0 without drift.

    Attributes
    ----------
    psi
        By feature; ``""`` is the prediction.
    comparisons
        What was compared, by feature.

    Notes
    -----
    The index alone misleads with few rows: without any drift its mean is (bins - 1) (1/n + 1/m).
    `detected` tells drift from noise.
    """

    psi: Mapping[str, float]
    comparisons: Mapping[str, Comparison]

    @classmethod
    def of(cls, comparisons: Mapping[str, Comparison]) -> Self:
        """Return the drift of what was compared; what has no value on a side is left out."""
        found = {name: psi(each) for name, each in comparisons.items()}
        known = {name: result.value for name, result in found.items() if result is not None}
        drift = cls(max(known.values(), default=0.0))
        drift.psi, drift.comparisons = known, comparisons
        return drift

    def detected(
        self, *, tolerance: float = TOLERANCE, significance: float = SIGNIFICANCE
    ) -> dict[str, bool]:
        """Return by feature whether it has drifted beyond the tolerance; needs scipy.

        Parameters
        ----------
        tolerance
            Drift to live with, as a chi-squared divergence; see `drift.detect`.
        significance
            Chance of a false alarm by this look, over all features together.
        """
        from model_exporter.drift.detect import detect

        level = significance / max(1, len(self.psi))
        verdicts = {
            name: detect(self.comparisons[name], tolerance=tolerance, significance=level)
            for name in self.psi
        }
        return {
            name: verdict is not None and verdict.detected for name, verdict in verdicts.items()
        }

    def __repr__(self) -> str:
        return f"DataDrift({float(self)}, psi={dict(self.psi)})"


def compared(reference: Distribution, column: Any) -> Comparison:
    """Compare a column with a reference."""
    if isinstance(reference, NumericDistribution):
        values = numeric_values(column)
        index = reference.bin_index(values)
        counts = np.bincount(index[index >= 0], minlength=len(reference.bins))
        return Comparison.numeric(reference, counts, values)
    texts = [text for text in map(category_text, column) if text is not None]
    names, counts = np.unique(np.array(texts, dtype=np.str_), return_counts=True)
    return Comparison.categorical(
        reference, dict(zip(names.tolist(), counts.tolist(), strict=True))
    )


def compared_counts(reference: Distribution, counts: Mapping[str, float]) -> Comparison:
    """Compare the counts of a reference's bins, by their names, with it."""
    if isinstance(reference, NumericDistribution):
        return Comparison.numeric(reference, [int(counts[name]) for name in reference.bins])
    return Comparison.categorical(reference, {name: int(count) for name, count in counts.items()})


def fitted(column: Any, *, numeric: bool) -> Distribution:
    """Return a column as a reference."""
    if numeric:
        return NumericDistribution.fit(numeric_values(column), max_values=0)
    return CategoricalDistribution.fit(list(column), max_categories=100)
