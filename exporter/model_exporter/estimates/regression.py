"""Expected losses of a regression model, from the reference's losses by bin of the prediction."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model_exporter.estimates.confusion import band
from model_exporter.records import Estimate
from model_exporter.reference_errors import Losses
from model_exporter.scores.score import Estimates, single

Floats = NDArray[np.float64]
Part = tuple[NDArray[np.int64], Losses]
"""Rows by bin of the prediction, and what the reference's rows in these bins lost."""


def regression_estimates(parts: Sequence[Part]) -> Mapping[str, Estimates]:
    """Estimate MAE, MSE, RMSE and MAPE of rows without labels, by the key of their family.

    Each row is expected to lose what the reference's rows with a prediction in the same bin lost
    on average. This sees the inputs move to where the model errs more, as far as the prediction
    tells; it never sees the relation of inputs and label change (concept drift), nor inputs that
    change while the predictions stay. A bin without labelled reference rows takes the mean of all.

    The band holds 95 % of what the labels will give, the reference's own noise included; it is
    normal, and too short where losses have heavy tails and rows are few.

    Examples
    --------
    >>> losses = Losses((9, 9), (9.0, 18.0), (10.0, 40.0), (12.0, 99.0), (9, 9), (1, 1), (1, 1))
    >>> round(regression_estimates([(np.array([1, 3]), losses)])["mae"][()].value, 2)
    1.75

    References
    ----------
    The idea is NannyML's direct loss estimation, which fits gradient-boosted trees to the losses.
    """
    known = [losses for _, losses in parts]
    mae = _mean(parts, [(of.rows, of.absolute, of.squared) for of in known])
    mse = _mean(parts, [(of.rows, of.squared, of.fourth) for of in known])
    mape = _mean(
        parts,
        [(of.nonzero, of.percentage, of.squared_percentage) for of in known],
        shares=[_ratio(of.nonzero, of.rows) for of in known],
    )
    found = {"mae": mae, "mse": mse, "rmse": _root(mse), "mape": mape}
    return {key: single(_estimate(*pair)) for key, pair in found.items() if pair is not None}


def _estimate(value: float, variance: float) -> Estimate:
    return band(value, variance, lowest=0.0, highest=math.inf)


def _root(mean: tuple[float, float] | None) -> tuple[float, float] | None:
    if mean is None or mean[0] <= 0:
        return mean
    return math.sqrt(mean[0]), mean[1] / 4 / mean[0]


def _mean(
    parts: Sequence[Part],
    sums: Sequence[tuple[Sequence[int], Sequence[float], Sequence[float]]],
    *,
    shares: Sequence[Floats] | None = None,
) -> tuple[float, float] | None:
    """Return the expected mean loss and its variance; None where nothing is known.

    `sums` are rows of the reference, their losses and squared losses by bin; `shares` are the
    shares of each bin's rows that have such a loss at all.
    """
    total, variance, rows = 0.0, 0.0, 0.0
    for i, ((counts, _), (known, losses, squares)) in enumerate(zip(parts, sums, strict=True)):
        if not sum(known):
            return None
        of = np.asarray(known, dtype=np.float64)
        means = np.where(of > 0, _ratio(losses, known), sum(losses) / sum(known))
        second = np.where(of > 0, _ratio(squares, known), sum(squares) / sum(known))
        spread = np.maximum(0.0, second - means**2)
        weights = counts * (shares[i] if shares else 1.0)
        total += float(weights @ means)
        rows += float(weights.sum())
        variance += float(weights @ spread + weights**2 @ (spread / np.maximum(of, 1.0)))
    if not rows or not math.isfinite(total) or not math.isfinite(variance):
        return None
    return total / rows, variance / rows**2


def _ratio(numerator: Sequence[float], denominator: Sequence[int]) -> Floats:
    out = np.zeros(len(denominator))
    return np.divide(numerator, denominator, out=out, where=np.asarray(denominator) > 0)
