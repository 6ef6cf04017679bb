"""Losses and moments per row, and sums of them that are exact, as Ibis expressions.

A sum of floats depends on the order in its last bits, and what is added and taken away again
leaves a trace. So whole numbers are summed. What is bounded, as the losses of a probability are,
is rounded to multiples of ``2**FIXED_EXPONENT``. Any other float is split, without loss, into
``2**exponent`` times a whole number, and the whole numbers are summed per exponent.
"""

import functools
from collections.abc import Iterable
from fractions import Fraction

import ibis
import ibis.expr.types as ir

from model_exporter.job.columns import amount_columns, amount_measures, score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.records import Task
from model_exporter.scores.statistics import CALIBRATION_BINS

EPSILON = 2.220446049250313e-16
"""Probabilities are clipped here for the log loss: float64 epsilon, as in scikit-learn."""
EXPONENT_BITS = 32
MANTISSA_BITS = 54
"""One more than a float64 has, so that a logarithm that rounds up cannot cost the last bit."""
LEAST_BAND = -30
"""Below it ``2**-exponent`` would overflow; what is smaller, 1e-305, is nothing beside any sum."""
LEAST_LABEL = 1e-75
"""Labels nearer to 0 are 0 to percentage errors: the square of one would overflow."""
MAX_QUANTILE = 1e150
"""The squares of more would overflow."""
FIXED_EXPONENT = -44
"""Leaves room in 64 bits for squares of up to 500,000: that of the log loss is at most 1,300, that
of the Brier score of nonsense the square of the number of classes. Rounding moves a mean by less
than 3e-14."""

_INT = "int64"


def exact(parts: Iterable[tuple[int, int]]) -> Fraction:
    """Return the value of an exact sum from its (exponent, whole number) parts."""
    total = Fraction(0)
    for exponent, value in parts:
        total += int(value) * Fraction(2) ** exponent
    return total


def fixed(value: ir.Value) -> ir.Value:
    """Return a bounded float as the nearest whole multiple of ``2**FIXED_EXPONENT``."""
    return (value * 2.0**-FIXED_EXPONENT + 0.5).floor().cast(_INT)


