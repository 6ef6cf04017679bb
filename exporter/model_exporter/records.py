"""The glossary of the code: small frozen records and enums that every module shares."""

import enum
from dataclasses import dataclass

ALL_VERSIONS = "all"
"""`model_version` of series that pool every version of a model."""

OTHER = "__other__"
"""The bin, class or label value that collects what a bounded set has no place for."""


class Task(enum.StrEnum):
    """What a model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Subject(enum.StrEnum):
    """Whose distribution a drift statistic or a bin speaks of."""

    FEATURE = "feature"
    PREDICTION = "prediction"
    SCORE = "score"
    LABEL = "label"


class InvalidReason(enum.StrEnum):
    """Why a feature value is invalid. A missing value is not invalid: it has its own count."""

    OUT_OF_RANGE = "out_of_range"
    UNSEEN = "unseen"
    TYPE = "type"
    NOT_FINITE = "not_finite"
    CONSTRAINT = "constraint"
    """Breaks what the user declared."""


class MismatchReason(enum.StrEnum):
    """How the columns of an input differ from the features of the baseline."""

    MISSING_COLUMN = "missing_column"
    EXTRA_COLUMN = "extra_column"


class LabelPolicy(enum.StrEnum):
    """Which of several label records of one prediction counts."""

    LATEST = "latest"
    """That with the latest label timestamp."""
    FIRST = "first"
    """That with the earliest label timestamp."""
    LAST_ARRIVAL = "last_arrival"
    """The one read last: for sources whose timestamps cannot be trusted."""


class LabelOutcome(enum.StrEnum):
    """What became of a label record; the ledger counts each record under exactly one."""

    MATCHED = "matched"
    """The first record of its prediction."""
    CORRECTED = "corrected"
    """A further record of its prediction, with a value that prediction had not had."""
    SUPERSEDED = "superseded"
    """The same where the policy has the first record count: it never takes effect."""
    DUPLICATE = "duplicate"
    """A further record of its prediction that repeats a value."""
    LATE = "late"
    """Longer after its prediction than labels may come; never joined."""
    EXPIRED = "expired"
    """Its prediction did not come, or was forgotten, within the time that labels are kept."""
    INVALID = "invalid"
    """Without id, label or timestamp, or of another type; never joined."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score with its two-sided 95 % confidence interval; bounds are None where none is known."""

    value: float
    lower: float | None = None
    upper: float | None = None
