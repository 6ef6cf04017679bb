"""Tiles: the sufficient statistics of one model version, segment and hour, as whole numbers.

A tile is a bag of integers, so tiles add exactly, in any order, and a contribution that is taken
away again leaves nothing behind. That is what makes the output independent of the order, the
split and the repetition of what was read. There are three kinds:

- **counts**: rows by some property (confusion cell, bin of a feature, calibration bin);
- **sums**: a float per row, summed exactly: each value is split into ``2**(32 * exponent - 54)``
  times a whole number, and the whole numbers are summed per exponent;
- **scores**: rows by probability and truth, on a grid of 2**20 steps per unit of log-odds. Scores
  that differ in their sixth decimal never share a step.

The three are Ibis expressions over one relation of signed rows, the `delta`: -1 for each joined
row as it was, +1 for as it is. The embedded store compiles them for DuckDB; another engine would
run the same expressions and send only tiles.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

import ibis
import ibis.expr.types as ir

from model_exporter.distribution import (
    INVALID,
    MISSING,
    CategoricalDistribution,
    Distribution,
    NumericDistribution,
)
from model_exporter.job.columns import feature_names, prediction_columns, score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.records import ALL_VERSIONS, Subject, Task
from model_exporter.scores.statistics import CALIBRATION_BINS

EPSILON = 2.220446049250313e-16
"""Probabilities are clipped here for the log loss: float64 epsilon, as in scikit-learn."""
EXPONENT_BITS = 32
MANTISSA_BITS = 54
"""One more than a float64 has, so that a logarithm that rounds up cannot cost the last bit."""
STEPS_PER_LOG_ODDS = 1 << 20
CERTAIN = 1_000_000_000
"""Step of probability 1 (and, negated, of 0): beyond the log-odds of every other float64."""

COUNTS = "counts"
SUMS = "sums"
SCORES = "scores"
GROUP = ("version", "segment", "segment_value", "slot")

_INT = "int64"
_WIDE = "decimal(38, 0)"


@dataclass(frozen=True, slots=True)
class TileSql:
    """DuckDB SQL that turns the relation `delta` into rows of each kind of tile."""

    counts: str
    sums: str
    scores: str


def compile_tiles(model: ModelConfig) -> TileSql:
    """Compile the tile expressions of a model."""
    delta = ibis.table(delta_schema(model), name="delta")
    rows = _by_segment(delta, model)
    labeled = rows.filter(rows.label.notnull())
    return TileSql(
        counts=_sql(_counts(delta, rows, labeled, model)),
        sums=_sql(_sums(labeled, model)),
        scores=_sql(_scores(labeled, model)),
    )


def delta_schema(model: ModelConfig) -> dict[str, str]:
    """Return the columns of the relation `delta` and their Ibis types."""
    types = {"VARCHAR": "string", "DOUBLE": "float64", "BIGINT": "int64", "SMALLINT": "int16"}
    columns = {c.name: types[c.form.sql_type] for c in prediction_columns(model)}
    label = "float64" if model.task is Task.REGRESSION else "string"
    return {"sign": _INT, "slot": _INT, "label": label, **columns}


def exact(parts: Iterable[tuple[int, int]]) -> Fraction:
    """Return the value of an exact sum from its (exponent, whole number) parts."""
    total = Fraction(0)
    for exponent, value in parts:
        total += int(value) * Fraction(2) ** (EXPONENT_BITS * exponent - MANTISSA_BITS)
    return total


def _sql(expression: ir.Table) -> str:
    return str(ibis.to_sql(expression, dialect="duckdb"))


def _by_segment(delta: ir.Table, model: ModelConfig) -> ir.Table:
    """Repeat each row for the whole model (segment ``""``) and for each of its segments."""
    whole = delta.mutate(segment=ibis.literal(""), segment_value=ibis.literal(""))
    parts = [
        delta.mutate(segment=ibis.literal(name), segment_value=delta[f"s{i}"]).filter(
            delta[f"s{i}"].notnull()
        )
        for i, name in enumerate(model.segments)
    ]
    return ibis.union(whole, *parts) if parts else whole


def _counts(delta: ir.Table, rows: ir.Table, labeled: ir.Table, model: ModelConfig) -> ir.Table:
    parts = [_count(rows, "predictions"), _count(labeled, "labeled")]
    if model.task is not Task.REGRESSION:
        parts.append(_count(labeled, "confusion", labeled.label, labeled.predicted))
    if score_classes(model):
        chosen = _chosen(labeled, model)
        hits = chosen.filter(chosen.hit)
        parts.append(_count(chosen, "calibration", key=_calibration_bin(chosen)))
        parts.append(_count(hits, "calibration_hits", key=_calibration_bin(hits)))
    whole = delta.mutate(segment=ibis.literal(""), segment_value=ibis.literal(""))
    for i, name in enumerate(feature_names(model)):
        value, index = whole[f"f{i}"], whole[f"b{i}"]
        key = _bin(whole, value, Subject.FEATURE, name, model, index=index)
        parts.append(_count(whole, Subject.FEATURE, name, key))
        if name in model.numeric and model.baselines:
            # Only where the log has the value: a bin does not tell what lies beyond the range.
            known = whole.filter(value.notnull() & ~value.isnan())
            outside = known.filter(_out_of_range(known, known[f"f{i}"], name, model))
            parts.append(_count(known, "ranged", name))
            parts.append(_count(outside, "out_of_range", name))
    parts.append(_bins(whole, whole.predicted, Subject.PREDICTION, "", model))
    for i, name in enumerate(score_classes(model)):
        parts.append(_bins(whole, whole[f"p{i}"], Subject.SCORE, name, model))
    labeled_whole = whole.filter(whole.label.notnull())
    parts.append(_bins(labeled_whole, labeled_whole.label, Subject.LABEL, "", model))
    return ibis.union(*parts)


def _count(
    rows: ir.Table, stat: str, name: ir.Value | str = "", key: ir.Value | str = ""
) -> ir.Table:
    return (
        rows.mutate(stat=ibis.literal(str(stat)), name=_text(name), key=_text(key))
        .group_by([*GROUP, "stat", "name", "key"])
        .agg(value=lambda t: t.sign.sum().cast(_INT))
    )


def _text(value: ir.Value | str) -> ir.Value:
    return ibis.literal(value) if isinstance(value, str) else value.cast("string")


def _bins(
    rows: ir.Table, value: ir.Value, subject: Subject, name: str, model: ModelConfig
) -> ir.Table:
    return _count(rows, subject, name, _bin(rows, value, subject, name, model))


def _bin(
    rows: ir.Table,
    value: ir.Value,
    subject: Subject,
    name: str,
    model: ModelConfig,
    *,
    index: ir.Value | None = None,
) -> ir.Value:
    """Return the bin of a value in its version's baseline, as text.

    Numeric: the bin's index, `MISSING` or `INVALID`. Categorical: the category, or ``""`` for
    missing, so that categories the baseline has not seen stay apart from each other.
    """

    def key(distribution: Distribution | None) -> ir.Value:
        if isinstance(value, ir.StringValue):
            return _category_key(value, index, distribution)
        return _numeric_key(value, index, distribution)

    return _by_version(rows, subject, name, model, key)


def _by_version(
    rows: ir.Table,
    subject: Subject,
    name: str,
    model: ModelConfig,
    of: Callable[[Distribution | None], ir.Value],
) -> ir.Value:
    found = {version: b.distribution(subject, name) for version, b in model.baselines.items()}
    default = of(found.pop(ALL_VERSIONS, None))
    if not found:
        return default
    cases = [(rows.version == version, of(d)) for version, d in sorted(found.items())]
    return ibis.cases(*cases, else_=default)


def _category_key(
    value: ir.Value, index: ir.Value | None, distribution: Distribution | None
) -> ir.Value:
    if index is not None and isinstance(distribution, CategoricalDistribution):
        logged = ibis.cases(*((index == i, text) for i, text in enumerate(distribution.bins)))
        value = ibis.coalesce(value, logged)
    return value.fill_null("")


def _numeric_key(
    value: ir.Value, index: ir.Value | None, distribution: Distribution | None
) -> ir.Value:
    edges = distribution.edges.tolist() if isinstance(distribution, NumericDistribution) else []
    place = functools.reduce(
        lambda total, edge: total + (value >= edge).cast(_INT), edges, ibis.literal(0, _INT)
    )
    unusable = value.isnan() | value.isinf()
    binned = ibis.cases((value.isnull(), MISSING), (unusable, INVALID), else_=place).cast("string")
    if index is None:
        return binned
    return ibis.ifelse(value.isnull() & index.notnull(), index.cast("string"), binned)


def _out_of_range(rows: ir.Table, value: ir.Value, name: str, model: ModelConfig) -> ir.Value:
    def outside(distribution: Distribution | None) -> ir.Value:
        if not isinstance(distribution, NumericDistribution):
            return ibis.literal(False)
        return (value < distribution.minimum) | (value > distribution.maximum)

    return _by_version(rows, Subject.FEATURE, name, model, outside)


def _chosen(labeled: ir.Table, model: ModelConfig) -> ir.Table:
    """Add the probability that calibration judges, and whether what it spoke of came true."""
    if model.task is Task.BINARY:
        chosen, hit = labeled.p0, labeled.label == model.positive_label
    else:
        chosen = _probability_of(labeled, labeled.predicted, model)
        hit = labeled.label == labeled.predicted
    return labeled.mutate(chosen=chosen, hit=hit).filter(chosen.notnull())


def _probability_of(rows: ir.Table, classes: ir.Value, model: ModelConfig) -> ir.Value:
    cases = [(classes == name, rows[f"p{i}"]) for i, name in enumerate(score_classes(model))]
    return ibis.cases(*cases)


def _calibration_bin(rows: ir.Table) -> ir.Value:
    return ibis.least((rows.chosen * CALIBRATION_BINS).floor().cast(_INT), CALIBRATION_BINS - 1)


def _sums(labeled: ir.Table, model: ModelConfig) -> ir.Table:
    if model.task is Task.REGRESSION:
        return ibis.union(*(_sum(labeled, n, v) for n, v in _regression_terms(labeled).items()))
    if not score_classes(model):
        return _sum(labeled.filter(ibis.literal(False)), "log_loss", labeled.sign.cast("float64"))
    rows = _with_losses(labeled, model)
    chosen = _chosen(labeled, model)
    parts = [_sum(rows, "brier", rows.brier), _sum(rows, "brier_squares", rows.brier * rows.brier)]
    parts += [_sum(rows, "log_loss", rows.log_loss)]
    parts += [_sum(rows, "log_loss_squares", rows.log_loss * rows.log_loss)]
    parts += [_sum(chosen, "calibration", chosen.chosen, _calibration_bin(chosen))]
    return ibis.union(*parts)


def _sum(rows: ir.Table, stat: str, value: ir.Value, key: ir.Value | str = "") -> ir.Table:
    """Sum a float exactly: whole numbers per exponent, see the module's docstring."""
    magnitude = value.abs().nullif(0).log2()
    exponent = (magnitude / EXPONENT_BITS).floor().fill_null(0).cast(_INT)
    scale = (MANTISSA_BITS - EXPONENT_BITS * exponent).cast("float64")
    whole = (value * ibis.literal(2.0) ** scale).cast(_WIDE)
    return (
        rows.mutate(
            stat=ibis.literal(stat),
            key=_text(key),
            exponent=exponent,
            part=whole * rows.sign.cast(_WIDE),
            one=rows.sign,
        )
        .filter(value.notnull())
        .group_by([*GROUP, "stat", "key", "exponent"])
        .agg(value=lambda t: t.part.sum().cast(_WIDE), rows=lambda t: t.one.sum().cast(_INT))
    )


