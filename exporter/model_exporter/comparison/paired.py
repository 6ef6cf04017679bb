"""The difference of scores between two versions that predicted the same rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_exporter.comparison.classes import Confusion, class_scores, class_slopes
from model_exporter.comparison.difference import Difference, student_difference
from model_exporter.comparison.influence import Floats, Influenced, Key, Scores
from model_exporter.comparison.probabilities import probability_influences
from model_exporter.comparison.regression import regression_influences
from model_exporter.records import Task
from model_exporter.scores.confusion import present
from model_exporter.scores.inner import inner

SMOOTHING = 2.0
"""Rows spread evenly over the ways for two versions to disagree before a variance is taken, as
Bonett and Price (J. Educ. Behav. Stat. 37 (2012) 479-488) do for McNemar's table: without them
versions that disagree on a few rows would differ surely."""
LARGEST = {"model_mcc": 2.0, "model_roc_auc": 1.0, "model_average_precision": 1.0}
"""The largest differences that there can be; 1 for what else a confusion matrix gives."""

Ints = NDArray[np.int64]
Values = NDArray[Any]
"""float64 for a regression model, else int64."""


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What one version gave for the rows.

    Attributes
    ----------
    predictions
        Values of a regression model, else the index of each predicted class; shape (n,).
    scores
        Probabilities, shape (n, m); NaN where missing. m is 0 where the model logs none.
    """

    predictions: Values
    scores: Floats


def paired_differences(
    labels: Values,
    champion: Outputs,
    challenger: Outputs,
    *,
    task: Task,
    classes: int = 0,
    places: Sequence[int] = (),
) -> dict[Key, Difference]:
    """Return challenger minus champion of each score, on rows that both predicted.

    A difference of means (Brier score, log loss, MAE, ...) is Student's paired test; areas under
    the ROC curve are DeLong's; what a confusion matrix gives is McNemar's question, with the
    variance of Bonett and Price for accuracy and the same by the delta method for the others. All
    are one thing: the standard deviation of the differences of the influences of the rows.

    Parameters
    ----------
    labels
        Values of a regression model, else the index of each label's class; shape (n,).
    classes
        Number of classes; of two the second is the positive one if `task` is binary.
    places
        Index of the class of each column of the probabilities.

    Returns
    -------
    Mapping
        By family name and average. A score that is undefined for one of the two is absent;
        calibration error has none. Probabilities are compared on rows where both have all.

    Notes
    -----
    Rows are taken as independent of each other. Simulated coverage and false alarms are in
    `tests/comparison/test_simulation.py`.

    Examples
    --------
    >>> import numpy as np
    >>> none = np.empty((8, 0))
    >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    >>> found = paired_differences(
    ...     labels, Outputs(labels, none), Outputs(1 - labels, none), task=Task.BINARY, classes=2
    ... )
    >>> found["model_accuracy_ratio",].value
    -1.0
    """
    if not labels.size:
        return {}
    if task is Task.REGRESSION:
        sides = [regression_influences(labels, one.predictions) for one in (champion, challenger)]
        return _differences(*sides)
    found = _by_class(labels, champion, challenger, classes=classes, binary=task is Task.BINARY)
    if not places:
        return found
    scored = np.isfinite(champion.scores).all(axis=1) & np.isfinite(challenger.scores).all(axis=1)
    if not scored.any():
        return found
    sides = [
        probability_influences(labels[scored], one.scores[scored], places)
        for one in (champion, challenger)
    ]
    return found | _differences(*sides)


def _differences(champion: Scores, challenger: Scores) -> dict[Key, Difference]:
    return {
        key: _difference(key, champion[key], challenger[key])
        for key in champion
        if key in challenger
    }


def _difference(key: Key, champion: Influenced, challenger: Influenced) -> Difference:
    gaps = challenger.rows - champion.rows
    rows = gaps.size
    error = math.sqrt(inner(gaps, gaps) / rows / max(1, rows - 1))
    return student_difference(
        challenger.value - champion.value,
        error,
        rows=rows,
        scale=abs(champion.value) + abs(challenger.value),
        span=LARGEST.get(key[0], math.inf),
    )


def _by_class(
    labels: Ints, champion: Outputs, challenger: Outputs, *, classes: int, binary: bool
) -> dict[Key, Difference]:
    old, new = (_confusion(labels, one.predictions, classes) for one in (champion, challenger))
    before, after = class_scores(old, binary=binary), class_scores(new, binary=binary)
    taking_part = present(old + new)
    cells = np.outer(taking_part, taking_part)
    inside = np.ix_(taking_part, taking_part)
    spread = SMOOTHING / cells.sum()  # of each label and predicted class, on either side
    slopes = [class_slopes(c + cells * spread, c, binary=binary) for c in (old, new)]
    total = labels.size + SMOOTHING
    found = {}
    for key in before.keys() & after.keys():
        by_old, by_new = slopes[0][key], slopes[1][key]
        gaps = by_new[labels, challenger.predictions] - by_old[labels, champion.predictions]
        squares, sums = inner(gaps, gaps), float(gaps.sum())
        if inside[0].size > 1:
            more, shift = _disagreements(by_old[inside], by_new[inside], spread)
            squares, sums = squares + more, sums + shift
        error = math.sqrt(square) if (square := squares - sums**2 / total) > 0 else 0.0
        found[key] = student_difference(
            after[key] - before[key],
            error,
            rows=labels.size,
            scale=abs(before[key]) + abs(after[key]),
            span=LARGEST.get(key[0], 1.0),
        )
    return found


def _confusion(labels: Ints, predictions: Values, classes: int) -> Confusion:
    cells = np.bincount(labels * classes + predictions, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.int64)


def _disagreements(old: Floats, new: Floats, spread: float) -> tuple[float, float]:
    """Return sum of squares and sum of ``new[l, b] - old[l, a]`` over all l and a != b.

    The rows in each cell (l, a, b) are as many as make `spread` in each (l, a) and (l, b).
    """
    k = len(old)
    squares = k * float((old**2).sum() + (new**2).sum()) - float(((new - old) ** 2).sum())
    squares -= 2 * float(old.sum(axis=1) @ new.sum(axis=1))
    return spread / (k - 1) * squares, spread * float((new - old).sum())
