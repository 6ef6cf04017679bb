"""Quality: is the candidate as good as the champion or the baseline, score by score."""

from collections.abc import Mapping, Sequence

from model_exporter.catalogue import SCORE_BY_KEY
from model_exporter.gate.criteria import Criteria
from model_exporter.gate.decide import decide
from model_exporter.gate.evidence import Compared, Evidence
from model_exporter.gate.measure import compare_scores
from model_exporter.gate.outcome import Decision, Finding
from model_exporter.gate.sides import Evaluation

CRITERION = "quality"


def measure(found: Evaluation, criteria: Criteria) -> Mapping[str, Compared]:
    """Return the differences of the scores that have a margin."""
    return compare_scores(found, criteria.scores)


def judge(evidence: Evidence, criteria: Criteria) -> Sequence[Finding]:
    """Decide each score by its margin."""
    return [
        decide(
            CRITERION,
            key,
            evidence.quality[key],
            margin=margin,
            better=SCORE_BY_KEY[key].better,
            rule=criteria.rule,
        )
        if key in evidence.quality
        else Finding(CRITERION, key, Decision.CANNOT_TELL, undefined(evidence))
        for key, margin in criteria.scores.items()
    ]


def undefined(evidence: Evidence) -> str:
    """Say why a value is not there."""
    return (
        f"undefined for the candidate or for the {evidence.reference}: rows of one class only, no "
        "labels, or no probabilities"
    )
