"""Tiles: the sufficient statistics of one model version, segment and hour, as whole numbers.

A tile is a bag of integers, so tiles add exactly, in any order, and a contribution that is taken
away again leaves nothing behind. That is what makes the output independent of the order, the
split and the repetition of what was read. There are three kinds:

- **counts**: rows by some property (confusion cell, bin of a feature, calibration bin);
- **sums**: a float per row, summed exactly (see `losses`);
- **scores**: rows by probability and truth, on a grid of 2**20 steps per unit of log-odds. Scores
  that differ in their sixth decimal never share a step.

The three are Ibis expressions over one relation of signed rows, the `delta`: -1 for each joined
row as it was, +1 for as it is. The embedded store compiles them for DuckDB; another engine would
run the same expressions and send only tiles.
"""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from model_exporter.job.bins import bin_of, out_of_range
from model_exporter.job.columns import feature_names, prediction_columns, score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.losses import (
    calibration_bin,
    exact_parts,
    regression_terms,
    with_chosen,
    with_losses,
)
from model_exporter.records import Subject, Task

STEPS_PER_LOG_ODDS = 1 << 20
CERTAIN = 1_000_000_000
"""Step of probability 1 (and, negated, of 0): beyond the log-odds of every other float64."""

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
        chosen = with_chosen(labeled, model)
        hits = chosen.filter(chosen.hit)
        parts.append(_count(chosen, "calibration", key=calibration_bin(chosen)))
        parts.append(_count(hits, "calibration_hits", key=calibration_bin(hits)))
    whole = delta.mutate(segment=ibis.literal(""), segment_value=ibis.literal(""))
    for i, name in enumerate(feature_names(model)):
        value, index = whole[f"f{i}"], whole[f"b{i}"]
        key = bin_of(whole, value, Subject.FEATURE, name, model, index=index)
        parts.append(_count(whole, Subject.FEATURE, name, key))
        if name in model.numeric and model.baselines:
            # Only where the log has the value: a bin does not tell what lies beyond the range.
            known = whole.filter(value.notnull() & ~value.isnan())
            outside = known.filter(out_of_range(known, known[f"f{i}"], name, model))
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
    return _count(rows, subject, name, bin_of(rows, value, subject, name, model))


def _sums(labeled: ir.Table, model: ModelConfig) -> ir.Table:
    if model.task is Task.REGRESSION:
        return ibis.union(*(_sum(labeled, n, v) for n, v in regression_terms(labeled).items()))
    if not score_classes(model):
        return _sum(labeled.filter(ibis.literal(False)), "log_loss", labeled.sign.cast("float64"))
    rows = with_losses(labeled, model)
    chosen = with_chosen(labeled, model)
    parts = [_sum(rows, "brier", rows.brier), _sum(rows, "brier_squares", rows.brier * rows.brier)]
    parts += [_sum(rows, "log_loss", rows.log_loss)]
    parts += [_sum(rows, "log_loss_squares", rows.log_loss * rows.log_loss)]
    parts += [_sum(chosen, "calibration", chosen.chosen, calibration_bin(chosen))]
    return ibis.union(*parts)


def _sum(rows: ir.Table, stat: str, value: ir.Value, key: ir.Value | str = "") -> ir.Table:
    exponent, part = exact_parts(value)
    return (
        rows.mutate(
            stat=ibis.literal(stat),
            key=_text(key),
            exponent=exponent,
            part=part * rows.sign.cast(_WIDE),
        )
        .filter(value.notnull())
        .group_by([*GROUP, "stat", "key", "exponent"])
        .agg(value=lambda t: t.part.sum().cast(_WIDE), rows=lambda t: t.sign.sum().cast(_INT))
    )


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
