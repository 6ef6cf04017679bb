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
    compiled,
    row_schema,
    whole_and_segments,
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
    counts, terms = _of_labeled(labeled, model), amount_terms(labeled, model)
    found = {}
    if model.task is Task.REGRESSION:
        counts += _of_regression(labeled, model)
        terms |= {(name, ""): term for name, term in regression_terms(labeled).items()}
        terms |= quantile_terms(labeled, model)
    else:
        found["cells"] = compiled(cells_of(labeled, model))
    found["counts"] = compiled(ibis.union(*counts))
    if terms:
        sums = [_sum(labeled, model, stat, term, key) for (stat, key), term in terms.items()]
        found["sums"] = compiled(ibis.union(*sums) if len(sums) > 1 else sums[0])
    return TileSql(predicted=compiled(_predicted(predicted, model)), labeled=found)


def _predicted(rows: ir.Table, model: ModelConfig) -> ir.Table:
    parts = [_by_segment(rows, model, "predictions")]
    for i, name in enumerate(feature_names(model)):
        value, index = rows[f"f{i}"], rows[f"b{i}"]
        key = bin_of(rows, value, Subject.FEATURE, name, model, index=index)
        parts.append(_count(rows, Subject.FEATURE, name, key))
        if name in model.numeric and model.baselines:
            # Only where the log has the value: a bin does not tell what lies beyond the range.
            known = rows.filter(value.notnull() & ~value.isnan())
            outside = known.filter(out_of_range(known, known[f"f{i}"], name, model))
            parts.append(_count(known, "ranged", name))
            parts.append(_count(outside, "out_of_range", name))
    parts.append(_bins(rows, rows.predicted, Subject.PREDICTION, "", model))
    for i, name in enumerate(score_classes(model)):
        parts.append(_bins(rows, rows[f"p{i}"], Subject.SCORE, name, model))
    return ibis.union(*parts)


def _of_labeled(rows: ir.Table, model: ModelConfig) -> list[ir.Table]:
    """Count the delays of labels, and the scores of the rows that have one."""
    scores = [(name, rows[f"p{i}"]) for i, name in enumerate(score_classes(model))]
    bins = [_bins(rows, score, Subject.SCORE, name, model, of="labeled_") for name, score in scores]
    return [_count(rows, "delay", key=delay_bucket(rows)), *bins]


def _of_regression(rows: ir.Table, model: ModelConfig) -> list[ir.Table]:
    """Count what `cells` tell of a classifier, and the labels inside predicted intervals."""
    hits = quantile_hits(rows, model).items()
    return [
        _by_segment(rows, model, "labeled"),
        *(_by_segment(rows.filter(hit), model, stat, key) for (stat, key), hit in hits),
        _bins(rows, rows.label, Subject.LABEL, "", model),
        _bins(rows, rows.predicted, Subject.PREDICTION, "", model, of="labeled_"),
    ]


def _count(rows: ir.Table, stat: str, name: str = "", key: ir.Value | str = "") -> ir.Table:
    """Count rows of the whole model by a key."""
    keyed = rows if isinstance(key, str) else rows.mutate(key=key)
    by = ["version", "slot"] if isinstance(key, str) else ["version", "slot", "key"]
    counts = keyed.group_by(by).agg(value=keyed.sign.sum())
    whole = counts.mutate(segment=ibis.literal(""), segment_value=ibis.literal(""))
    return _counts(whole, stat, name, key if isinstance(key, str) else counts.key.cast("string"))


def _by_segment(rows: ir.Table, model: ModelConfig, stat: str, key: str = "") -> ir.Table:
    """Count rows of the whole model and of its segments."""
    counts = whole_and_segments(rows, model, ["slot"], {"value": rows.sign.sum()})
    return _counts(counts, stat, "", key)


def _counts(rows: ir.Table, stat: str, name: str, key: ir.Value | str) -> ir.Table:
    key = ibis.literal(key) if isinstance(key, str) else key
    named = rows.mutate(stat=ibis.literal(str(stat)), name=ibis.literal(name), key=key)
    return named.select(*GROUP, "slot", "stat", "name", "key", value=named.value.cast(INT))


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


def _sum(rows: ir.Table, model: ModelConfig, stat: str, value: ir.Value, key: str) -> ir.Table:
    exponent, part = exact_parts(value)
    parts = rows.mutate(exponent=exponent, part=part * rows.sign.cast(WIDE)).filter(value.notnull())
    totals = {"value": parts.part.sum(), "rows": parts.sign.sum()}
    sums = whole_and_segments(parts, model, ["slot", "exponent"], totals)
    sums = sums.mutate(stat=ibis.literal(stat), key=ibis.literal(key))
    amounts = {"value": sums.value.cast(WIDE), "rows": sums.rows.cast(INT)}
    return sums.select(*GROUP, "slot", "stat", "key", "exponent", **amounts)
