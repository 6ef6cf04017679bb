"""Influences on the scores of a regression model."""

import math

import numpy as np

from model_exporter.comparison.influence import (
    Floats,
    Influenced,
    Scores,
    known,
    mean,
    quotient,
)


def regression_influences(labels: Floats, predictions: Floats) -> Scores:
    """Return every regression score of these rows, with the influence of each row.

    Ratios (MAPE, WAPE, R2) and the root are linearised (delta method).

    Examples
    --------
    >>> import numpy as np
    >>> found = regression_influences(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]))
    >>> {name: round(score.value, 3) for (name,), score in found.items()}["model_mae"]
    1.0
    """
    with np.errstate(over="ignore", invalid="ignore"):
        error = predictions - labels
        absolute, square = np.abs(error), error**2
        nonzero = labels != 0
        ratio = np.divide(absolute, np.abs(labels), out=np.zeros_like(absolute), where=nonzero)
        mse = mean(square)
        return known(
            {
                ("model_mae",): mean(absolute),
                ("model_mse",): mse,
                ("model_rmse",): _root(mse),
                ("model_r2",): _r2(square, labels),
                ("model_mape_ratio",): quotient(ratio, nonzero.astype(np.float64)),
                ("model_wape_ratio",): quotient(absolute, np.abs(labels)),
                ("model_bias",): mean(error),
            }
        )


def _root(square: Influenced) -> Influenced | None:
    root = math.sqrt(square.value)
    return Influenced(root, square.rows / (2 * root)) if root else None


def _r2(square: Floats, labels: Floats) -> Influenced | None:
    unexplained = quotient(square, (labels - labels.mean()) ** 2)
    return unexplained and Influenced(1 - unexplained.value, -unexplained.rows)
