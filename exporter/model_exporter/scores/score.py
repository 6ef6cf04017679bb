"""The record that every score of this folder exports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from model_exporter.records import Estimate, Task

Estimates = Mapping[tuple[str, ...], Estimate]
"""By the values of the family's extra labels, `()` for none; an undefined one is absent."""

CLASSIFICATION = frozenset({Task.BINARY, Task.MULTICLASS})
REGRESSION = frozenset({Task.REGRESSION})


@dataclass(frozen=True, slots=True)
class Score:
    """A quality score.

    Attributes
    ----------
    name
        Its family in the catalogue.
    compute
        Pure function of the statistics of its tasks: `ClassificationStatistics` or
        `RegressionStatistics`.
    """

    name: str
    tasks: frozenset[Task]
    compute: Callable[[Any], Estimates]


def single(estimate: Estimate | None) -> Estimates:
    """Key the only estimate of a family without extra labels."""
    return {} if estimate is None else {(): estimate}
