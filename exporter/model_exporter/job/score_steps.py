"""How the scores of rows rank: rows and positives by score, or by step on a grid of scores."""

import ibis
import ibis.expr.types as ir

from model_exporter.job.columns import score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.relations import GROUP, INT, by_segment, compiled, row_schema

STEPS_PER_LOG_ODDS = 128
PLACE = ("place", *GROUP[:-1], "class_name")
LAST_STEP = 16 * STEPS_PER_LOG_ODDS
"""Scores within 1e-7 of 0 or 1 share the last step at their end; 0 and 1 have one of their own.
The area under the curve is off by less than 5e-5 on this grid, average
precision by less than 1e-3."""


def score_counts(model: ModelConfig) -> str:
    """Compile rows and positives by place, class and step of the signed relation `scored`.

    The steps are of a grid, `STEPS_PER_LOG_ODDS`.
    """
    rows = _scores(model)
    return compiled(
        rows.mutate(score=_step(rows.score))
        .group_by([*PLACE, "score"])
        .agg(rows=lambda t: t.sign.sum().cast(INT), positives=lambda t: t.positive.sum().cast(INT))
    )


def score_rows(model: ModelConfig) -> str:
    """Compile the scores of the relation `scored`, one by one; `positive` is 1 or 0."""
    return compiled(_scores(model).select(*PLACE, "score", "positive"))


def _scores(model: ModelConfig) -> ir.Table:
    """Return what `scored` says about each class; its sign is in `positive` too."""
    schema = row_schema(model, features=False)
    del schema["slot"], schema["first_ts"]
    schema["place"] = INT
    rows = by_segment(ibis.table(schema, name="scored"), model)
    parts = []
    for i, name in enumerate(score_classes(model)):
        truth = rows.label == (name or str(model.positive_label))
        named = rows.mutate(
            class_name=ibis.literal(name),
            score=rows[f"p{i}"],
            positive=rows.sign * truth.cast(INT),
        )
        known = named.filter(named.score.notnull())
        parts.append(known.select(*PLACE, "score", "sign", "positive"))
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _step(score: ir.Value) -> ir.Value:
    odds = score / (1 - score).nullif(0)
    step = (odds.nullif(0).ln() * STEPS_PER_LOG_ODDS).floor()
    inside = step.clip(lower=-LAST_STEP, upper=LAST_STEP).cast(INT)
    return ibis.cases((score <= 0, -LAST_STEP - 1), (score >= 1, LAST_STEP + 1), else_=inside)
