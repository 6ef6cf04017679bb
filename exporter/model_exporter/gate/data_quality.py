"""Data quality: is the evaluation set itself fit to decide by."""

from collections.abc import Mapping, Sequence

import numpy as np

from model_exporter.distribution import (
    MISSING,
    CategoricalDistribution,
    Distribution,
    NumericDistribution,
    numeric_values,
)
from model_exporter.gate.criteria import Criteria, Data
from model_exporter.gate.evidence import Check, Evidence
from model_exporter.gate.outcome import Decision, Finding
from model_exporter.gate.sides import Evaluation
from model_exporter.records import Task
from model_exporter.scores.intervals import proportion

CRITERION = "data"
CLASS_ROWS = {Task.BINARY: 30, Task.MULTICLASS: 0, Task.REGRESSION: 0}


def measure(found: Evaluation, criteria: Criteria) -> Sequence[Check]:
    """Return what is to be checked of the candidate's table."""
    asked = criteria.data
    if asked is None:
        return []
    rows = found.unlabeled + found.candidate.labels.size
    rows = max((len(column) for column in found.table.values()), default=rows)
    checks = [Check("unlabelled rows", found.unlabeled, rows, asked.unlabeled)]
    if found.ids is not None:
        known = [text for text in found.ids.tolist() if text is not None]
        repeated = len(known) - len(set(known))
        checks.append(Check("duplicate ids", repeated, rows, asked.duplicates))
    for name, distribution in (found.baseline.features if found.baseline else {}).items():
        checks += _feature(found.table, name, distribution, rows, asked)
    return checks


def labels_by_class(found: Evaluation) -> Mapping[str, int]:
    """Return how many labels each class has."""
    if found.task is Task.REGRESSION:
        return {}
    counts = np.bincount(found.candidate.labels, minlength=len(found.classes))
    return dict(zip(found.classes, counts.tolist(), strict=True))


def judge(evidence: Evidence, criteria: Criteria, task: Task) -> Sequence[Finding]:
    """Stop where the data is surely not as it should be; ask for more of a rare class."""
    if criteria.data is None:
        return []
    failed = [finding for check in evidence.checks if (finding := _judged(check)) is not None]
    least = criteria.data.class_rows
    least = CLASS_ROWS[task] if least is None else least
    rare = [
        _rare(name, count, evidence.rows, least)
        for name, count in evidence.labels.items()
        if count < least
    ]
    if evidence.rows < criteria.rule.minimum_rows:
        rare.append(_few(evidence.rows, criteria.rule.minimum_rows))
    if failed or rare:
        return [*failed, *rare]
    text = f"{len(evidence.checks):,} checks: nothing is out of order"
    return [Finding(CRITERION, "evaluation set", Decision.PASS, text, rows=evidence.rows)]


def _judged(check: Check) -> Finding | None:
    share = proportion(check.count, check.rows)
    allowed = check.usual + check.allowed
    if share is None or share.lower is None or share.lower <= allowed:
        return None
    text = f"{check.count:,} of {check.rows:,} ({share.value:.1%}); allowed are {allowed:.1%}"
    return Finding(
        CRITERION,
        check.subject,
        Decision.FAIL,
        text,
        candidate=share.value,
        reference=allowed,
        rows=check.rows,
    )


def _few(rows: int, least: int) -> Finding:
    text = f"{rows:,} labelled rows are fewer than the minimum of {least:,}"
    return Finding(
        CRITERION, "labelled rows", Decision.CANNOT_TELL, text, rows=rows, rows_needed=least
    )


def _rare(name: str, count: int, rows: int, least: int) -> Finding:
    needed = int(np.ceil(rows * least / count)) if count else None
    text = f"{count:,} labels of class {name}; {least:,} are needed"
    text += f", about {needed:,} rows" if needed else ""
    return Finding(
        CRITERION, f"class {name}", Decision.CANNOT_TELL, text, rows=rows, rows_needed=needed
    )


def _feature(
    table: Mapping[str, object], name: str, distribution: Distribution, rows: int, asked: Data
) -> list[Check]:
    usual = distribution.missing / max(1, distribution.missing + int(distribution.counts.sum()))
    if name not in table:
        return [Check(f"{name}: missing", rows, rows, asked.missing, usual)]
    column = table[name]
    try:
        bins = distribution.bin_index(column)  # type: ignore[arg-type]  # any column
    except (TypeError, ValueError):
        return [Check(f"{name}: not numeric", rows, rows, asked.missing, usual)]
    missing, present = int((bins == MISSING).sum()), int((bins != MISSING).sum())
    checks = [Check(f"{name}: missing", missing, rows, asked.missing, usual)]
    if isinstance(distribution, CategoricalDistribution):
        other = len(distribution.categories)
        share = float(distribution.counts[-1] / max(1, distribution.counts.sum()))
        unseen = int((bins == other).sum())
        checks.append(Check(f"{name}: unseen", unseen, present, asked.unseen, share))
    elif isinstance(distribution, NumericDistribution):
        values = numeric_values(column)  # type: ignore[arg-type]  # any column
        out = int(((values < distribution.minimum) | (values > distribution.maximum)).sum())
        checks.append(Check(f"{name}: out of range", out, present, asked.out_of_range))
    return checks
