"""Is the candidate good enough? Non-inferiority with a margin, and when there are too few rows."""

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri, stdtr

from model_exporter.catalogue import Better
from model_exporter.comparison import Difference
from model_exporter.gate.criteria import Rule
from model_exporter.gate.evidence import Compared, Measured
from model_exporter.gate.outcome import Decision, Finding
from model_exporter.scores.intervals import Z

ONE_SIDED_Z = 1.6448536269514722
"""95 % quantile of the normal distribution."""
NARROWER = ONE_SIDED_Z / Z
"""From an end of a two-sided 95 % interval to a one-sided 95 % bound. Exact for normal intervals;
for Student's with few degrees of freedom the bound is a little too far out."""


@dataclass(frozen=True, slots=True)
class Oriented:
    """A difference turned so that more is better, with its one-sided bounds."""

    value: float
    lower: float
    upper: float
    error: float
    """Standard error on the side of the lower bound."""


def decide(
    criterion: str, subject: str, compared: Compared, *, margin: float, better: Better, rule: Rule
) -> Finding:
    """Decide whether a candidate is worse by no more than a margin.

    It passes where the one-sided 95 % bound of the difference is better than minus the margin, and
    fails where the bound on the other side is worse than that. In between, it is undecided while
    an equal candidate, with the variance that is observed, would pass with less than `rule.power`;
    with more rows than that it fails, for an equal one would have passed.

    So a candidate that is worse by the margin passes in 5 % of evaluations, and an equal one with
    enough rows fails in ``1 - power``; both for each criterion by itself. As all must pass, the
    first holds for the whole gate too. Simulated, it is 2 to 7 % and 7 to 13 %: see
    `tests/gate/test_decide.py`.

    Examples
    --------
    >>> found = decide(
    ...     "quality", "accuracy", Compared(Difference(0.0, -0.02, 0.02), rows=900),
    ...     margin=0.01, better=Better.HIGHER, rule=Rule(),
    ... )
    >>> found.decision, found.rows_needed
    (<Decision.CANNOT_TELL: 'cannot tell'>, 8026)

    References
    ----------
    ICH E9, Statistical principles for clinical trials, 3.3.2; Julious, Sample sizes for clinical
    trials with normal data, Statist. Med. 23 (2004) 1921-1986.
    """
    found = oriented(compared, better)
    needed = None if found is None else rows_needed(found, compared, margin=margin, rule=rule)
    decision, reason = _decided(compared, found, needed, margin, rule)
    bounds = _bounds(found, better)
    return Finding(
        criterion,
        subject,
        decision,
        reason,
        candidate=compared.candidate,
        reference=compared.reference,
        difference=compared.difference.value,
        lower=bounds[0],
        upper=bounds[1],
        margin=margin,
        rows=compared.rows,
        rows_needed=needed if decision is Decision.CANNOT_TELL else None,
    )


def decide_maximum(
    criterion: str, subject: str, measured: Measured, *, maximum: float, rule: Rule
) -> Finding:
    """Decide whether a value of the candidate is below a maximum, by its one-sided 95 % bounds.

    Undecided where they lie on both sides of it: a value close to its maximum needs many rows.
    """
    found = measured.estimate
    narrowed: tuple[float | None, float | None] = (None, None)
    needed = None
    if found.lower is not None and found.upper is not None:
        lower = found.value - NARROWER * (found.value - found.lower)
        upper = found.value + NARROWER * (found.upper - found.value)
        narrowed = lower, upper
        needed = _rows_for(measured, lower, upper, maximum)
    if measured.rows < rule.minimum_rows or narrowed[0] is None or narrowed[1] is None:
        decision = Decision.CANNOT_TELL
        reason = f"{measured.rows:,} rows tell too little about this value"
        needed = max(rule.minimum_rows, needed or 0)
    elif narrowed[1] < maximum:
        decision, reason = Decision.PASS, f"below the maximum of {maximum:g}"
    elif narrowed[0] > maximum:
        decision, reason = Decision.FAIL, f"above the maximum of {maximum:g}"
    else:
        decision = Decision.CANNOT_TELL
        reason = f"too close to the maximum of {maximum:g} for {measured.rows:,} rows"
    return Finding(
        criterion,
        subject,
        decision,
        reason,
        candidate=found.value,
        reference=maximum,
        difference=found.value - maximum,
        lower=None if narrowed[0] is None else narrowed[0] - maximum,
        upper=None if narrowed[1] is None else narrowed[1] - maximum,
        rows=measured.rows,
        rows_needed=needed if decision is Decision.CANNOT_TELL else None,
    )


