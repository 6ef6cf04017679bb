"""Business: is the candidate worth as much as the champion."""

from collections.abc import Mapping, Sequence

import numpy as np

from model_exporter.comparison.difference import student_difference
from model_exporter.gate.criteria import Criteria
from model_exporter.gate.decide import decide
from model_exporter.gate.evidence import Compared, Evidence
from model_exporter.gate.measure import against
from model_exporter.gate.outcome import Decision, Finding
from model_exporter.gate.sides import Evaluation, Floats, Side
from model_exporter.records import Task
from model_exporter.scores.intervals import mean
from model_exporter.scores.statistics import Moments

CRITERION = "business"
VALUE = "value"
"""The amount that `Criteria.values` makes."""


def measure(found: Evaluation, criteria: Criteria) -> Mapping[str, Compared]:
    """Return the difference of the mean of each amount; without a champion there is none."""
    if found.champion is None:
        return {}
    result = {}
    for name in criteria.business:
        own, other = (
            _amounts(found, side, name, criteria) for side in (found.candidate, found.champion)
        )
        if own is None or other is None:
            continue
        compared = _paired(own, other) if found.paired else _unpaired(own, other)
        if compared is not None:
            result[name] = compared
    return result


def judge(evidence: Evidence, criteria: Criteria) -> Sequence[Finding]:
    """Decide each amount by its margin."""
    return [
        decide(
            CRITERION,
            name,
            evidence.business[name],
            margin=asked.margin,
            better=asked.better,
            rule=criteria.rule,
        )
        if name in evidence.business
        else Finding(
            CRITERION,
            name,
            Decision.CANNOT_TELL,
            f"the candidate or the {evidence.reference} has no amounts of it; amounts are compared "
            "with a champion's",
        )
        for name, asked in criteria.business.items()
    ]


def _amounts(found: Evaluation, side: Side, name: str, criteria: Criteria) -> Floats | None:
    if name != VALUE or not criteria.values:
        return side.amounts.get(name)
    names = found.classes
    if found.task is Task.BINARY:
        names = ("negative", "positive")
    worth = np.array([[criteria.values.get((a, p), 0.0) for p in names] for a in names])
    amounts: Floats = worth[side.labels, side.predictions]
    return amounts


def _paired(own: Floats, other: Floats) -> Compared | None:
    both = np.isfinite(own) & np.isfinite(other)
    gaps = own[both] - other[both]
    if gaps.size < 2:  # no variance
        return None
    difference = student_difference(
        float(gaps.mean()),
        float(gaps.std(ddof=1) / np.sqrt(gaps.size)),
        rows=gaps.size,
        scale=float(np.abs(own[both]).mean() + np.abs(other[both]).mean()),
    )
    return Compared(
        difference,
        gaps.size,
        candidate=float(own[both].mean()),
        reference=float(other[both].mean()),
        paired=True,
    )


def _unpaired(own: Floats, other: Floats) -> Compared | None:
    sides = [amounts[np.isfinite(amounts)] for amounts in (own, other)]
    before, after = (
        mean(Moments(side.size, float(side.sum()), float(side @ side))) for side in reversed(sides)
    )
    if before is None or after is None:
        return None
    return against(after, before, min(side.size for side in sides))
