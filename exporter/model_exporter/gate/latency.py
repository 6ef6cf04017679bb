"""Latency: is the candidate fast enough."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import bdtr

from model_exporter.catalogue import Better
from model_exporter.comparison.difference import student_difference
from model_exporter.gate.criteria import Criteria
from model_exporter.gate.decide import decide, decide_maximum
from model_exporter.gate.evidence import Compared, Evidence, Measured
from model_exporter.gate.measure import against
from model_exporter.gate.outcome import Decision, Finding
from model_exporter.gate.sides import Evaluation, Floats
from model_exporter.records import Estimate
from model_exporter.scores.intervals import mean
from model_exporter.scores.statistics import Moments

CRITERION = "latency"
TAIL = 0.025


def measure(found: Evaluation, evidence: Evidence, criteria: Criteria) -> Evidence:
    """Add the candidate's latency, and its difference to the champion's."""
    if criteria.latency is None:
        return evidence
    sides = [
        side.latency[np.isfinite(side.latency)]
        if side is not None and side.latency is not None
        else np.empty(0)
        for side in (found.candidate, found.champion)
    ]
    quantile = criteria.latency.quantile
    own, other = (_estimate(seconds, quantile) for seconds in sides)
    compared = None
    if own is not None and other is not None:
        compared = against(own, other, min(seconds.size for seconds in sides))
        if quantile is None and found.paired and sides[0].size == sides[1].size:
            compared = _paired_mean(*sides)
    return with_latency(evidence, own, sides[0].size, compared)


def with_latency(
    evidence: Evidence, own: Estimate | None, rows: int, compared: Compared | None
) -> Evidence:
    """Add what is known of the latency."""
    measured = dict(evidence.measured)
    if own is not None:
        measured[CRITERION] = Measured(own, rows)
    return replace(evidence, measured=measured, latency=compared)


def judge(evidence: Evidence, criteria: Criteria) -> Sequence[Finding]:
    """Decide the growth of the latency by its margin, the latency by its maximum."""
    asked, found = criteria.latency, []
    if asked is None:
        return []
    own, compared = evidence.measured.get(CRITERION), evidence.latency
    if asked.margin is not None and compared is not None:
        found.append(
            decide(
                CRITERION,
                asked.statistic,
                compared,
                margin=asked.margin,
                better=Better.LOWER,
                rule=criteria.rule,
            )
        )
    if asked.maximum is not None and own is not None:
        rule = criteria.rule
        found.append(
            decide_maximum(CRITERION, asked.statistic, own, maximum=asked.maximum, rule=rule)
        )
    if len(found) < (asked.margin is not None) + (asked.maximum is not None):
        text = "no latency is known of the candidate, or of what it is compared with"
        found.append(Finding(CRITERION, asked.statistic, Decision.CANNOT_TELL, text))
    return found


def quantile_ranks(rows: int, quantile: float) -> tuple[int, int] | None:
    """Return the ranks, from 1, of the values that hold a quantile in 95 %; None of too few rows.

    Between the order statistics of these ranks the quantile lies, whatever the distribution.

    Examples
    --------
    >>> quantile_ranks(1000, 0.99), quantile_ranks(100, 0.99)
    ((983, 997), None)

    References
    ----------
    Conover, Practical Nonparametric Statistics, 1999, 3.2.
    """
    ranks = np.arange(rows + 1)
    below = bdtr(ranks, rows, quantile)
    lower = int(np.searchsorted(below, TAIL, side="right"))
    upper = int(np.searchsorted(below, 1 - TAIL, side="left")) + 1
    return (lower, upper) if lower >= 1 and upper <= rows else None


def _estimate(seconds: Floats, quantile: float | None) -> Estimate | None:
    if not seconds.size:
        return None
    if quantile is None:
        return mean(Moments(seconds.size, float(seconds.sum()), float(seconds @ seconds)))
    ordered, value = np.sort(seconds), float(np.quantile(seconds, quantile))
    ranks = quantile_ranks(seconds.size, quantile)
    if ranks is None:
        return Estimate(value)
    ends = (float(ordered[rank - 1]) for rank in ranks)
    lower, upper = ends
    return Estimate(value, min(lower, value), max(upper, value))


def _paired_mean(own: Floats, other: Floats) -> Compared:
    gaps = own - other
    error = float(gaps.std(ddof=1)) / np.sqrt(gaps.size) if gaps.size > 1 else np.inf
    difference = student_difference(
        float(gaps.mean()), float(error), rows=gaps.size, scale=float(np.abs(own).mean())
    )
    means = float(own.mean()), float(other.mean())
    return Compared(difference, gaps.size, candidate=means[0], reference=means[1], paired=True)
