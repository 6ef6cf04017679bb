"""Sufficient statistics: all that the scores read, and all that a tile holds.

Each is a sum over rows, so that the statistics of two sets of rows add up to those of their union.
`statistics_from_rows` computes them from rows in memory; the job computes the same numbers in SQL.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model_exporter.distribution import category_text, class_texts, numeric_values
from model_exporter.errors import SchemaError
from model_exporter.records import OTHER, Task
from model_exporter.scores.inner import inner

CALIBRATION_BINS = 10
EPSILON = float(np.finfo(np.float64).eps)
"""Probabilities are clipped here before the logarithm, as scikit-learn does."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, sum and sum of squares of a loss per row."""

    count: int
    total: float
    total_squares: float


@dataclass(frozen=True, slots=True, eq=False)
class ScoreHistogram:
    """Rows by score and truth: `scores` ascending and distinct, all of shape (m,)."""

    scores: NDArray[np.float64]
    negatives: NDArray[np.int64]
    positives: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Ten equal-width bins of a probability, [0, 0.1) ... [0.9, 1], each of shape (10,).

    Binary: the score against "the label is positive". Multiclass: the probability of the
    predicted class against "the prediction is right".
    """

    counts: NDArray[np.int64]
    score_totals: NDArray[np.float64]
    positives: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationStatistics:
    """Statistics of labelled rows of a classifier.

    Attributes
    ----------
    classes
        Class names, shape (k,). Binary: the negative class first, `positive_label` second.
    confusion
        Rows by label (first axis) and predicted class (second), shape (k, k).
    histograms
        By class: the probability of the class against "the label is this class"; under ``""`` for
        binary. Empty where the model logs no probabilities, and then the last three are None.
    """

    classes: tuple[str, ...]
    positive_label: str | None
    confusion: NDArray[np.int64]
    histograms: Mapping[str, ScoreHistogram]
    log_loss: Moments | None
    brier: Moments | None
    calibration: Calibration | None


@dataclass(frozen=True, slots=True)
class RegressionStatistics:
    """Sums over labelled rows of a regression model; e = prediction - label, y = label."""

    count: int
    nonzero_labels: int
    error: float  # e
    absolute_error: float  # |e|
    squared_error: float  # e^2
    fourth_error: float  # e^4
    label: float  # y
    absolute_label: float  # |y|
    squared_label: float  # y^2
    cubed_label: float  # y^3
    fourth_label: float  # y^4
    squared_error_label: float  # e^2 y
    squared_error_squared_label: float  # e^2 y^2
    absolute_error_label: float  # |e y|
    percentage_error: float  # |e / y| over labels that are not 0
    squared_percentage_error: float  # (e / y)^2 over labels that are not 0


Statistics = ClassificationStatistics | RegressionStatistics


def statistics_from_rows(
    *,
    task: Task,
    labels: ArrayLike,
    predictions: ArrayLike,
    scores: Mapping[str, ArrayLike],
    classes: Sequence[str] = (),
    positive_label: object = None,
) -> Statistics:
    """Compute the statistics of rows in memory.

    Parameters
    ----------
    labels, predictions
        Columns of one length, shape (n,). Rows where either is missing (for regression: not
        finite) are left out.
    scores
        Probability by class, each of shape (n,); that of the positive class under ``""`` for
        binary. Rows where one is not finite count in the confusion matrix only.
    classes
        All class names, where the rows may lack some. A label or prediction beyond them counts
        under `records.OTHER`, with probability 0; for binary it is refused.

    Raises
    ------
    SchemaError
        If the columns differ in length, or a binary model has more than two classes.

    Examples
    --------
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY,
    ...     labels=[0, 1, 1, None],
    ...     predictions=[0, 1, 0, 1],
    ...     scores={"": [0.1, 0.8, 0.4, 0.9]},
    ...     positive_label=1,
    ... )
    >>> s.classes, s.confusion.tolist()
    (('0', '1'), [[1, 0], [1, 1]])
    """
    lengths = {len(column) for column in map(np.asarray, (labels, predictions, *scores.values()))}
    if len(lengths) > 1:
        raise SchemaError(
            f"labels, predictions and scores have different lengths {sorted(lengths)}; "
            "give one value of each for every row"
        )
    if task is Task.REGRESSION:
        return _regression(numeric_values(labels), numeric_values(predictions))
    positive = category_text(positive_label) if task is Task.BINARY else None
    label_texts, prediction_texts = class_texts(
        (labels, predictions), positive_label=positive, classes=classes
    )
    known = np.array(
        [
            a is not None and b is not None
            for a, b in zip(label_texts, prediction_texts, strict=True)
        ],
        dtype=bool,
    )
    found = {text for texts in (label_texts, prediction_texts) for text in texts[known]}
    names = (
        multiclass_classes({*found, *scores}, classes)
        if positive is None
        else binary_classes({*found, *classes}, positive)
    )
    places = {name: i for i, name in enumerate(names)}
    actual, predicted = (
        np.array([places.get(text, len(names) - 1) for text in texts[known]], dtype=np.int64)
        for texts in (label_texts, prediction_texts)
    )
    columns = {name: numeric_values(column)[known] for name, column in scores.items()}
    return _classification(names, positive, actual, predicted, columns)


def binary_classes(found: Iterable[str], positive_label: str) -> tuple[str, str]:
    """Return (negative, positive); the negative is `records.OTHER` while none was seen."""
    others = sorted(set(found) - {positive_label})
    if len(others) > 1:
        raise SchemaError(
            f"a binary model has two classes, but beside the positive label {positive_label!r} "
            f"there are {', '.join(map(repr, others))}; set `positive_label` to one of the two "
            "values, or `task` to multiclass"
        )
    return (others[0] if others else OTHER, positive_label)


def multiclass_classes(found: Iterable[str], classes: Sequence[str]) -> tuple[str, ...]:
    """Return the given classes, and `records.OTHER` if more were found; else those found."""
    if not classes:
        return tuple(sorted(found))
    return tuple(classes) if set(found) <= set(classes) else (*classes, OTHER)


def _classification(
    names: tuple[str, ...],
    positive_label: str | None,
    actual: NDArray[np.int64],
    predicted: NDArray[np.int64],
    columns: Mapping[str, NDArray[np.float64]],
) -> ClassificationStatistics:
    cells = np.bincount(actual * len(names) + predicted, minlength=len(names) ** 2)
    confusion = cells.reshape(len(names), len(names)).astype(np.int64)
    if not columns:
        return ClassificationStatistics(names, positive_label, confusion, {}, None, None, None)
    scored = np.all([np.isfinite(column) for column in columns.values()], axis=0)
    actual, predicted = actual[scored], predicted[scored]
    columns = {name: column[scored] for name, column in columns.items()}
    if positive_label is None:
        probabilities = np.column_stack(
            [columns.get(name, np.zeros(actual.size)) for name in names]
        )
        histograms = {n: _histogram(columns[n], actual == names.index(n)) for n in columns}
        truth, right = np.eye(len(names), dtype=bool)[actual], actual == predicted
        rows = np.arange(actual.size)
        confidence = probabilities[rows, predicted]
        given = np.clip(probabilities[rows, actual], EPSILON, 1.0)
    else:
        confidence, right = columns[""], actual == 1
        probabilities, truth = confidence[:, None], right[:, None]
        histograms = {"": _histogram(confidence, right)}
        clipped = np.clip(confidence, EPSILON, 1.0 - EPSILON)
        given = np.where(right, clipped, 1.0 - clipped)
    return ClassificationStatistics(
        classes=names,
        positive_label=positive_label,
        confusion=confusion,
        histograms=histograms,
        log_loss=_moments(-np.log(given)),
        brier=_moments(((probabilities - truth) ** 2).sum(axis=1)),
        calibration=_calibration(confidence, right),
    )


def _moments(losses: NDArray[np.float64]) -> Moments:
    return Moments(losses.size, float(losses.sum()), inner(losses, losses))


def _histogram(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> ScoreHistogram:
    values, inverse = np.unique(scores, return_inverse=True)
    return ScoreHistogram(
        scores=values,
        negatives=np.bincount(inverse[~truth], minlength=values.size).astype(np.int64),
        positives=np.bincount(inverse[truth], minlength=values.size).astype(np.int64),
    )


def _calibration(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    # floor(10 s), not a search among edges: 0.3 belongs to [0.3, 0.4), and 3 * 0.1 lies above it.
    bins = np.clip(np.floor(scores * CALIBRATION_BINS), 0, CALIBRATION_BINS - 1).astype(np.int64)
    return Calibration(
        counts=np.bincount(bins, minlength=CALIBRATION_BINS).astype(np.int64),
        score_totals=np.bincount(bins, weights=scores, minlength=CALIBRATION_BINS).astype(
            np.float64
        ),
        positives=np.bincount(bins[right], minlength=CALIBRATION_BINS).astype(np.int64),
    )


def _regression(
    labels: NDArray[np.float64], predictions: NDArray[np.float64]
) -> RegressionStatistics:
    known = np.isfinite(labels) & np.isfinite(predictions)
    y, p = labels[known], predictions[known]
    # Sums of huge values may overflow; the scores treat what is infinite as undefined.
    with np.errstate(over="ignore", invalid="ignore"):
        e = p - y
        nonzero = y != 0
        percentage = np.abs(e[nonzero] / y[nonzero])
        return RegressionStatistics(
            count=int(y.size),
            nonzero_labels=int(percentage.size),
            error=float(e.sum()),
            absolute_error=float(np.abs(e).sum()),
            squared_error=float((e**2).sum()),
            fourth_error=float((e**4).sum()),
            label=float(y.sum()),
            absolute_label=float(np.abs(y).sum()),
            squared_label=float((y**2).sum()),
            cubed_label=float((y**3).sum()),
            fourth_label=float((y**4).sum()),
            squared_error_label=float((e**2 * y).sum()),
            squared_error_squared_label=float((e**2 * y**2).sum()),
            absolute_error_label=float(np.abs(e * y).sum()),
            percentage_error=float(percentage.sum()),
            squared_percentage_error=float((percentage**2).sum()),
        )