def exact_parts(value: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Split a float into an exponent and a whole number; `exact` puts sums of them together."""
    magnitude = value.abs().nullif(0).log2()
    band = (magnitude / EXPONENT_BITS).floor().fill_null(0).clip(lower=LEAST_BAND).cast(_INT)
    exponent = EXPONENT_BITS * band - MANTISSA_BITS
    scale = ibis.literal(2.0) ** (-exponent).cast("float64")
    return exponent, (value * scale).cast("decimal(38, 0)")


def with_chosen(labeled: ir.Table, model: ModelConfig) -> ir.Table:
    """Add the probability that calibration judges: of the positive or of the predicted class."""
    binary = model.task is Task.BINARY
    chosen = labeled.p0 if binary else _probability_of(labeled, labeled.predicted, model)
    return labeled.mutate(chosen=chosen)


def _probability_of(rows: ir.Table, classes: ir.Value, model: ModelConfig) -> ir.Value:
    cases = [(classes == name, rows[f"p{i}"]) for i, name in enumerate(score_classes(model))]
    return ibis.cases(*cases)


def calibration_bin(rows: ir.Table) -> ir.Value:
    """Return the calibration bin of the chosen probability."""
    return ibis.least((rows.chosen * CALIBRATION_BINS).floor().cast(_INT), CALIBRATION_BINS - 1)


def regression_terms(rows: ir.Table) -> dict[str, ir.Value]:
    """Return the terms of `RegressionStatistics`; `rows` of `error` is the count of labels."""
    y, e = rows.label, rows.predicted - rows.label
    ratio = ibis.ifelse(y.abs() < LEAST_LABEL, ibis.null("float64"), (e / y.nullif(0)).abs())
    return {
        "error": e,
        "absolute_error": e.abs(),
        "squared_error": e * e,
        "fourth_error": e * e * e * e,
        "label": y,
        "absolute_label": y.abs(),
        "squared_label": y * y,
        "cubed_label": y * y * y,
        "fourth_label": y * y * y * y,
        "squared_error_label": e * e * y,
        "squared_error_squared_label": e * e * y * y,
        "absolute_error_label": (e * y).abs(),
        "percentage_error": ratio,
        "squared_percentage_error": ratio * ratio,
    }


def amount_terms(rows: ir.Table, model: ModelConfig) -> dict[tuple[str, str], ir.Value]:
    """Return the amounts of the business and their squares, by statistic and measure."""
    terms = {}
    for measure, column in zip(amount_measures(model), amount_columns(model), strict=True):
        amount = rows[column.name]
        known = ibis.ifelse(amount.isinf(), ibis.null("float64"), amount)
        terms["business", measure] = known
        terms["business_squares", measure] = known * known
    return terms


def quantile_terms(rows: ir.Table, model: ModelConfig) -> dict[tuple[str, str], ir.Value]:
    """Return the pinball loss by level, the width by interval, and the squares of both."""
    terms = {}
    for i, level in enumerate(model.predictions.quantiles):
        gap = rows.label - _quantile(rows, i)
        terms["pinball", level] = ibis.greatest(float(level) * gap, (float(level) - 1) * gap)
    for level, (low, high) in intervals(model.predictions.quantiles).items():
        terms["width", level] = _quantile(rows, high) - _quantile(rows, low)
    squares = {(f"{stat}_squares", level): term * term for (stat, level), term in terms.items()}
    return terms | squares


def quantile_hits(rows: ir.Table, model: ModelConfig) -> dict[tuple[str, str], ir.Value]:
    """Return whether the label is at most each quantile, and inside each interval."""
    levels = list(model.predictions.quantiles)
    hits = {("covered", n): rows.label <= _quantile(rows, i) for i, n in enumerate(levels)}
    for level, (low, high) in intervals(levels).items():
        inside = (rows.label >= _quantile(rows, low)) & (rows.label <= _quantile(rows, high))
        hits["inside", level] = inside
    return hits


def _quantile(rows: ir.Table, i: int) -> ir.Value:
    """Return a predicted quantile; null where it is no number or its square would overflow."""
    value = rows[f"q{i}"]
    return ibis.ifelse(value.abs() <= MAX_QUANTILE, value, ibis.null("float64"))


def intervals(levels: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return by nominal coverage the places of two levels that leave out the same at both ends.

    Examples
    --------
    >>> intervals(["0.05", "0.1", "0.5", "0.9"])
    {'0.8': (1, 3)}
    """
    places = {round(float(level), 9): i for i, level in enumerate(levels)}
    return {
        str(round(1 - 2 * level, 9)): (i, places[round(1 - level, 9)])
        for level, i in places.items()
        if level < 0.5 and round(1 - level, 9) in places
    }


def with_losses(labeled: ir.Table, model: ModelConfig) -> ir.Table:
    """Add the log loss and the Brier score of each row; null where a probability is missing."""
    scores = [labeled[f"p{i}"] for i in range(len(score_classes(model)))]
    if model.task is Task.BINARY:
        score, truth = scores[0], labeled.label == model.positive_label
        clipped = ibis.greatest(ibis.least(score, 1 - EPSILON), EPSILON)
        likelihood = ibis.ifelse(truth, clipped, 1 - clipped)
        brier = (score - truth.cast("float64")) * (score - truth.cast("float64"))
    else:
        given = _probability_of(labeled, labeled.label, model).fill_null(0.0)
        likelihood = ibis.greatest(given, EPSILON)
        # A label outside the known classes got probability 0: its own term is (0 - 1)^2.
        unknown = (~labeled.label.isin(score_classes(model))).cast("float64")
        gaps = [
            p - (labeled.label == name).cast("float64")
            for name, p in zip(score_classes(model), scores, strict=True)
        ]
        brier = functools.reduce(lambda total, gap: total + gap * gap, gaps, unknown)
    scored = functools.reduce(lambda all_of, p: all_of & p.notnull(), scores, ibis.literal(True))
    none = ibis.null("float64")
    return labeled.mutate(
        log_loss=ibis.ifelse(scored, -likelihood.ln(), none),
        brier=ibis.ifelse(scored, brier, none),
    )
