"""What a gate finds: a decision for each criterion, and one for all."""

import enum
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA_VERSION = 1
"""Of the JSON; a key that is renamed or removed raises it."""


class Decision(enum.StrEnum):
    """What a criterion says of a candidate."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    CANNOT_TELL = "cannot tell"
    """Too few rows for the margin."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    criterion, subject
        Such as ``"quality"`` and ``"accuracy"``.
    reason
        One sentence: why it was decided so, and what would change it.
    candidate, reference
        Value of the candidate, and of the champion or the baseline.
    difference, lower, upper
        Candidate minus reference, and the bounds that hold it with 95 % each (one-sided).
    margin
        By how much the candidate may be worse, in the unit of the values.
    rows, rows_needed
        Rows behind it; how many there should be, where there are too few.
    """

    criterion: str
    subject: str
    decision: Decision
    reason: str
    candidate: float | None = None
    reference: float | None = None
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    margin: float | None = None
    rows: int | None = None
    rows_needed: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of a gate.

    Attributes
    ----------
    reference
        What the candidate was held against: ``"champion"``, ``"baseline"`` or ``"nothing"``.
    paired
        Whether both scored the same rows, and were compared row by row.
    """

    findings: Sequence[Finding]
    rows: int
    reference: str
    paired: bool

    @property
    def decision(self) -> Decision:
        """Fail where one criterion fails; else cannot tell where one cannot; else pass."""
        found = {finding.decision for finding in self.findings}
        if Decision.FAIL in found:
            return Decision.FAIL
        return Decision.CANNOT_TELL if Decision.CANNOT_TELL in found else Decision.PASS

    @property
    def passed(self) -> bool:
        """Whether every criterion passes."""
        return self.decision is Decision.PASS

    @property
    def rows_needed(self) -> int | None:
        """The most rows that an undecided criterion asks for; None where none does."""
        needed = [
            finding.rows_needed
            for finding in self.findings
            if finding.decision is Decision.CANNOT_TELL and finding.rows_needed is not None
        ]
        return max(needed, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "schema_version": SCHEMA_VERSION,
            "decision": str(self.decision),
            "rows": self.rows,
            "rows_needed": self.rows_needed,
            "reference": self.reference,
            "paired": self.paired,
            "findings": [
                {**asdict(finding), "decision": str(finding.decision)} for finding in self.findings
            ],
        }
