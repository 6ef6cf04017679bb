"""Properties that every score has, and that every score is listed."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from model_exporter import catalogue, scores
from model_exporter.records import Estimate, Task
from model_exporter.scores import SCORES
from model_exporter.scores.statistics import Statistics, statistics_from_rows

FOLDER = Path(scores.__file__).parent
SHARED = {
    "__init__",
    "confusion",
    "decisions",
    "inner",
    "intervals",
    "ranked_lists",
    "ranking",
    "score",
    "statistics",
}
"""Modules of the folder that are not a score."""


def draw(task: Task, rows: int, seed: int = 0) -> dict:
    """Draw labels, predictions and scores of a fairly good model; some labels are missing."""
    rng = np.random.default_rng(seed)
    if task is Task.REGRESSION:
        y = np.where(rng.random(rows) < 0.1, 0.0, rng.gamma(2, 10, rows))
        y[rng.random(rows) < 0.05] = np.nan
        return {"labels": y, "predictions": y + rng.normal(1, 5, rows), "scores": {}}
    k = 2 if task is Task.BINARY else 4
    y = rng.integers(0, k, rows)
    logits = rng.normal(size=(rows, k)) + 1.5 * (y[:, None] == np.arange(k))
    p = np.round(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 2)
    columns = {"": p[:, 1]} if task is Task.BINARY else dict(zip("0123", p.T, strict=True))
    labels = np.where(rng.random(rows) < 0.05, np.nan, y)
    return {"labels": labels, "predictions": p.argmax(axis=1), "scores": columns}


def take(rows: dict, index: np.ndarray) -> dict:
    columns = {name: column[index] for name, column in rows["scores"].items()}
    return {
        "labels": rows["labels"][index],
        "predictions": rows["predictions"][index],
        "scores": columns,
    }


def statistics(task: Task, rows: dict) -> Statistics:
    classes = {Task.BINARY: ("0", "1"), Task.MULTICLASS: tuple("0123"), Task.REGRESSION: ()}[task]
    positive = 1 if task is Task.BINARY else None
    return statistics_from_rows(task=task, classes=classes, positive_label=positive, **rows)


def compute(found: Statistics, task: Task) -> dict[tuple, Estimate]:
    """Return all estimates by family and key."""
    return {
        (score.name, *key): estimate
        for score in SCORES
        if task in score.tasks
        for key, estimate in score.compute(found).items()
    }


def flat(found: dict[tuple, Estimate]) -> dict[tuple, float | None]:
    return {
        (*key, name): getattr(estimate, name)
        for key, estimate in found.items()
        for name in ("value", "lower", "upper")
    }


def added(a: object, b: object) -> object:
    """Add two statistics, field by field, as tiles are added."""
    if dataclasses.is_dataclass(a) and hasattr(a, "scores") and hasattr(a, "negatives"):
        values = np.unique(np.concatenate([a.scores, b.scores]))
        counts = np.zeros((2, values.size), dtype=np.int64)
        for part in (a, b):
            place = np.searchsorted(values, part.scores)
            counts[:, place] += [part.negatives, part.positives]
        return type(a)(values, *counts)
    if dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a)]
        return type(a)(**{n: added(getattr(a, n), getattr(b, n)) for n in names})
    if isinstance(a, dict):
        return {name: added(a[name], b[name]) for name in a}
    return a if a is None or isinstance(a, (str, tuple)) else a + b


def test_every_file_is_listed() -> None:
    """A score that is written but not listed would never be served."""
    files = {path.stem for path in FOLDER.glob("*.py")} - SHARED
    listed = {score.compute.__module__.rpartition(".")[2] for score in SCORES}
    assert files == listed, f"list in scores/__init__.py: {sorted(files ^ listed)}"


def test_scores_are_those_of_the_catalogue_in_its_order() -> None:
    assert [score.name for score in SCORES] == [family.name for family in catalogue.SCORES]


@pytest.mark.parametrize("task", list(Task))
def test_keys_fit_the_extra_labels(task: Task) -> None:
    extra = {family.name: len(family.extra) for family in catalogue.SCORES}
    found = compute(statistics(task, draw(task, 200)), task)
    assert {name for name, *_ in found} == {s.name for s in SCORES if task in s.tasks}
    assert all(len(key) == extra[name] for name, *key in found)


@pytest.mark.parametrize("task", list(Task))
def test_order_does_not_matter(task: Task) -> None:
    rows = draw(task, 300)
    index = np.random.default_rng(1).permutation(300)
    once, again = (flat(compute(statistics(task, r), task)) for r in (rows, take(rows, index)))
    assert once == pytest.approx(again, rel=1e-9)


@pytest.mark.parametrize("task", list(Task))
def test_duplication_keeps_values_and_narrows_intervals(task: Task) -> None:
    rows = draw(task, 300)
    once, twice = (
        compute(statistics(task, r), task) for r in (rows, take(rows, np.repeat(np.arange(300), 4)))
    )
    for key, estimate in once.items():
        assert twice[key].value == pytest.approx(estimate.value, rel=1e-9)
        ratio = (twice[key].upper - twice[key].lower) / (estimate.upper - estimate.lower)
        assert 0.3 < ratio < 0.65, key  # half, but for small samples


@pytest.mark.parametrize("task", list(Task))
def test_statistics_of_parts_add_up(task: Task) -> None:
    """Scores of the sum of two tiles are those of all the rows."""
    rows = draw(task, 400)
    parts = [statistics(task, take(rows, i)) for i in np.split(np.arange(400), [130])]
    whole = flat(compute(statistics(task, rows), task))
    assert flat(compute(added(*parts), task)) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 5, 6, 8, 12, 200])
def test_estimates_are_finite_and_lie_within_interval_and_range(task: Task, rows: int) -> None:
    ranges = {family.name: family.range for family in catalogue.SCORES}
    for seed in range(20):
        for (name, *_), e in compute(statistics(task, draw(task, rows, seed)), task).items():
            low, high = ranges[name]
            ends = [e.value] if e.lower is None else [e.lower, e.value, e.upper]
            assert (e.lower is None) == (e.upper is None)
            assert all(map(math.isfinite, ends)), (name, e)
            assert ends == sorted(ends), (name, e)
            assert low <= ends[0], (name, e)
            assert ends[-1] <= high + 1e-12, (name, e)


@pytest.mark.parametrize("task", list(Task))
def test_without_labels_nothing_is_defined(task: Task) -> None:
    rows = draw(task, 20)
    rows["labels"] = np.full(20, np.nan)
    assert compute(statistics(task, rows), task) == {}


def test_perfect_classifier_has_an_upper_end_of_one_and_room_below() -> None:
    y = np.array([0, 1] * 25)
    rows = {"labels": y, "predictions": y, "scores": {"": 0.1 + 0.8 * y}}
    found = compute(statistics(Task.BINARY, rows), Task.BINARY)
    for key in [("model_f1_ratio", "macro"), ("model_mcc",), ("model_roc_auc",)]:
        assert found[key].upper == pytest.approx(1)
        assert 0.7 < found[key].lower < 0.95, key


def test_sums_that_overflow_leave_the_score_out() -> None:
    """Nothing on /metrics is NaN or infinite, whatever a model predicts."""
    y = 1e200 * np.arange(1, 10)
    rows = {"labels": y, "predictions": -y, "scores": {}}
    found = compute(statistics(Task.REGRESSION, rows), Task.REGRESSION)
    assert found == {
        ("model_mae",): Estimate(pytest.approx(1e201)),
        ("model_mape_ratio",): Estimate(2.0, 2.0, 2.0),
        ("model_wape_ratio",): Estimate(2.0),
        ("model_bias",): Estimate(pytest.approx(-1e201)),
    }


def test_r2_of_labels_that_vary_less_than_sums_can_tell_is_undefined() -> None:
    y = 1e9 + np.arange(10) / 10
    rows = {"labels": y, "predictions": y, "scores": {}}
    assert ("model_r2",) not in compute(statistics(Task.REGRESSION, rows), Task.REGRESSION)
