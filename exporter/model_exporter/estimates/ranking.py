"""Expected area under the ROC curve, average precision, Brier score and log loss."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model_exporter.estimates.confusion import band, fitted_variance
from model_exporter.estimates.rows import ExpectedRows, ScoredRows, totals
from model_exporter.records import Estimate
from model_exporter.scores.inner import inner
from model_exporter.scores.score import Estimates, single
from model_exporter.scores.statistics import EPSILON

SHARED_LABELS = 2.0
"""The curves of several classes share their labels, so their mean varies more than that of
independent ones: exactly twice as much for two classes, less for more. Of four the bands cover
98 to 99 %; without the factor they cover 88 to 94 %."""

Floats = NDArray[np.float64]
Curve = Callable[[Floats, Floats], tuple[float, Floats] | None]
"""From rows and expected rows by score, ascending: the value, and its derivative by the latter."""


def ranking_estimates(parts: Sequence[ExpectedRows]) -> Mapping[str, Estimates]:
    """Return the area and the average precision; the mean over the classes if multiclass.

    A class that no row is expected to be of has neither, and the mean is over the others.
    """
    found = {"roc_auc": _over_classes(parts, _area), "average_precision": _over_classes(parts, _ap)}
    return {key: single(estimate) for key, estimate in found.items() if estimate is not None}


def loss_estimates(parts: Sequence[ExpectedRows]) -> Mapping[str, Estimates]:
    """Return Brier score and log loss of the scores as logged; no bands if multiclass.

    The loss of a row depends on all its probabilities together there, which the sums do not keep.
    """
    rows = float(sum(part.predicted.sum() for part in parts))
    if not rows or not parts[0].classes:
        return {}
    return {
        "brier_score": single(_loss(parts, rows, _squares, highest=2.0)),
        "log_loss": single(_loss(parts, rows, _logarithms, highest=math.inf)),
    }


def _over_classes(parts: Sequence[ExpectedRows], curve: Curve) -> Estimate | None:
    values, variance = [], 0.0
    for name in parts[0].classes:
        found = _of_class([part.classes[name] for part in parts], curve)
        if found is None:
            continue
        values.append(found[0])
        for part, slopes in zip(parts, found[1], strict=True):
            scored = part.classes[name]
            variance += inner(scored.spread, slopes**2)
            if name in part.calibrations:
                known = part.calibrations[name]
                block = known.block(scored.scores)
                variance += fitted_variance(scored.rows * slopes, block, known.variance())
    if not values:
        return None
    if len(values) > 1:
        variance *= SHARED_LABELS
    return band(float(np.mean(values)), variance / len(values) ** 2, lowest=0.0, highest=1.0)


def _of_class(scored: Sequence[ScoredRows], curve: Curve) -> tuple[float, list[Floats]] | None:
    """Return the value, and the derivative by the expected rows of each part's entries."""
    steps = [part.step for part in scored]
    values, place = np.unique(np.concatenate(steps), return_inverse=True)
    rows, expected = (
        totals(place, np.concatenate(column), values.size)
        for column in ([part.rows for part in scored], [part.expected for part in scored])
    )
    found = curve(rows, expected)
    if found is None:
        return None
    ends = np.cumsum([step.size for step in steps])[:-1]
    return found[0], np.split(found[1][place], ends)


def _area(rows: Floats, expected: Floats) -> tuple[float, Floats] | None:
    rest = rows - expected
    p, n = float(expected.sum()), float(rest.sum())
    if p <= 0 or n <= 0:
        return None
    beaten = (np.cumsum(rest) - rest / 2) / n
    beating = 1 - (np.cumsum(expected) - expected / 2) / p
    area = inner(expected, beaten) / p
    return area, (beaten - area) / p - (beating - area) / n


def _ap(rows: Floats, expected: Floats) -> tuple[float, Floats] | None:
    p = float(expected.sum())
    if p <= 0:
        return None
    reached = np.cumsum(rows[::-1])[::-1]  # from the highest score down
    precision = np.cumsum(expected[::-1])[::-1] / reached
    value = inner(expected, precision) / p
    below = np.cumsum(expected / reached)  # a positive adds to the precision of all it is above
    return value, (precision + below - value) / p


def _squares(scores: Floats) -> tuple[Floats, Floats]:
    return (1 - scores) ** 2, scores**2


def _logarithms(scores: Floats) -> tuple[Floats, Floats]:
    clipped = np.clip(scores, EPSILON, 1 - EPSILON)
    return -np.log(clipped), -np.log1p(-clipped)


def _loss(
    parts: Sequence[ExpectedRows],
    rows: float,
    losses: Callable[[Floats], tuple[Floats, Floats]],
    *,
    highest: float,
) -> Estimate:
    """Return the mean over rows of what a score costs where it is of the class, and where not."""
    total, variance = 0.0, 0.0
    for part in parts:
        for name, scored in part.classes.items():
            of_class, of_others = losses(scored.scores)
            if not part.binary and losses is _logarithms:
                of_others = np.zeros_like(of_others)  # the label's own class is all that counts
            gain = (of_class - of_others) / rows
            total += inner(scored.expected, gain) + inner(scored.rows, of_others) / rows
            variance += inner(scored.spread, gain**2)
            if name in part.calibrations:
                known = part.calibrations[name]
                block = known.block(scored.scores)
                variance += fitted_variance(scored.rows * gain, block, known.variance())
    if not parts[0].binary:
        return Estimate(total)
    return band(total, variance, lowest=0.0, highest=highest)
