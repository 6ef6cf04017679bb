"""Expected losses of a regression model, from the bins that its rows are in."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model_exporter.estimates.confusion import band
from model_exporter.records import Estimate
from model_exporter.reference_errors import Losses
from model_exporter.scores.score import Estimates, single

Floats = NDArray[np.float64]
Bins = Mapping[str, NDArray[np.int64]]
Part = tuple[int, Bins, Losses]
"""Rows, their counts by bin of each feature (``""`` for the prediction), and what they lose."""


def regression_estimates(parts: Sequence[Part]) -> Mapping[str, Estimates]:
    """Estimate MAE, MSE, RMSE and MAPE of rows without labels, by the key of their family.

    A row is expected to lose what rows of its bins lost on the reference, one effect for each
    feature's bin and one for the prediction's, added up. A value that is missing or in no bin has
    the mean effect. An estimate below 0 is left out.

    Misleads where the relation of inputs and label has changed (concept drift), which no input
    shows; where inputs left the reference's range, since the outermost bins are open; where
    features act together and not one by one; and where what drives the errors is not watched.

    The band holds 95 % of what the labels will give: losses vary about their expectation in
    proportion to it, as on the reference, and the effects are as sure as its rows make them. It
    covers 93 to 97 % by simulation at 500 and 5,000 rows, less where losses have heavy tails.

    Examples
    --------
    >>> from model_exporter.reference_errors import Loss
    >>> loss = Loss(2.0, 1.0, 100, {"": (-1.0, 1.0)}, {"": (0.0, 0.0)})
    >>> losses = Losses({"mae": loss}, {"": (0.5, 0.5)})
    >>> found = regression_estimates([(400, {"": np.array([100, 300])}, losses)])["mae"][()]
    >>> found.value, round(found.upper - found.value, 2)
    (2.5, 0.23)

    References
    ----------
    The idea is NannyML's direct loss estimation, which fits gradient-boosted trees to the losses.
    """
    found = {key: _mean(parts, key) for key in ("mae", "mse", "mape")}
    mean = found["mse"]
    if mean is not None:
        found["rmse"] = math.sqrt(mean[0]), mean[1] / 4 / mean[0] if mean[0] else 0.0
    return {key: single(_estimate(*pair)) for key, pair in found.items() if pair is not None}


def _estimate(value: float, variance: float) -> Estimate:
    return band(value, variance, lowest=0.0, highest=math.inf)


def _mean(parts: Sequence[Part], key: str) -> tuple[float, float] | None:
    """Return the expected mean loss and its variance; None where nothing is known."""
    total, variance, rows = 0.0, 0.0, 0
    for count, bins, losses in parts:
        loss = losses.by_key.get(key)
        if loss is None:
            return None
        value, unsure = loss.mean, loss.deviation**2 / loss.rows
        for name, effects in loss.effects.items():
            counts = bins.get(name)
            if counts is None or not counts.any():
                continue
            value += float(counts @ np.asarray(effects)) / count
            moved = counts / count - np.asarray(losses.shares[name])
            unsure += float(moved**2 @ np.asarray(loss.variances[name]))
        total += count * value
        rows += count
        drawn = loss.deviation * (value / loss.mean if loss.mean else 1.0)
        variance += count * drawn**2 + count**2 * unsure
    if not rows or total < 0 or not math.isfinite(total + variance):
        return None
    return total / rows, variance / rows**2
