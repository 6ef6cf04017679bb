"""How good a model was on the reference slice, where that had labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import Distribution, numeric_values
from model_exporter.records import Estimate, Task
from model_exporter.reference_errors import ReferenceErrors
from model_exporter.reference_table import ReferenceTable

MAX_SCORES = 10_000
"""Distinct scores kept, as many as values of a numeric column."""

Quality = Mapping[str, Mapping[tuple[str, ...], Estimate]]
"""Scores by family name and values of the family's extra labels."""


@dataclass(frozen=True, slots=True)
class ScoreLabels:
    """Rows by score, ascending: how many were of the class that the score is of, how many not."""

    scores: tuple[float, ...]
    negatives: tuple[int, ...]
    positives: tuple[int, ...]


def judged(
    columns: ReferenceTable,
    *,
    task: Task,
    prediction: str,
    label: str,
    score_columns: Mapping[str, str],
    classes: tuple[str, ...],
    positive_label: str | None,
    distributions: Mapping[str, Distribution],
) -> tuple[Quality, Mapping[str, ScoreLabels], ReferenceErrors]:
    """Return the scores of a reference slice, its rows by score and label, and what to expect.

    Parameters
    ----------
    prediction, label
        Names of columns.
    score_columns
        Names of columns by class, `""` for a binary model's.
    distributions
        Of the features by name, of the prediction under `""`.
    """
    # Imported here: the sidecar loads baselines and must not pay for the scores.
    from model_exporter.estimates.fit import fit_classification, regression_deviations
    from model_exporter.estimates.losses import fit_losses
    from model_exporter.scores import SCORES
    from model_exporter.scores.statistics import (
        ClassificationStatistics,
        ScoreHistogram,
        statistics_from_rows,
    )

    statistics = statistics_from_rows(
        task=task,
        labels=columns[label],
        predictions=columns[prediction],
        scores={c: numeric_values(columns[n]) for c, n in score_columns.items()},
        classes=classes,
        positive_label=positive_label,
    )
    quality = {
        score.name: dict(score.compute(statistics)) for score in SCORES if task in score.tasks
    }
    found = {name: estimates for name, estimates in quality.items() if estimates}
    if not isinstance(statistics, ClassificationStatistics):
        columns_of = {name: name or prediction for name in distributions}
        losses = fit_losses(
            {name: distributions[name].bin_index(columns[c]) for name, c in columns_of.items()},
            distributions,
            numeric_values(columns[prediction]),
            numeric_values(columns[label]),
        )
        return found, {}, ReferenceErrors({}, losses, regression_deviations(statistics))
    score_labels = {
        name: _score_labels(h.scores, h.negatives, h.positives)
        for name, h in statistics.histograms.items()
    }
    # Fitted on what is kept, so that a large reference does not make fitting slow.
    merged = {
        name: ScoreHistogram(*(np.array(getattr(kept, key)) for key in ScoreLabels.__slots__))
        for name, kept in score_labels.items()
    }
    return found, score_labels, fit_classification(replace(statistics, histograms=merged))


def _score_labels(
    scores: NDArray[np.float64], negatives: NDArray[np.int64], positives: NDArray[np.int64]
) -> ScoreLabels:
    """Keep at most `MAX_SCORES` scores: neighbours are merged, under their mean."""
    starts = np.unique(np.linspace(0, scores.size, MAX_SCORES, endpoint=False).astype(np.int64))
    starts = starts[starts < scores.size]
    rows = negatives + positives
    means = np.add.reduceat(scores * rows, starts) / np.add.reduceat(rows, starts)
    return ScoreLabels(
        tuple(np.where(np.diff(starts, append=scores.size) == 1, scores[starts], means).tolist()),
        tuple(np.add.reduceat(negatives, starts).tolist()),
        tuple(np.add.reduceat(positives, starts).tolist()),
    )
