"""Tiles: the sufficient statistics of one model version, segment and hour, as whole numbers.

A tile is a bag of integers, so tiles add exactly, in any order, and a contribution that is taken
away again leaves nothing behind. That is what makes the output independent of the order, the
split and the repetition of what was read. There are three kinds:

- **counts**: rows by some property (bin of a feature, delay of the label);
- **sums**: a float per row, summed exactly (see `losses`);
- **cells**: labelled rows of a classifier, with the sums of their losses (see `cells`).

They are Ibis expressions over two relations of signed rows, -1 for what was and +1 for what is:
`delta_prediction` of predictions, `delta_labeled` of predictions with the label that counts.
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
from model_exporter.job.cells import cells_of
from model_exporter.job.columns import feature_names, score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.delays import delay_bucket
from model_exporter.job.losses import (
    amount_terms,
    exact_parts,
    quantile_hits,
    quantile_terms,
    regression_terms,
)
from model_exporter.job.relations import (
    GROUP,
    INT,
    WIDE,
    as_whole,
    by_segment,
    compiled,
    row_schema,
)
from model_exporter.records import Subject, Task


@dataclass(frozen=True, slots=True)
class TileSql:
    """DuckDB SQL that turns the two relations into rows of tiles.

    Attributes
    ----------
    predicted
        Counts of `delta_prediction`.
    labeled
        Tiles of `delta_labeled`, by their kind.
    """

    predicted: str
    labeled: Mapping[str, str]

    def of_rows(self) -> dict[str, str]:
        """Return the tiles of both relations, by their kind."""
        counts = f"({self.predicted}) UNION ALL ({self.labeled['counts']})"
        return {**self.labeled, "counts": counts}


def compile_tiles(model: ModelConfig) -> TileSql:
    """Compile the tile expressions of a model."""
    predicted = ibis.table(row_schema(model, features=True), name="delta_prediction")
    labeled = ibis.table(row_schema(model, features=False), name="delta_labeled")
    rows = by_segment(labeled, model)
    counts, terms = _of_labeled(labeled, model), amount_terms(rows, model)
    found = {}
    if model.task is Task.REGRESSION:
        counts += _of_regression(labeled, model)
        terms |= {(name, ""): term for name, term in regression_terms(rows).items()}
        terms |= quantile_terms(rows, model)
    else:
        found["cells"] = compiled(cells_of(labeled, model))
    found["counts"] = compiled(ibis.union(*counts))
    if terms:
        sums = [_sum(rows, stat, term, key) for (stat, key), term in terms.items()]
        found["sums"] = compiled(ibis.union(*sums) if len(sums) > 1 else sums[0])
    return TileSql(predicted=compiled(_predicted(predicted, model)), labeled=found)


def _predicted(delta: ir.Table, model: ModelConfig) -> ir.Table:
    parts = [_count(by_segment(delta, model), "predictions")]
    whole = as_whole(delta)
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
    """Count the delays of labels, and the scores of the rows that have one."""
    rows = as_whole(delta)
    scores = [(name, rows[f"p{i}"]) for i, name in enumerate(score_classes(model))]
    bins = [_bins(rows, score, Subject.SCORE, name, model, of="labeled_") for name, score in scores]
    return [_count(rows, "delay", key=delay_bucket(rows)), *bins]


def _of_regression(delta: ir.Table, model: ModelConfig) -> list[ir.Table]:
    """Count what `cells` tell of a classifier, and the labels inside predicted intervals."""
    rows, all_rows = by_segment(delta, model), as_whole(delta)
    hits = quantile_hits(rows, model).items()
    return [
        _count(rows, "labeled"),
        *(_count(rows.filter(hit), stat, key=key) for (stat, key), hit in hits),
        _bins(all_rows, all_rows.label, Subject.LABEL, "", model),
        _bins(all_rows, all_rows.predicted, Subject.PREDICTION, "", model, of="labeled_"),
    ]


def _count(
    rows: ir.Table, stat: str, name: ir.Value | str = "", key: ir.Value | str = ""
) -> ir.Table:
    return (
        rows.mutate(stat=ibis.literal(str(stat)), name=_text(name), key=_text(key))
        .group_by([*GROUP, "stat", "name", "key"])
        .agg(value=lambda t: t.sign.sum().cast(INT))
    )


def _text(value: ir.Value | str) -> ir.Value:
    return ibis.literal(value) if isinstance(value, str) else value.cast("string")


def _bins(
    rows: ir.Table,
    value: ir.Value,
    subject: Subject,
    name: str,
    model: ModelConfig,
    *,
    of: str = "",
) -> ir.Table:
    return _count(rows, f"{of}{subject}", name, bin_of(rows, value, subject, name, model))


def _sum(rows: ir.Table, stat: str, value: ir.Value, key: ir.Value | str = "") -> ir.Table:
    exponent, part = exact_parts(value)
    return (
        rows.mutate(
            stat=ibis.literal(stat),
            key=_text(key),
            exponent=exponent,
            part=part * rows.sign.cast(WIDE),
        )
        .filter(value.notnull())
        .group_by([*GROUP, "stat", "key", "exponent"])
        .agg(value=lambda t: t.part.sum().cast(WIDE), rows=lambda t: t.sign.sum().cast(INT))
    )
