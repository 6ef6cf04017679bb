"""Sufficient statistics: all that the scores read, and all that a tile holds.

Each is a sum over rows, so that the statistics of two sets of rows add up to those of their union.
`statistics_from_rows` computes them from rows in memory; the job computes the same numbers in SQL.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 10


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
