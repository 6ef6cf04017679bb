"""What a gate asks of a candidate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from model_exporter.catalogue import SCORE_BY_KEY, Better
from model_exporter.errors import ConfigError
from model_exporter.records import Task
from model_exporter.scores import SCORES

ELSEWHERE = {
    "calibration_error": "it has a criterion of its own, `calibration`",
    "bias": "it is best at zero, so that no direction of it is worse; take mae or rmse",
    "class_precision": "it is one of each class; take precision, or `segments`",
    "class_recall": "it is one of each class; take recall, or `segments`",
    "class_f1": "it is one of each class; take f1, or `segments`",
}
"""Scores without a margin, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a difference is decided.

    Attributes
    ----------
    power
        With so many rows that an equal candidate would pass with this probability, one that does
        not pass fails; with fewer the gate cannot tell.
    minimum_rows
        Below it nothing is decided: intervals are not to be trusted.
    fail_undecided
        False has a candidate with enough rows that is neither shown to be good enough nor shown to
        be worse be undecided all the same.
    """

    power: float = 0.9
    minimum_rows: int = 100
    fail_undecided: bool = True


@dataclass(frozen=True, slots=True)
class Calibration:
    """By how much the calibration error may grow, or what it may be at most."""

    margin: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the distribution of the predictions may move; see `drift.detect.detect`.

    `significance` is the chance that a candidate within the tolerance is stopped, over all
    distributions that are tested.
    """

    tolerance: float = 0.01
    significance: float = 0.01


@dataclass(frozen=True, slots=True)
class Latency:
    """By how many seconds the mean or a quantile (``"p99"``) may grow, or what it may be."""

    statistic: str = "p99"
    margin: float | None = None
    maximum: float | None = None

    @property
    def quantile(self) -> float | None:
        """The quantile as a share; None for the mean."""
        return None if self.statistic == "mean" else float(self.statistic[1:]) / 100


@dataclass(frozen=True, slots=True)
class Data:
    """What the evaluation set itself must be, as shares of its rows.

    Attributes
    ----------
    missing
        By how much the share of missing values of a feature may exceed the baseline's.
    unseen, out_of_range
        Share of values outside the baseline's categories, or outside its range.
    duplicates, unlabeled
        Share of rows whose id came before, or that have no label.
    class_rows
        Labels that each class must have for anything to be decided; None is 30 for a binary model
        and 0 for a multiclass one, whose classes may be rare.
    """

    missing: float = 0.05
    unseen: float = 0.01
    out_of_range: float = 0.05
    duplicates: float = 0.0
    unlabeled: float = 1.0
    class_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Business:
    """By how much the mean amount of a row may be worse, and which direction is good."""

    margin: float
    better: Better = Better.HIGHER


@dataclass(frozen=True, slots=True)
class Criteria:
    """All that a gate asks; what is empty or None is not asked.

    Attributes
    ----------
    scores
        Margin by name of the score, as in `expectations` of the job's configuration.
    segments
        The same in each value of each segment; a segment is stopped only where it is shown to be
        worse, corrected for the number of segments.
    values
        What a row is worth by label and predicted class, which makes the amount ``"value"``.
    business
        By name of the amount.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    segments: Mapping[str, float] = field(default_factory=dict)
    calibration: Calibration | None = None
    drift: Drift | None = None
    latency: Latency | None = None
    data: Data | None = None
    values: Mapping[tuple[str, str], float] = field(default_factory=dict)
    business: Mapping[str, Business] = field(default_factory=dict)
    rule: Rule = field(default_factory=Rule)

    def check(self, task: Task) -> None:
        """Refuse what cannot be asked of a model of this task.

        Raises
        ------
        ConfigError
            With the criterion, what is wrong and what to do.
        """
        asked = (self.scores, self.segments, self.calibration, self.drift, self.latency, self.data)
        if not any((*asked, self.business)):
            raise ConfigError("the gate asks for nothing; give a margin, as accuracy: 0.01")
        for name, margin in (*self.scores.items(), *self.segments.items()):
            check_score(name, task)
            _positive(f"the margin of {name}", margin)
        for name, amount in self.business.items():
            _positive(f"the margin of {name}", amount.margin)
        _limits("calibration", self.calibration)
        _limits("latency", self.latency)
        if self.calibration and task is Task.REGRESSION:
            raise ConfigError(
                "calibration: a regression model gives no probabilities; leave it out"
            )
        if not 0.5 <= self.rule.power < 1:
            raise ConfigError(f"power: expected 0.5 or more, below 1, found {self.rule.power:g}")
        quantile = self.latency.quantile if self.latency else None
        if self.latency and quantile is not None and not 0 < quantile < 1:
            raise ConfigError(f"latency: {self.latency.statistic} is no quantile; write p99")


def check_score(name: str, task: Task) -> None:
    """Refuse a score that has no margin for this task.

    Raises
    ------
    ConfigError
        If it is unknown, of another task, or has no direction.
    """
    known = sorted(
        key
        for key, family in SCORE_BY_KEY.items()
        if key not in ELSEWHERE
        and any(score.name == family.name and task in score.tasks for score in SCORES)
    )
    if name in ELSEWHERE:
        raise ConfigError(f"{name} takes no margin: {ELSEWHERE[name]}")
    if name not in known:
        raise ConfigError(f"a {task} model has no score {name!r}; it has: {', '.join(known)}")


def _limits(name: str, limits: Calibration | Latency | None) -> None:
    if limits is None:
        return
    if limits.margin is None and limits.maximum is None:
        raise ConfigError(f"{name}: give a `margin` over the champion or baseline, or a `max`")
    for key, value in (("margin", limits.margin), ("max", limits.maximum)):
        if value is not None:
            _positive(f"{name}.{key}", value)


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(
            f"{name} is {value:g}; expected more than 0: no number of rows shows that two are equal"
        )
