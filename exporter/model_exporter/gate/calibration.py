"""Calibration: do the candidate's probabilities still mean what they say."""

from collections.abc import Sequence
from dataclasses import replace

from model_exporter.catalogue import Better
from model_exporter.gate.criteria import Criteria
from model_exporter.gate.decide import decide, decide_maximum
from model_exporter.gate.evidence import Evidence, Measured
from model_exporter.gate.measure import against, estimates
from model_exporter.gate.outcome import Decision, Finding
from model_exporter.gate.quality import undefined
from model_exporter.gate.sides import Evaluation
from model_exporter.records import Estimate

CRITERION = "calibration"
KEY, FAMILY = "calibration_error", "model_calibration_error"


def measure(found: Evaluation, evidence: Evidence, criteria: Criteria) -> Evidence:
    """Add the calibration error of the candidate, and its difference.

    The intervals are of the error without what a few rows scatter. Those of two sides that scored
    the same rows are taken as if they had not, which makes the interval too wide, never too narrow.
    """
    if criteria.calibration is None:
        return evidence
    own = estimates(found, found.candidate, [FAMILY]).get(FAMILY)
    if own is None:
        return evidence
    rows = found.candidate.labels.size
    measured = {**evidence.measured, CRITERION: Measured(own, rows)}
    evidence = replace(evidence, measured=measured)
    reference, fixed = _reference(found)
    if reference is None:
        return evidence
    if found.champion is not None:
        rows = min(rows, found.champion.labels.size)
    compared = against(own, reference, rows, fixed=fixed)
    return replace(evidence, calibration=compared)


def judge(evidence: Evidence, criteria: Criteria) -> Sequence[Finding]:
    """Decide the growth of the error by its margin, the error by its maximum."""
    asked, found = criteria.calibration, []
    if asked is None:
        return []
    own, compared = evidence.measured.get(CRITERION), evidence.calibration
    if asked.margin is not None and compared is not None:
        found.append(
            decide(
                CRITERION,
                KEY,
                compared,
                margin=asked.margin,
                better=Better.LOWER,
                rule=criteria.rule,
            )
        )
    if asked.maximum is not None and own is not None:
        found.append(decide_maximum(CRITERION, KEY, own, maximum=asked.maximum, rule=criteria.rule))
    if len(found) < (asked.margin is not None) + (asked.maximum is not None):
        found.append(Finding(CRITERION, KEY, Decision.CANNOT_TELL, undefined(evidence)))
    return found


def _reference(found: Evaluation) -> tuple[Estimate | None, str]:
    """Return the error of the champion or the baseline, and the score if it is the latter's."""
    if found.champion is not None:
        return estimates(found, found.champion, [FAMILY]).get(FAMILY), ""
    quality = found.baseline.quality.get(FAMILY, {}) if found.baseline else {}
    return quality.get(()), KEY
