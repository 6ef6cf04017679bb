"""Losses of a regression model, fitted as sums of effects of the bins that a row is in."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import Distribution
from model_exporter.reference_errors import Effects, Loss, Losses

PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 10_000.0)
"""Of the squared effects, in rows. The best is chosen by generalised cross-validation."""
MAX_ROWS = 20_000
"""Rows that are fitted on, evenly taken of more: the effects of ten bins need no more."""
MINIMUM_ROWS = 30

Floats = NDArray[np.float64]
Places = Mapping[str, NDArray[np.int64]]
"""Bin of each row by feature, ``""`` for the prediction; negative where it has none."""


def fit_losses(
    places: Places,
    distributions: Mapping[str, Distribution],
    predictions: Floats,
    labels: Floats,
) -> Losses | None:
    """Fit |e|, e^2 and |e / y| on the bins of the reference's rows; None below 30 rows.

    Additive, so that what a window is expected to lose needs no more than the counts of each
    feature's bins. Fitted by ridge regression (Hoerl and Kennard, Technometrics 12 (1970) 55-67);
    the penalty by generalised cross-validation (Golub, Heath and Wahba, ibid. 21 (1979) 215-223).
    """
    known = np.flatnonzero(np.isfinite(predictions) & np.isfinite(labels))
    known = known[:: -(-known.size // MAX_ROWS) or 1]
    if known.size < MINIMUM_ROWS:
        return None
    y, e = labels[known], predictions[known] - labels[known]
    sizes = {name: len(distributions[name].bins) for name in places}
    table = np.hstack([_indicators(p[known], sizes[name]) for name, p in places.items()])
    percentages = np.abs(np.divide(e, y, out=np.full_like(e, np.nan), where=y != 0))
    targets = {"mae": np.abs(e), "mse": e**2, "mape": percentages}
    return Losses(
        by_key={
            key: _fit(table[inside], target[inside], sizes)
            for key, target in targets.items()
            if (inside := np.isfinite(target)).sum() >= MINIMUM_ROWS
        },
        shares=_by_feature(table.mean(axis=0), sizes),
    )


def _indicators(places: NDArray[np.int64], size: int) -> Floats:
    return np.asarray(places[:, None] == np.arange(size), dtype=np.float64)


def _fit(table: Floats, target: Floats, sizes: Mapping[str, int]) -> Loss:
    rows, mean = target.size, float(target.mean())
    centred = table - table.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values = np.maximum(values, 0.0)
    along = vectors.T @ (centred.T @ (target - mean))
    total = float((target - mean) @ (target - mean))

    def left(penalty: float) -> tuple[float, float]:
        """Return the unexplained sum of squares, and the degrees of freedom taken."""
        shrunk = along / (values + penalty)
        rest = total - 2 * shrunk @ along + shrunk**2 @ values
        return max(0.0, float(rest)), 1 + float((values / (values + penalty)).sum())

    def score(penalty: float) -> float:
        rest, taken = left(penalty)
        return rest / max(1e-9, rows - taken) ** 2

    best = min(PENALTIES, key=score)
    rest, taken = left(best)
    square = rest / max(1.0, rows - taken)
    variances = square * (vectors**2 @ (values / (values + best) ** 2))
    return Loss(
        mean=mean,
        deviation=float(np.sqrt(square)),
        rows=rows,
        effects=_centred(vectors @ (along / (values + best)), table.mean(axis=0), sizes),
        variances=_by_feature(variances, sizes),
    )


def _centred(effects: Floats, shares: Floats, sizes: Mapping[str, int]) -> Effects:
    """Let the effects of each feature's bins cancel out over the reference."""
    weights = _by_feature(shares, sizes)
    return {
        name: tuple((np.asarray(of) - np.dot(of, weights[name])).tolist())
        for name, of in _by_feature(effects, sizes).items()
    }


def _by_feature(values: Floats, sizes: Mapping[str, int]) -> Effects:
    ends = np.cumsum(list(sizes.values()))[:-1]
    parts = np.split(values, ends)
    return {name: tuple(part.tolist()) for name, part in zip(sizes, parts, strict=True)}
