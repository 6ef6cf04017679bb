"""Rows to score, and what was scored, as one record for all tests of this folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from model_exporter.records import Estimate, Task
from model_exporter.scores import SCORES
from model_exporter.scores.statistics import Statistics, statistics_from_rows

Values = dict[str, dict[tuple[str, ...], Estimate]]


@dataclass(frozen=True, eq=False)
class Rows:
    """Labels, predictions and scores of a model, as arrays of one length."""

    task: Task
    labels: NDArray
    predictions: NDArray
    scores: Mapping[str, NDArray] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    def take(self, index: NDArray) -> "Rows":
        """Return the rows of an index."""
        return Rows(
            self.task,
            self.labels[index],
            self.predictions[index],
            {name: column[index] for name, column in self.scores.items()},
            self.classes,
        )

    def statistics(self) -> Statistics:
        """Return the sufficient statistics."""
        return statistics_from_rows(
            task=self.task,
            labels=self.labels,
            predictions=self.predictions,
            scores=self.scores,
            classes=self.classes,
            positive_label=1 if self.task is Task.BINARY else None,
        )


def compute(statistics: Statistics, task: Task) -> Values:
    """Return every score of a task, by family."""
    return {s.name: dict(s.compute(statistics)) for s in SCORES if task in s.tasks}


def binary_rows(rng: np.random.Generator, n: int, *, base: float = 0.4, tied: bool = False) -> Rows:
    """Draw rows of a fairly good binary model; `tied` rounds its scores to tenths."""
    labels = (rng.random(n) < base).astype(int)
    scores = 1 / (1 + np.exp(-rng.normal(2 * labels - 1, 1.5)))
    scores = np.round(scores, 1) if tied else scores
    return Rows(Task.BINARY, labels, (scores >= 0.6).astype(int), {"": scores}, ("0", "1"))


def multiclass_rows(rng: np.random.Generator, n: int, *, classes: int = 4) -> Rows:
    """Draw rows of a fairly good classifier whose last classes are rare."""
    weights = 1 / np.arange(1, classes + 1) ** 1.5
    labels = rng.choice(classes, n, p=weights / weights.sum())
    logits = rng.normal(size=(n, classes)) + np.log(weights)
    logits[np.arange(n), labels] += 1.5
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    names = tuple(map(str, range(classes)))
    return Rows(Task.MULTICLASS, labels, p.argmax(axis=1), dict(zip(names, p.T, strict=True)), names)


def regression_rows(rng: np.random.Generator, n: int) -> Rows:
    """Draw rows of a fairly good regression model with skewed labels, some of them 0."""
    labels = np.where(rng.random(n) < 0.1, 0.0, rng.gamma(2, 10, n))
    return Rows(Task.REGRESSION, labels, labels + rng.normal(1, 5, n))


DRAW: dict[Task, Callable[[np.random.Generator, int], Rows]] = {
    Task.BINARY: binary_rows,
    Task.MULTICLASS: multiclass_rows,
    Task.REGRESSION: regression_rows,
}


@pytest.fixture(params=list(Task))
def task(request: pytest.FixtureRequest) -> Task:
    return request.param


@pytest.fixture
def scored() -> type:
    """Give the tests of this folder what they share."""

    class Shared:
        rows = Rows
        compute = staticmethod(compute)
        binary = staticmethod(binary_rows)
        multiclass = staticmethod(multiclass_rows)
        regression = staticmethod(regression_rows)
        draw = DRAW

    return Shared
