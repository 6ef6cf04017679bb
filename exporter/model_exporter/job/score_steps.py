"""How the scores of rows rank: rows and positives by score, or by step on a grid of scores."""

import ibis
import ibis.expr.types as ir

from model_exporter.job.columns import score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.relations import GROUP, INT, compiled, row_schema, whole_and_segments

STEPS_PER_LOG_ODDS = 128
PLACE = ("place", *GROUP, "class_name")
LAST_STEP = 16 * STEPS_PER_LOG_ODDS
"""Scores within 1e-7 of 0 or 1 share the last step at their end; 0 and 1 have one of their own.
The area under the curve is off by less than 5e-5 on this grid, average
precision by less than 1e-3."""


def score_counts(model: ModelConfig, *, exact: bool) -> str:
    """Compile rows and positives by place, class and score of the signed relation `scored`.

    The scores are themselves, or steps of a grid (`STEPS_PER_LOG_ODDS`).
    """
    schema = row_schema(model, features=False)
    del schema["slot"], schema["first_ts"]
    rows = ibis.table({**schema, "place": INT}, name="scored")
    parts = []
    for i, name in enumerate(score_classes(model)):
        known = rows.filter(rows[f"p{i}"].notnull())
        truth = known.label == (name or str(model.positive_label))
        score = known[f"p{i}"]
        named = known.mutate(score=score if exact else _step(score))
        totals = {"rows": named.sign.sum(), "positives": (named.sign * truth.cast(INT)).sum()}
        counted = whole_and_segments(named, model, ["place", "score"], totals)
        counted = counted.mutate(class_name=ibis.literal(name))
        parts.append(counted.select(*PLACE, "score", "rows", "positives"))
    return compiled(ibis.union(*parts) if len(parts) > 1 else parts[0])


def _step(score: ir.Value) -> ir.Value:
    odds = score / (1 - score).nullif(0)
    step = (odds.nullif(0).ln() * STEPS_PER_LOG_ODDS).floor()
    inside = ibis.greatest(ibis.least(step, LAST_STEP), -LAST_STEP).cast(INT)
    return ibis.cases((score <= 0, -LAST_STEP - 1), (score >= 1, LAST_STEP + 1), else_=inside)
