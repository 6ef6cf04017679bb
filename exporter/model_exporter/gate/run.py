"""From an evaluation set, and what is asked, to a report."""

from model_exporter.errors import ConfigError
from model_exporter.gate import (
    business,
    calibration,
    data_quality,
    latency,
    prediction_drift,
    quality,
    segments,
)
from model_exporter.gate.criteria import Criteria
from model_exporter.gate.evidence import Evidence
from model_exporter.gate.outcome import Report
from model_exporter.gate.sides import Evaluation
from model_exporter.records import Task

CHAMPION, BASELINE, NOTHING = "champion", "baseline", "nothing"


def judge_table(found: Evaluation, criteria: Criteria) -> Report:
    """Judge the candidate of an evaluation set.

    Raises
    ------
    ConfigError
        If what is asked cannot be answered with what is given.
    """
    criteria.check(found.task)
    _check_reference(found, criteria)
    return judge(evidence_of(found, criteria), criteria, found.task)


def evidence_of(found: Evaluation, criteria: Criteria) -> Evidence:
    """Return what the rows say about everything that is asked."""
    reference = BASELINE if found.baseline is not None else NOTHING
    evidence = Evidence(
        rows=int(found.candidate.labels.size),
        reference=reference if found.champion is None else CHAMPION,
        paired=found.paired,
        quality=quality.measure(found, criteria),
        segments=segments.measure(found, criteria),
        drift=prediction_drift.measure(found, criteria),
        checks=data_quality.measure(found, criteria),
        labels=data_quality.labels_by_class(found),
        business=business.measure(found, criteria),
    )
    evidence = calibration.measure(found, evidence, criteria)
    return latency.measure(found, evidence, criteria)


def judge(evidence: Evidence, criteria: Criteria, task: Task) -> Report:
    """Decide every criterion that is asked."""
    findings = [
        *data_quality.judge(evidence, criteria, task),
        *quality.judge(evidence, criteria),
        *segments.judge(evidence, criteria),
        *calibration.judge(evidence, criteria),
        *prediction_drift.judge(evidence, criteria),
        *latency.judge(evidence, criteria),
        *business.judge(evidence, criteria),
    ]
    return Report(findings, evidence.rows, evidence.reference, evidence.paired)


def _check_reference(found: Evaluation, criteria: Criteria) -> None:
    if found.champion is None and (criteria.segments or criteria.business):
        raise ConfigError(
            "segments and business amounts are compared with a champion; name its columns"
        )
    margins = criteria.scores or (criteria.calibration and criteria.calibration.margin)
    if found.champion is None and found.baseline is None and margins:
        raise ConfigError(
            "a margin is over a champion or a baseline; name the champion's columns, or a baseline"
        )
