"""Drift: does the candidate predict something else than the champion or the baseline did."""

import math
from collections.abc import Sequence

import numpy as np

from model_exporter.distribution import CategoricalDistribution, Distribution, NumericDistribution
from model_exporter.drift import Comparison
from model_exporter.drift.detect import detect
from model_exporter.drift.psi import psi
from model_exporter.gate.criteria import Criteria, Drift
from model_exporter.gate.evidence import Evidence, Shift
from model_exporter.gate.outcome import Decision, Finding
from model_exporter.gate.sides import Column, Evaluation, Side
from model_exporter.records import Task

CRITERION = "drift"
MAX_CATEGORIES = 200


def measure(found: Evaluation, criteria: Criteria) -> Sequence[Shift]:
    """Return the distributions of predictions and probabilities against the reference's.

    Against a champion that scored the same rows the test is cautious: it takes the two for
    independent samples, and the rows that they share make them more alike than such would be.
    """
    if criteria.drift is None:
        return []
    columns = _columns(found, found.candidate)
    pairs = [
        (name, column, reference, effect)
        for name, column in columns.items()
        if (given := _reference(found, name)) is not None
        for reference, effect in [given]
    ]
    return [
        _shift(
            name, column, reference, effect, criteria.drift, criteria.rule.minimum_rows, len(pairs)
        )
        for name, column, reference, effect in pairs
    ]


def judge(evidence: Evidence, criteria: Criteria) -> Sequence[Finding]:
    """Stop a candidate whose predictions moved by more than is tolerated."""
    if criteria.drift is None:
        return []
    if not evidence.drift:
        text = "there is no reference distribution; give a champion or a baseline"
        return [Finding(CRITERION, "prediction", Decision.CANNOT_TELL, text)]
    return [_judged(shift) for shift in evidence.drift]


def _judged(shift: Shift) -> Finding:
    needed = None
    if shift.detected is None:
        decision, needed = Decision.CANNOT_TELL, shift.minimum_rows
        reason = f"{shift.rows:,} values are fewer than the minimum of {needed:,}"
    elif shift.detected:
        decision, reason = Decision.FAIL, "the distribution moved by more than is tolerated"
    else:
        decision, reason = Decision.PASS, "no move beyond the tolerance is seen"
    if shift.psi is not None:
        reason += f" (PSI {shift.psi:.3f}"
        reason += f", critical {shift.psi_critical:.3f})" if shift.psi_critical is not None else ")"
    return Finding(CRITERION, shift.subject, decision, reason, rows=shift.rows, rows_needed=needed)


def _shift(
    name: str,
    column: Column,
    reference: Distribution,
    effect: float,
    asked: Drift,
    minimum_rows: int,
    tests: int,
) -> Shift:
    compared = _compared(reference, column)
    rows, minimum = int(compared.current_counts.sum()), math.ceil(minimum_rows * effect)
    verdict = None
    if rows >= minimum:
        verdict = detect(
            compared,
            tolerance=asked.tolerance,
            significance=asked.significance / tests,
            design_effect=effect,
        )
    index = psi(compared)
    return Shift(
        name,
        None if verdict is None else verdict.detected,
        None if index is None else index.value,
        None if verdict is None else verdict.psi_critical,
        rows,
        minimum,
    )


def _compared(reference: Distribution, column: Column) -> Comparison:
    if isinstance(reference, CategoricalDistribution):
        names, counts = np.unique(column.astype(str), return_counts=True)
        return Comparison.categorical(
            reference, dict(zip(names.tolist(), counts.tolist(), strict=True))
        )
    bins = reference.bin_index(column)
    counts = np.bincount(bins[bins >= 0], minlength=reference.counts.size)
    return Comparison.numeric(reference, counts)


def _columns(found: Evaluation, side: Side) -> dict[str, Column]:
    """Return predictions, by name of their class, and probabilities."""
    predictions = side.predictions
    if found.task is not Task.REGRESSION:
        predictions = np.array(found.classes, dtype=np.object_)[predictions]
    scores = {
        f"score of {name}" if name else "score": column for name, column in side.scores.items()
    }
    return {"prediction": predictions, **scores}


def _reference(found: Evaluation, name: str) -> tuple[Distribution, float] | None:
    """Return the distribution to compare with, and its design effect."""
    if found.champion is not None:
        column = _columns(found, found.champion).get(name)
        if column is None or not column.size:
            return None
        if column.dtype.kind == "O":
            return CategoricalDistribution.fit(column, max_categories=MAX_CATEGORIES), 1.0
        if not np.isfinite(column).any():
            return None
        return NumericDistribution.fit(column, max_values=0), 1.0
    if found.baseline is None:
        return None
    subject = "prediction" if name == "prediction" else "score"
    feature = name.removeprefix("score").removeprefix(" of ") if subject == "score" else ""
    distribution = found.baseline.distribution(subject, feature)
    effect = found.baseline.design_effects.get((subject, feature), 1.0)
    return None if distribution is None else (distribution, effect)