def _regression_terms(rows: ir.Table) -> dict[str, ir.Value]:
    """Return the terms of `RegressionStatistics`; `rows` of `error` is the count of labels."""
    y, e = rows.label, rows.predicted - rows.label
    ratio = ibis.ifelse(y == 0, ibis.null("float64"), (e / y.nullif(0)).abs())
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


def _with_losses(labeled: ir.Table, model: ModelConfig) -> ir.Table:
    """Add the log loss and the Brier score of each row that has all its probabilities."""
    scores = [labeled[f"p{i}"] for i in range(len(score_classes(model)))]
    if model.task is Task.BINARY:
        score, truth = scores[0], labeled.label == model.positive_label
        clipped = score.clip(lower=EPSILON, upper=1 - EPSILON)
        likelihood = ibis.ifelse(truth, clipped, 1 - clipped)
        brier = (score - truth.cast("float64")) * (score - truth.cast("float64"))
    else:
        given = _probability_of(labeled, labeled.label, model).fill_null(0.0)
        likelihood = given.clip(lower=EPSILON)
        # A label outside the known classes got probability 0: its own term is (0 - 1)^2.
        unknown = (~labeled.label.isin(score_classes(model))).cast("float64")
        gaps = [
            p - (labeled.label == name).cast("float64")
            for name, p in zip(score_classes(model), scores, strict=True)
        ]
        brier = functools.reduce(lambda total, gap: total + gap * gap, gaps, unknown)
    rows = labeled.mutate(log_loss=-likelihood.ln(), brier=brier)
    return rows.filter([p.notnull() for p in scores])


def _scores(labeled: ir.Table, model: ModelConfig) -> ir.Table:
    parts = [
        _score(labeled, name, labeled[f"p{i}"], name or str(model.positive_label))
        for i, name in enumerate(score_classes(model))
    ]
    if not parts:
        none = labeled.filter(ibis.literal(False))
        parts = [_score(none, "", none.sign.cast("float64"), "")]
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _score(rows: ir.Table, name: str, score: ir.Value, positive: str) -> ir.Table:
    odds = score / (1 - score).nullif(0)
    step = (odds.nullif(0).ln() * STEPS_PER_LOG_ODDS).floor().cast(_INT)
    key = ibis.cases((score <= 0, -CERTAIN), (score >= 1, CERTAIN), else_=step)
    truth = (rows.label.cast("string") == positive).cast(_INT)
    return (
        rows.mutate(class_name=ibis.literal(name), step=key, positive=rows.sign * truth)
        .filter(score.notnull())
        .group_by([*GROUP, "class_name", "step"])
        .agg(
            rows=lambda t: t.sign.sum().cast(_INT), positives=lambda t: t.positive.sum().cast(_INT)
        )
    )
