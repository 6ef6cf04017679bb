"""Scikit-learn as the second implementation of every score, on any rows Hypothesis finds.

Scores are drawn from tenths, so that ties, a single class, absent classes and perfect predictions
all come up.
"""

from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter.records import Task
from model_exporter.scores import SCORES
from model_exporter.scores.statistics import statistics_from_rows

CLASSES = ("a", "b", "c", "d")
AVERAGES = {
    "precision": oracle.precision_score,
    "recall": oracle.recall_score,
    "f1": oracle.f1_score,
}

EXAMPLES = settings(max_examples=150, deadline=None, derandomize=True)
pytestmark = pytest.mark.filterwarnings("ignore:A single label was found")

binary = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 10).map(lambda k: k / 10)),
    min_size=1,
    max_size=40,
).map(lambda rows: [np.array(column) for column in zip(*rows, strict=True)])
parts = st.tuples(*[st.integers(0, 4)] * len(CLASSES)).filter(any)
multiclass = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES), parts), min_size=1, max_size=40
).map(lambda rows: [np.array(column) for column in zip(*rows, strict=True)])
numbers = st.integers(-50, 50).map(lambda k: k / 4)
regression = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=40).map(
    lambda rows: [np.array(column, dtype=float) for column in zip(*rows, strict=True)]
)


def values(task: Task, labels, predictions, scores, *, classes=()) -> dict:
    statistics = statistics_from_rows(
        task=task,
        labels=labels,
        predictions=predictions,
        scores=scores,
        classes=classes,
        positive_label=1 if task is Task.BINARY else None,
    )
    return {
        score.name: {key: e.value for key, e in score.compute(statistics).items()}
        for score in SCORES
        if task in score.tasks
    }


def agree(got: dict, expected: dict[tuple[str, ...], float | None]) -> None:
    """Compare one family; None means that the score is undefined and must be absent."""
    defined = {key: value for key, value in expected.items() if value is not None}
    assert got == pytest.approx(defined, rel=1e-9, abs=1e-12)


def where(defined: object, score: Callable[[], float]) -> float | None:
    return float(score()) if defined else None


@EXAMPLES
@given(binary)
def test_binary_classes(rows) -> None:
    y, p, _ = rows
    got = values(Task.BINARY, y, p, {})
    both = len(set(y)) == 2
    agree(got["model_accuracy_ratio"], {(): oracle.accuracy_score(y, p)})
    agree(
        got["model_balanced_accuracy_ratio"],
        {(): where(both, lambda: oracle.balanced_accuracy_score(y, p))},
    )
    agree(
        got["model_specificity_ratio"],
        {(): where((y == 0).any(), lambda: oracle.recall_score(y, p, pos_label=0))},
    )
    agree(got["model_mcc"], {(): oracle.matthews_corrcoef(y, p)})
    defined = {"precision": p.any(), "recall": y.any(), "f1": y.any() or p.any()}
    for name, score in AVERAGES.items():
        averages = ("macro", "micro", "weighted")
        expected = {(a,): score(y, p, average=a, zero_division=0) for a in averages}
        expected["binary",] = where(defined[name], lambda s=score: s(y, p, zero_division=0))
        agree(got[f"model_{name}_ratio"], expected)


@EXAMPLES
@given(binary)
def test_binary_scores(rows) -> None:
    y, p, s = rows
    got = values(Task.BINARY, y, p, {"": s})
    both = len(set(y)) == 2
    agree(got["model_roc_auc"], {(): where(both, lambda: oracle.roc_auc_score(y, s))})
    agree(
        got["model_average_precision"],
        {(): where(y.any(), lambda: oracle.average_precision_score(y, s))},
    )
    agree(got["model_log_loss"], {(): oracle.log_loss(y, s, labels=[0, 1])})
    agree(got["model_brier_score"], {(): ((s - y) ** 2).mean()})
    agree(got["model_calibration_error"], {(): calibration_error(s, y)})


@EXAMPLES
@given(multiclass)
def test_multiclass_classes(rows) -> None:
    y, p, _ = rows
    got = values(Task.MULTICLASS, y, p, {}, classes=CLASSES)
    agree(got["model_accuracy_ratio"], {(): oracle.accuracy_score(y, p)})
    labelled = sorted(set(y))
    balanced = oracle.recall_score(y, p, labels=labelled, average="macro", zero_division=0)
    agree(got["model_balanced_accuracy_ratio"], {(): balanced})
    agree(got["model_mcc"], {(): oracle.matthews_corrcoef(y, p)})
    for name, score in AVERAGES.items():
        averages = ("macro", "micro", "weighted")
        expected = {(a,): score(y, p, average=a, zero_division=0) for a in averages}
        agree(got[f"model_{name}_ratio"], expected)
        each = score(y, p, labels=CLASSES, average=None, zero_division=np.nan)
        by_class = dict(zip(CLASSES, each, strict=True))
        expected = {(c,): where(not np.isnan(v), lambda v=v: v) for c, v in by_class.items()}
        agree(got[f"model_class_{name}_ratio"], expected)


@EXAMPLES
@given(multiclass)
def test_multiclass_scores(rows) -> None:
    y, p, weights = rows
    s = weights / weights.sum(axis=1, keepdims=True)
    columns = dict(zip(CLASSES, s.T, strict=True))
    got = values(Task.MULTICLASS, y, p, columns, classes=CLASSES)
    one_hot = y[:, None] == np.array(CLASSES)
    present = sorted(set(y))
    several = [c for c in present if len(present) > 1]
    mean_auc = where(
        several,
        lambda: np.mean([oracle.roc_auc_score(y == c, columns[c]) for c in several]),
    )
    agree(got["model_roc_auc"], {(): mean_auc})
    mean_ap = np.mean([oracle.average_precision_score(y == c, columns[c]) for c in present])
    agree(got["model_average_precision"], {(): mean_ap})
    agree(got["model_log_loss"], {(): oracle.log_loss(y, s, labels=CLASSES)})
    agree(got["model_brier_score"], {(): ((s - one_hot) ** 2).sum(axis=1).mean()})
    confidence = s[np.arange(y.size), [CLASSES.index(c) for c in p]]
    agree(got["model_calibration_error"], {(): calibration_error(confidence, y == p)})


@EXAMPLES
@given(regression)
def test_regression(rows) -> None:
    y, p = rows
    got = values(Task.REGRESSION, y, p, {})
    nonzero, total = y != 0, np.abs(y).sum()
    varied = y.size > 1 and len(set(y)) > 1
    expected = {
        "model_mae": oracle.mean_absolute_error(y, p),
        "model_mse": oracle.mean_squared_error(y, p),
        "model_rmse": oracle.root_mean_squared_error(y, p),
        "model_r2": where(varied, lambda: oracle.r2_score(y, p)),
        "model_mape_ratio": where(
            nonzero.any(),
            lambda: oracle.mean_absolute_percentage_error(y[nonzero], p[nonzero]),
        ),
        "model_wape_ratio": where(total, lambda: np.abs(y - p).sum() / total),
        "model_bias": (p - y).mean(),
    }
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        agree(got[name], {(): value})


def calibration_error(scores: np.ndarray, truth: np.ndarray) -> float:
    """Follow the definition bin by bin, in decimal tenths."""
    total = 0.0
    for k in range(10):
        inside = (scores >= k / 10) & ((scores < (k + 1) / 10) | (k == 9))
        if inside.any():
            total += inside.sum() * abs(scores[inside].mean() - truth[inside].mean())
    return total / scores.size
