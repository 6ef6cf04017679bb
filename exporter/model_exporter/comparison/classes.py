"""Slopes of the scores of a confusion matrix, by its margins."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model_exporter.comparison.influence import Floats, Key
from model_exporter.scores.confusion import margins, present, slopes_of

STEP = 1e-3
"""Rows by which a margin is moved to see the scores follow."""

Confusion = NDArray[np.int64] | Floats


def class_scores(confusion: Confusion, *, binary: bool) -> dict[Key, float]:
    """Return the scores of a confusion matrix, labels first; undefined ones are absent.

    Precision, recall and F1 are those of the positive class (the second) of a binary model, and
    the macro averages of a multiclass one.

    Examples
    --------
    >>> import numpy as np
    >>> found = class_scores(np.array([[3, 1], [2, 4]]), binary=True)
    >>> found["model_accuracy_ratio",], found["model_precision_ratio", "binary"]
    (0.7, 0.8)
    """
    parts = np.stack(margins(confusion)).astype(np.float64)
    found = _scores(parts, confusion, binary=binary)
    return {key: float(value) for key, value in found.items() if np.isfinite(value)}


def class_slopes(smooth: Floats, confusion: Confusion, *, binary: bool) -> Mapping[Key, Floats]:
    """Return the derivatives of each score by each cell of a smoothed matrix, shape (k, k).

    `confusion` says which classes take part. Not finite where there is no derivative.
    """
    parts = np.stack(margins(smooth))
    steps = STEP * np.eye(parts.size).reshape(parts.size, *parts.shape)
    above = _scores(parts + steps, confusion, binary=binary)
    below = _scores(parts - steps, confusion, binary=binary)
    with np.errstate(invalid="ignore"):
        slopes = {key: (above[key] - below[key]) / (2 * STEP) for key in above}
    return {key: slopes_of(*slope.reshape(parts.shape)) for key, slope in slopes.items()}


def _scores(parts: Floats, confusion: Confusion, *, binary: bool) -> dict[Key, Floats]:
    """Return the scores by rows right, labelled, predicted, shape (..., 3, k); NaN: undefined."""
    right, labelled, predicted = np.moveaxis(parts, -2, 0)
    rows = labelled.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = right / predicted, right / labelled
        f1 = 2 * right / (labelled + predicted)
        judged = np.asarray(confusion).sum(axis=1) > 0
        judged |= binary  # without labels of one class it is undefined
        expected = (labelled * predicted).sum(axis=-1)
        spread = (labelled * (rows[..., None] - labelled)).sum(axis=-1)
        spread = spread * (predicted * (rows[..., None] - predicted)).sum(axis=-1)
        mcc = (right.sum(axis=-1) * rows - expected) / np.sqrt(spread)
        found = {
            ("model_accuracy_ratio",): right.sum(axis=-1) / rows,
            ("model_balanced_accuracy_ratio",): recall[..., judged].mean(axis=-1),
            ("model_mcc",): mcc,
        }
        if binary:
            return found | {
                ("model_precision_ratio", "binary"): precision[..., 1],
                ("model_recall_ratio", "binary"): recall[..., 1],
                ("model_f1_ratio", "binary"): f1[..., 1],
                ("model_specificity_ratio",): recall[..., 0],
            }
        taking_part = present(np.asarray(confusion))
        of_classes = {"model_precision_ratio": precision, "model_recall_ratio": recall}
        of_classes["model_f1_ratio"] = f1
        return found | {
            (name, "macro"): np.nan_to_num(part[..., taking_part]).mean(axis=-1)
            for name, part in of_classes.items()
        }
