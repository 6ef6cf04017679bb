"""Calibration of scores on the reference's labels: isotonic, and only where it helps."""

import numpy as np
from numpy.typing import NDArray

from model_exporter.reference_errors import Calibration
from model_exporter.scores.statistics import ScoreHistogram

FOLDS = 10
BINS = 10
"""As many folds and bins as NannyML takes to decide whether to calibrate."""

Floats = NDArray[np.float64]


def fit_calibration(histogram: ScoreHistogram) -> Calibration | None:
    """Return the isotonic calibration of a class's scores; None where the raw ones are as good.

    They are as good where the expected calibration error, over ten bins of equally many rows, of
    rows that a fit on the other nine tenths calibrated is not smaller; or where all rows are of
    one kind. The tenths are every tenth row by score and truth, so that the outcome depends on
    the rows only and not on their order.

    Examples
    --------
    >>> scores = np.linspace(0.005, 0.995, 100)
    >>> positives = np.round(100 * scores**2).astype(np.int64)  # too sure of itself
    >>> fitted = fit_calibration(ScoreHistogram(scores, 100 - positives, positives))
    >>> fitted.apply(np.array([0.5])).round(2).tolist()
    [0.26]
    """
    if not histogram.positives.any() or not histogram.negatives.any():
        return None
    fitted = isotonic(histogram)
    scores, truth, fold = _rows(histogram)
    held_out = np.empty(scores.size)
    for i in range(min(FOLDS, scores.size)):
        inside = fold == i
        held_out[inside] = _fit(scores[~inside], truth[~inside]).apply(scores[inside])
    better = _calibration_error(held_out, truth) < _calibration_error(scores, truth)
    return fitted if better else None


def isotonic(histogram: ScoreHistogram) -> Calibration:
    """Return the increasing function of the score that is closest to the truth by least squares.

    Pool adjacent violators; scikit-learn's `IsotonicRegression` with ``out_of_bounds="clip"`` is
    the same function.
    """
    counts = (histogram.positives + histogram.negatives).tolist()
    blocks: list[tuple[int, int, int, int]] = []  # first, last, positives, rows
    for i, (hits, rows) in enumerate(zip(histogram.positives.tolist(), counts, strict=True)):
        first, last = i, i
        # Whole numbers are compared crosswise: no rounding decides whether blocks merge.
        while blocks and blocks[-1][2] * rows >= hits * blocks[-1][3]:
            first, _, more, others = blocks.pop()
            hits, rows = hits + more, rows + others
        blocks.append((first, last, hits, rows))
    scores = histogram.scores.tolist()
    return Calibration(
        first=tuple(scores[first] for first, *_ in blocks),
        last=tuple(scores[last] for _, last, *_ in blocks),
        value=tuple(hits / rows for *_, hits, rows in blocks),
        rows=tuple(rows for *_, rows in blocks),
    )


def _rows(histogram: ScoreHistogram) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return score, truth and fold of each row, by score and then truth."""
    counts = np.column_stack([histogram.negatives, histogram.positives]).ravel()
    scores = np.repeat(np.repeat(histogram.scores, 2), counts)
    truth = np.repeat(np.tile([0.0, 1.0], histogram.scores.size), counts)
    return scores, truth, np.arange(scores.size) % FOLDS


def _fit(scores: Floats, truth: Floats) -> Calibration:
    values, place = np.unique(scores, return_inverse=True)
    positives = np.bincount(place, weights=truth, minlength=values.size).astype(np.int64)
    rows = np.bincount(place, minlength=values.size).astype(np.int64)
    return isotonic(ScoreHistogram(values, rows - positives, positives))


def _calibration_error(scores: Floats, truth: Floats) -> float:
    order = np.argsort(scores, kind="stable")
    gaps = np.array_split(scores[order] - truth[order], BINS)
    return float(sum(abs(gap.sum()) for gap in gaps) / scores.size)
