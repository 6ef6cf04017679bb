"""What is known of a candidate, from rows of a table or from the series of the job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model_exporter.comparison import Difference
from model_exporter.records import Estimate


@dataclass(frozen=True, slots=True)
class Compared:
    """A value of the candidate against that of the reference.

    Attributes
    ----------
    rows
        Pairs, or rows of the candidate or of the smaller side.
    fixed_error
        The part of the standard error that more rows would not make smaller: the baseline's.
    """

    difference: Difference
    rows: int
    candidate: float | None = None
    reference: float | None = None
    paired: bool = False
    fixed_error: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A value of the candidate alone, and the rows behind it."""

    estimate: Estimate
    rows: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A distribution of the candidate's predictions against the reference's.

    `detected` is None below `minimum_rows`.
    """

    subject: str
    detected: bool | None
    psi: float | None
    psi_critical: float | None
    rows: int
    minimum_rows: int


@dataclass(frozen=True, slots=True)
class Check:
    """Rows of the evaluation set that are not as they should be.

    `usual` is the share that the baseline has, `allowed` what is allowed beyond it.
    """

    subject: str
    count: int
    rows: int
    allowed: float
    usual: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that criteria are decided by; what was not asked for is empty.

    Attributes
    ----------
    quality
        By score.
    segments
        By segment and value, by score.
    labels
        Labelled rows by class.
    measured
        By criterion, the candidate's own value, for what may be no more than a maximum.
    """

    rows: int
    reference: str
    paired: bool
    quality: Mapping[str, Compared] = field(default_factory=dict)
    segments: Mapping[tuple[str, str], Mapping[str, Compared]] = field(default_factory=dict)
    calibration: Compared | None = None
    latency: Compared | None = None
    drift: Sequence[Shift] = ()
    checks: Sequence[Check] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    business: Mapping[str, Compared] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)
