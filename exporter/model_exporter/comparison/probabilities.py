"""Influences on the scores of probabilities: losses, and areas under curves."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model_exporter.comparison.influence import (
    Floats,
    Influenced,
    Scores,
    average,
    known,
    mean,
)
from model_exporter.scores.inner import inner
from model_exporter.scores.statistics import EPSILON

Ints = NDArray[np.int64]


def probability_influences(labels: Ints, scores: Floats, places: Sequence[int]) -> Scores:
    """Return the scores of some rows' probabilities, with the influence of each row.

    The areas under the ROC curve are DeLong's: their influences are his structural components.
    Calibration error is left out: it has no derivative where a bin is well calibrated.

    Parameters
    ----------
    labels
        Index of the label's class, shape (n,).
    scores
        Finite probabilities, shape (n, m).
    places
        Index of the class of each column of `scores`; a single one is the positive class of a
        binary model.

    References
    ----------
    DeLong et al., Biometrics 44 (1988) 837-845.
    """
    truth = labels[:, None] == np.asarray(places)
    if len(places) == 1:
        given = np.where(truth, scores, 1 - scores)[:, 0].clip(EPSILON, 1.0)
        unknown = np.zeros(labels.size)
    else:
        given = np.where(truth, scores, 0.0).sum(axis=1).clip(EPSILON, 1.0)
        # A label outside the known classes got probability 0: its own term is (0 - 1)^2.
        unknown = (~truth.any(axis=1)).astype(np.float64)
    ranked = [(scores[:, i], truth[:, i]) for i in range(len(places))]
    return known(
        {
            ("model_log_loss",): mean(-np.log(given)),
            ("model_brier_score",): mean(((scores - truth) ** 2).sum(axis=1) + unknown),
            ("model_roc_auc",): average([a for s, t in ranked if (a := _area(s, t))]),
            ("model_average_precision",): average(
                [a for s, t in ranked if (a := _precision(s, t))]
            ),
        }
    )


def _area(scores: Floats, truth: NDArray[np.bool_]) -> Influenced | None:
    positives, negatives = np.sort(scores[truth]), np.sort(scores[~truth])
    if not positives.size or not negatives.size:
        return None
    beaten = _below(negatives, scores[truth]) / negatives.size
    beating = 1 - _below(positives, scores[~truth]) / positives.size
    value = float(beaten.mean())
    rows = np.empty(scores.size)
    rows[truth] = (beaten - value) * (scores.size / positives.size)
    rows[~truth] = (beating - value) * (scores.size / negatives.size)
    return Influenced(value, rows)


def _below(sorted_values: Floats, values: Floats) -> Floats:
    """Return how many of the sorted values lie below each value, equal ones counting half."""
    left = np.searchsorted(sorted_values, values, side="left")
    right = np.searchsorted(sorted_values, values, side="right")
    return np.asarray((left + right) / 2)


def _precision(scores: Floats, truth: NDArray[np.bool_]) -> Influenced | None:
    """Return average precision: the mean over positives of the precision at their score."""
    share = truth.mean()
    if not share:
        return None
    values, place = np.unique(scores, return_inverse=True)
    rows = np.bincount(place, minlength=values.size) / scores.size
    hits = np.bincount(place, weights=truth, minlength=values.size) / scores.size
    reached, right = (np.cumsum(part[::-1])[::-1] for part in (rows, hits))
    precision = right / reached
    value = inner(hits, precision) / share
    # A row lowers the precision at its own score and below; a positive one raises it as well.
    lowered = np.cumsum(hits * right / reached**2)
    raised = np.cumsum(hits / reached) + precision - value
    return Influenced(value, (truth * raised[place] - lowered[place]) / share)
