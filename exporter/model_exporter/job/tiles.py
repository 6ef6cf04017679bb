"""Tiles: the sufficient statistics of one model version, segment and hour, as whole numbers.

A tile is a bag of integers, so tiles add exactly, in any order, and a contribution that is taken
away again leaves nothing behind. That is what makes the output independent of the order, the
split and the repetition of what was read. There are two kinds:

- **counts**: rows by some property (confusion cell, bin of a feature, calibration bin);
- **sums**: a float per row, summed exactly (see `losses`).

They are Ibis expressions over two relations of signed rows, -1 for what was and +1 for what is:
`delta_prediction` of predictions, `delta_labeled` of predictions with the label that counts. The
labelled rows of a classifier are first counted in `cells`, by all that its statistics tell apart.
The embedded store compiles the expressions for DuckDB; another engine would run the same ones and
send only tiles.

How scores rank is no tile, as an hour has about as many scores as rows: it is counted from the
rows of a window, see `score_counts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from model_exporter.job.bins import bin_of, out_of_range
from model_exporter.job.columns import (
    amount_columns,
    feature_names,
    prediction_columns,
    score_classes,
)
from model_exporter.job.config import ModelConfig
from model_exporter.job.delays import delay_bucket
from model_exporter.job.losses import (
    FIXED_EXPONENT,
    amount_terms,
    calibration_bin,
    exact_parts,
    fixed,
    quantile_hits,
    quantile_terms,
    regression_terms,
    with_chosen,
    with_losses,
)
from model_exporter.records import Subject, Task

STEPS_PER_LOG_ODDS = 128
LAST_STEP = 16 * STEPS_PER_LOG_ODDS
"""Scores within 1e-7 of 0 or 1 share the last step at their end; 0 and 1 have one of their own.
The area under the curve is off by less than 5e-5 on this grid, average
precision by less than 1e-3."""

GROUP = ("version", "segment", "segment_value", "slot")

_INT = "int64"
_WIDE = "decimal(38, 0)"


@dataclass(frozen=True, slots=True)
class TileSql:
    """DuckDB SQL that turns the two relations into rows of each kind of tile.

    Attributes
    ----------
    cells
        Of `delta_labeled`; what the table `cells` must hold for the next two. None where they
        read `delta_labeled` itself.
    predicted, labeled
        Counts of `delta_prediction`, and of labelled rows.
    sums
        Of labelled rows.
    """

    cells: str | None
    predicted: str
    labeled: str
    sums: str


def compile_tiles(model: ModelConfig) -> TileSql:
    """Compile the tile expressions of a model."""
    predicted = ibis.table(row_schema(model, features=True), name="delta_prediction")
    labeled = ibis.table(row_schema(model, features=False), name="delta_labeled")
    if model.task is Task.REGRESSION:
        rows = _by_segment(labeled, model)
        terms = {(name, ""): term for name, term in regression_terms(rows).items()}
        hits = quantile_hits(rows, model).items()
        terms |= quantile_terms(rows, model) | amount_terms(rows, model)
        return TileSql(
            cells=None,
            predicted=_sql(_predicted(predicted, model)),
            labeled=_sql(
                ibis.union(
                    _count(rows, "labeled"),
                    *(_count(rows.filter(hit), stat, key=key) for (stat, key), hit in hits),
                    _bins(_whole(labeled), labeled.label, Subject.LABEL, "", model),
                    *_of_labeled(labeled, model),
                )
            ),
            sums=_sql(ibis.union(*_sums(rows, terms))),
        )
    rows = _by_segment(labeled, model)
    cells, amounts = _cells(rows, model), _sums(rows, amount_terms(rows, model))
    table = ibis.table(cells.schema(), name="cells")
    return TileSql(
        cells=_sql(cells),
        predicted=_sql(_predicted(predicted, model)),
        labeled=_sql(ibis.union(_counts_of(table, model), *_of_labeled(labeled, model))),
        sums=_sql(ibis.union(_sums_of(table, model), *amounts)),
    )


def row_schema(model: ModelConfig, *, features: bool) -> dict[str, str]:
    """Return the columns of a signed relation that tiles read, and their Ibis types."""
    types = {"VARCHAR": "string", "DOUBLE": "float64", "SMALLINT": "int16"}
    columns = {
        c.name: types[c.form.sql_type]
        for c in prediction_columns(model)
        if c.form.sql_type in types and (features or c.name[0] not in "fb")
    }
    if not features:
        columns["label"] = "float64" if model.task is Task.REGRESSION else "string"
        columns |= {"ts": _INT, "first_ts": _INT}
        columns |= {c.name: "float64" for c in amount_columns(model)}
    return {"sign": _INT, "slot": _INT, **columns}


def _sql(expression: ir.Table) -> str:
    return str(ibis.to_sql(expression, dialect="duckdb"))


def _whole(rows: ir.Table) -> ir.Table:
    return rows.mutate(segment=ibis.literal(""), segment_value=ibis.literal(""))


def _by_segment(rows: ir.Table, model: ModelConfig) -> ir.Table:
    """Repeat each row for the whole model (segment ``""``) and for each of its segments."""
    parts = [
        rows.mutate(segment=ibis.literal(name), segment_value=rows[f"s{i}"]).filter(
            rows[f"s{i}"].notnull()
        )
        for i, name in enumerate(model.segments)
    ]
    return ibis.union(_whole(rows), *parts) if parts else _whole(rows)


def _predicted(delta: ir.Table, model: ModelConfig) -> ir.Table:
    parts = [_count(_by_segment(delta, model), "predictions")]
    whole = _whole(delta)
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
    return ibis.union(*parts)


def _of_labeled(delta: ir.Table, model: ModelConfig) -> list[ir.Table]:
    """Count the delays of labels, and what was predicted for the rows that have one."""
    rows = _whole(delta)
    values = [(Subject.PREDICTION, "", rows.predicted)]
    values += [(Subject.SCORE, name, rows[f"p{i}"]) for i, name in enumerate(score_classes(model))]
    bins = [
        _count(rows, f"labeled_{subject}", name, bin_of(rows, value, subject, name, model))
        for subject, name, value in values
    ]
    return [_count(rows, "delay", key=delay_bucket(rows)), *bins]


def _cells(rows: ir.Table, model: ModelConfig) -> ir.Table:
    """Count labelled rows by label, prediction and calibration bin, with the sums of the losses."""
    if not score_classes(model):
        none = ibis.null("float64")
        rows = rows.mutate(chosen=none, brier=none, log_loss=none)
    else:
        rows = with_losses(with_chosen(rows, model), model)

    def total(value: ir.Value) -> ir.Value:
        return (fixed(value) * rows.sign).sum().cast(_WIDE).fill_null(0)

    rows = rows.mutate(bin=calibration_bin(rows))
    return rows.group_by([*GROUP, "label", "predicted", "bin"]).agg(
        rows=rows.sign.sum().cast(_INT),
        scored=rows.sign.sum(where=rows.brier.notnull()).cast(_INT).fill_null(0),
        chosen=total(rows.chosen),
        brier=total(rows.brier),
        brier_squares=total(rows.brier * rows.brier),
        log_loss=total(rows.log_loss),
        log_loss_squares=total(rows.log_loss * rows.log_loss),
    )


def _counts_of(cells: ir.Table, model: ModelConfig) -> ir.Table:
    binned = cells.filter(cells.bin.notnull())
    right = model.positive_label if model.task is Task.BINARY else binned.predicted
    hits = binned.filter(binned.label == right)
    whole = cells.filter(cells.segment == "")
    parts = [
        _count(cells, "labeled"),
        _count(cells, "confusion", cells.label, cells.predicted),
        _count(binned, "calibration", key=binned.bin),
        _count(hits, "calibration_hits", key=hits.bin),
        _bins(whole, whole.label, Subject.LABEL, "", model),
    ]
    return ibis.union(*parts)


def _sums_of(cells: ir.Table, model: ModelConfig) -> ir.Table:
    binned = cells.filter(cells.bin.notnull())
    losses = ("brier", "brier_squares", "log_loss", "log_loss_squares")
    return ibis.union(
        *(_sum_of(cells, name, cells[name], rows=cells.scored) for name in losses),
        _sum_of(binned, "calibration", binned.chosen, rows=binned.rows, key=binned.bin),
    )


def _sum_of(
    cells: ir.Table, stat: str, value: ir.Value, *, rows: ir.Value, key: ir.Value | str = ""
) -> ir.Table:
    return (
        cells.mutate(
            stat=ibis.literal(stat),
            key=_text(key),
            exponent=ibis.literal(FIXED_EXPONENT, _INT),
            part=value,
            part_rows=rows,
        )
        .group_by([*GROUP, "stat", "key", "exponent"])
        .agg(
            value=lambda t: t.part.sum().cast(_WIDE),
            rows=lambda t: t.part_rows.sum().cast(_INT),
        )
    )


def _count(
    rows: ir.Table, stat: str, name: ir.Value | str = "", key: ir.Value | str = ""
) -> ir.Table:
    return (
        rows.mutate(stat=ibis.literal(str(stat)), name=_text(name), key=_text(key))
        .group_by([*GROUP, "stat", "name", "key"])
        .agg(value=lambda t: (t.rows if "rows" in t.columns else t.sign).sum().cast(_INT))
    )


def _text(value: ir.Value | str) -> ir.Value:
    return ibis.literal(value) if isinstance(value, str) else value.cast("string")


def _bins(
    rows: ir.Table, value: ir.Value, subject: Subject, name: str, model: ModelConfig
) -> ir.Table:
    return _count(rows, subject, name, bin_of(rows, value, subject, name, model))


def _sums(rows: ir.Table, terms: Mapping[tuple[str, str], ir.Value]) -> list[ir.Table]:
    return [_sum(rows, stat, term, key) for (stat, key), term in terms.items()]


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


def score_counts(model: ModelConfig, *, exact: bool) -> str:
    """Compile rows and positives by place, class and score of the signed relation `scored`.

    The scores are `exact`, or steps on a grid of `STEPS_PER_LOG_ODDS`.
    """
    schema = row_schema(model, features=False)
    del schema["slot"], schema["first_ts"]
    schema["place"] = _INT
    rows = _by_segment(ibis.table(schema, name="scored"), model)
    parts = [
        _score(rows, name, rows[f"p{i}"], name or str(model.positive_label), exact=exact)
        for i, name in enumerate(score_classes(model))
    ]
    return _sql(ibis.union(*parts) if len(parts) > 1 else parts[0])


def _score(rows: ir.Table, name: str, score: ir.Value, positive: str, *, exact: bool) -> ir.Table:
    truth = (rows.label == positive).cast(_INT)
    return (
        rows.mutate(
            class_name=ibis.literal(name),
            score=score if exact else _step(score),
            positive=rows.sign * truth,
        )
        .filter(score.notnull())
        .group_by(["place", *GROUP[:-1], "class_name", "score"])
        .agg(
            rows=lambda t: t.sign.sum().cast(_INT), positives=lambda t: t.positive.sum().cast(_INT)
        )
    )


def _step(score: ir.Value) -> ir.Value:
    odds = score / (1 - score).nullif(0)
    step = (odds.nullif(0).ln() * STEPS_PER_LOG_ODDS).floor()
    inside = step.clip(lower=-LAST_STEP, upper=LAST_STEP).cast(_INT)
    return ibis.cases((score <= 0, -LAST_STEP - 1), (score >= 1, LAST_STEP + 1), else_=inside)
