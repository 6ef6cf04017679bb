"""Segments: did the candidate get worse for some of the users."""

from collections.abc import Mapping, Sequence

from model_exporter.catalogue import SCORE_BY_KEY
from model_exporter.gate.criteria import Criteria
from model_exporter.gate.decide import decide, worse_p_value
from model_exporter.gate.evidence import Compared, Evidence
from model_exporter.gate.measure import compare_scores
from model_exporter.gate.outcome import Decision, Finding
from model_exporter.gate.sides import Evaluation

CRITERION = "segments"
LEVEL = 0.05
"""Chance that any segment is called worse where none is."""
MAX_VALUES = 200
"""Values of a segment that are tested, the most frequent ones: each makes the test of the others
less sharp."""


def measure(
    found: Evaluation, criteria: Criteria
) -> Mapping[tuple[str, str], Mapping[str, Compared]]:
    """Return the differences of the scores in each value of each segment."""
    if not criteria.segments or found.champion is None:
        return {}
    return {
        (segment, value): compare_scores(found.where(segment, value), criteria.segments)
        for segment in found.candidate.segments
        for value in _values(found, segment)
    }


def judge(evidence: Evidence, criteria: Criteria) -> Sequence[Finding]:
    """Stop a candidate that is shown to be worse by more than the margin somewhere.

    Each segment that has the minimum of rows is tested for being worse by more than the margin;
    the p-values are corrected by Holm's method. That no segment is shown to be worse does not show
    that all are good enough: small ones never could, and the line of the others says how many.
    """
    if not criteria.segments:
        return []
    tested = [
        (f"{segment}={value}: {key}", key, compared)
        for (segment, value), scores in evidence.segments.items()
        for key, compared in scores.items()
        if compared.rows >= criteria.rule.minimum_rows
    ]
    small = sum(
        max((c.rows for c in scores.values()), default=0) < criteria.rule.minimum_rows
        for scores in evidence.segments.values()
    )
    if not tested:
        text = f"no segment has the minimum of {criteria.rule.minimum_rows:,} rows"
        return [Finding(CRITERION, "all", Decision.CANNOT_TELL, text)]
    p_values = [
        worse_p_value(
            compared.difference,
            rows=compared.rows,
            margin=criteria.segments[key],
            better=SCORE_BY_KEY[key].better,
        )
        for _, key, compared in tested
    ]
    worse = [place for place, p in enumerate(holm(p_values)) if p < LEVEL]
    found = [
        _finding(*tested[place], criteria=criteria, p_value=holm(p_values)[place])
        for place in worse
    ]
    text = f"{len(tested) - len(worse):,} of {len(tested):,} differences are not shown to be worse"
    if small:
        text += f"; {small:,} segments have too few rows to say anything"
    if len(worse) == len(tested):
        return found
    return [*found, Finding(CRITERION, "others", Decision.PASS, text)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, in the same order.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979)
    65-70.
    """
    corrected, least = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = least
    return corrected


def _values(found: Evaluation, segment: str) -> list[str]:
    sizes: dict[str, int] = {}
    for value in found.candidate.segments[segment].tolist():
        if value is not None:
            sizes[value] = sizes.get(value, 0) + 1
    return sorted(sizes, key=lambda value: (-sizes[value], value))[:MAX_VALUES]


def _finding(
    subject: str, key: str, compared: Compared, *, criteria: Criteria, p_value: float
) -> Finding:
    margin, better = criteria.segments[key], SCORE_BY_KEY[key].better
    shown = decide(CRITERION, subject, compared, margin=margin, better=better, rule=criteria.rule)
    reason = f"worse by more than {margin:g} (p {p_value:.2g}, corrected for all segments)"
    return Finding(
        CRITERION,
        subject,
        Decision.FAIL,
        reason,
        candidate=shown.candidate,
        reference=shown.reference,
        difference=shown.difference,
        lower=shown.lower,
        upper=shown.upper,
        margin=margin,
        rows=compared.rows,
    )