def _rows_for(measured: Measured, lower: float, upper: float, maximum: float) -> int | None:
    """Return the rows with which the bounds, narrowed by their root, would leave out the maximum.

    None beyond a thousand times as many.
    """
    value = measured.estimate.value
    room, half = maximum - value, upper - value if maximum > value else value - lower
    if not room or (times := (half / room) ** 2) > 1000:
        return None
    return math.ceil(measured.rows * times)


def oriented(compared: Compared, better: Better) -> Oriented | None:
    """Return a difference with more being better; None where nothing is known of its error."""
    found, sign = compared.difference, 1 if better is Better.HIGHER else -1
    if found.lower is None or found.upper is None:
        if not compared.paired:
            return None
        # Row by row the same difference: it has no error.
        return Oriented(sign * found.value, sign * found.value, sign * found.value, 0.0)
    below, above = found.value - found.lower, found.upper - found.value
    if sign < 0:
        below, above = above, below
    value = sign * found.value
    return Oriented(value, value - NARROWER * below, value + NARROWER * above, below / Z)


def rows_needed(found: Oriented, compared: Compared, *, margin: float, rule: Rule) -> int | None:
    """Return the rows with which an equal candidate passes with probability `rule.power`.

    The variance is the observed one. None where no number of rows would do: the baseline's own
    error is too large for the margin.
    """
    wanted = margin / (ONE_SIDED_Z + float(ndtri(rule.power)))
    left = wanted**2 - compared.fixed_error**2
    if left <= 0:
        return None
    own = max(0.0, found.error**2 - compared.fixed_error**2)
    return max(rule.minimum_rows, math.ceil(compared.rows * own / left))


def worse_p_value(difference: Difference, *, rows: int, margin: float, better: Better) -> float:
    """Return the one-sided p-value of "worse by no more than the margin"; 1 where unknown."""
    found = oriented(Compared(difference, rows), better)
    if found is None:
        return 1.0
    error = (found.upper - found.value) / ONE_SIDED_Z
    if not error:
        return float(found.value >= -margin)
    ratio = (found.value + margin) / error
    return float(stdtr(rows - 1, ratio)) if rows > 1 else float(ndtr(ratio))


def _decided(
    compared: Compared, found: Oriented | None, needed: int | None, margin: float, rule: Rule
) -> tuple[Decision, str]:
    if compared.rows < rule.minimum_rows:
        more = f"; about {needed:,} are needed for this margin" if needed else ""
        return (
            Decision.CANNOT_TELL,
            f"{compared.rows:,} rows are fewer than the minimum of {rule.minimum_rows:,}{more}",
        )
    if found is None:
        return Decision.CANNOT_TELL, "these rows tell nothing about the error of the difference"
    if found.lower > -margin:
        return Decision.PASS, f"worse by no more than {margin:g}"
    if found.upper < -margin:
        return Decision.FAIL, f"worse by more than {margin:g}"
    if needed is None:
        return (
            Decision.CANNOT_TELL,
            "the baseline has too few rows for this margin; compare with a champion, or widen it",
        )
    if compared.rows < needed:
        return (
            Decision.CANNOT_TELL,
            f"{compared.rows:,} rows are too few for a margin of {margin:g}: about {needed:,} are "
            "needed",
        )
    text = (
        f"not shown to be worse by no more than {margin:g}, on rows enough to show it of an equal "
        f"candidate in {rule.power:.0%}"
    )
    return (Decision.FAIL if rule.fail_undecided else Decision.CANNOT_TELL), text


def _bounds(found: Oriented | None, better: Better) -> tuple[float | None, float | None]:
    if found is None:
        return None, None
    ends = (found.lower, found.upper)
    return ends if better is Better.HIGHER else (-ends[1], -ends[0])
