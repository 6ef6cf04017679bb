"""What a script logs is scored as scikit-learn scores it, whatever order labels come in."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from model_exporter import ConfigError, ModelMonitor, SchemaError
from model_exporter.evaluation.metric import MeasuredScore, names_of
from model_exporter.evaluation.rows import LabeledRows, Prediction
from model_exporter.records import Task

SEED = 20261120


def binary_rows(rows: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, predictions and scores of a mediocre model."""
    random_state = np.random.default_rng(SEED)
    labels = random_state.integers(0, 2, rows)
    scores = np.clip(0.35 * labels + 0.65 * random_state.random(rows), 0.001, 0.999)
    return labels, (scores > 0.5).astype(int), scores


BINARY: dict[str, Callable[..., float]] = {
    "accuracy": lambda y, p, s: metrics.accuracy_score(y, p),
    "balanced_accuracy": lambda y, p, s: metrics.balanced_accuracy_score(y, p),
    "precision": lambda y, p, s: metrics.precision_score(y, p),
    "recall": lambda y, p, s: metrics.recall_score(y, p),
    "f1": lambda y, p, s: metrics.f1_score(y, p),
    "mcc": lambda y, p, s: metrics.matthews_corrcoef(y, p),
    "roc_auc": lambda y, p, s: metrics.roc_auc_score(y, s),
    "average_precision": lambda y, p, s: metrics.average_precision_score(y, s),
    "log_loss": lambda y, p, s: metrics.log_loss(y, s),
    "brier_score": lambda y, p, s: metrics.brier_score_loss(y, s),
}


@pytest.mark.parametrize("name", BINARY)
def test_binary_scores_are_those_of_scikit_learn(name: str) -> None:
    labels, predictions, scores = binary_rows()
    with ModelMonitor("m") as monitor:
        monitor.log_predictions(predictions, scores=scores)
        monitor.log_true_labels(labels)
        found = monitor.calculate_metric(name)
    assert found == pytest.approx(BINARY[name](labels, predictions, scores), rel=1e-9)
    assert found.rows == labels.size
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found < found.upper


def test_multiclass_scores_and_averages() -> None:
    """The average is macro unless said; scores of one class are asked for by its name."""
    random_state = random.Random(SEED)
    labels = random_state.choices(["sun", "rain", "fog"], k=200)
    predictions = [y if random_state.random() < 0.7 else "sun" for y in labels]
    with ModelMonitor("m") as monitor:
        monitor.log_predictions(predictions)
        monitor.log_true_labels(labels)
        for average in ("macro", "micro", "weighted"):
            expected = metrics.f1_score(labels, predictions, average=average)
            assert monitor.calculate_metric("f1", average=average) == pytest.approx(expected)
        macro = metrics.f1_score(labels, predictions, average="macro")
        assert monitor.calculate_metric("f1") == pytest.approx(macro)
        fog = metrics.recall_score(labels, predictions, labels=["fog"], average="macro")
        assert monitor.calculate_metric("class_recall", of_class="fog") == pytest.approx(fog)


def test_regression_scores() -> None:
    random_state = np.random.default_rng(SEED)
    labels = random_state.normal(50, 10, 300)
    predictions = labels + random_state.normal(1, 3, 300)
    with ModelMonitor("m") as monitor:
        monitor.log_predictions(pd.Series(predictions))
        monitor.log_true_labels(pd.Series(labels))
        assert monitor.calculate_metric("rmse") == pytest.approx(
            metrics.root_mean_squared_error(labels, predictions)
        )
        assert monitor.calculate_metric("r2") == pytest.approx(
            metrics.r2_score(labels, predictions)
        )


IDS = st.lists(st.integers(0, 30), min_size=1, max_size=40)


@settings(deadline=None)
@given(predicted=IDS, labelled=IDS, random_state=st.randoms(use_true_random=False))
def test_labels_find_predictions_by_id(
    predicted: list[int], labelled: list[int], random_state: random.Random
) -> None:
    """In any order and number; of several for an id the last counts, as in a dict."""
    predictions = [(str(i), random_state.randint(0, 1)) for i in predicted]
    labels = [(str(i), random_state.randint(0, 1)) for i in labelled]
    steps: list[Any] = [("p", *each) for each in predictions] + [("y", *each) for each in labels]
    random_state.shuffle(steps)
    with ModelMonitor("m", task="binary") as monitor:
        last: dict[str, dict[str, int]] = {"p": {}, "y": {}}
        for kind, key, value in steps:
            last[kind][key] = value
            log = monitor.log_predictions if kind == "p" else monitor.log_true_labels
            log([value], ids=[key])
        both = last["p"].keys() & last["y"].keys()
        if not both:
            with pytest.raises(SchemaError, match="no prediction has a label"):
                monitor.calculate_metric("accuracy")
            return
        right = sum(last["p"][key] == last["y"][key] for key in both)
        assert monitor.calculate_metric("accuracy") == pytest.approx(right / len(both))


@given(
    sizes=st.lists(st.integers(0, 9), max_size=12),
    limit=st.integers(1, 20),
)
def test_by_order_labels_are_of_the_oldest_that_wait(sizes: list[int], limit: int) -> None:
    """Rows go in and labels come in parts; beyond the limit the oldest rows are forgotten."""
    rows = LabeledRows(limit)
    logged = labelled = 0
    for turn, size in enumerate(sizes):
        if turn % 2 == 0:
            numbers = range(logged, logged + size)
            rows.add_predictions([Prediction(n, math.nan, {}) for n in numbers], None)
            logged += size
            labelled = max(labelled, logged - limit)
        elif size <= logged - labelled:
            rows.add_labels(list(range(labelled, labelled + size)), None)
            labelled += size
        else:
            with pytest.raises(SchemaError, match="wait for one"):
                rows.add_labels([0] * size, None)
    assert len(rows.predictions) <= limit
    assert len(rows.labels) <= limit
    predictions, labels = rows.matched()
    assert [each.value for each in predictions] == labels


@pytest.mark.parametrize(
    ("call", "error", "complaint"),
    [
        (lambda m: m.calculate_metric("acuracy"), ConfigError, "did you mean 'accuracy'"),
        (lambda m: m.calculate_metric("rmse"), ConfigError, "not a score of a binary model"),
        (lambda m: m.calculate_metric("roc_auc"), SchemaError, r"log_predictions\(classes, scores"),
        (lambda m: m.calculate_metric("class_f1"), ConfigError, "say of which class"),
        (lambda m: m.calculate_metric("class_f1", of_class="7"), SchemaError, "of '0', '1'"),
        (lambda m: m.log_true_labels([1]), SchemaError, "0 predictions wait"),
        (lambda m: m.log_predictions([1, 0], ids=["a"]), SchemaError, "2 predictions, but 1 ids"),
        (lambda m: m.log_true_labels([1, 0], ids=["a"]), SchemaError, "2 labels, but 1 ids"),
        (lambda m: m.log_predictions(object()), SchemaError, "cannot read a batch"),
        (lambda m: m.log_predictions([1], scores=[0.1, 0.2]), SchemaError, "columns of one length"),
    ],
)
def test_mistakes_are_told(call: Any, error: type[Exception], complaint: str) -> None:
    with ModelMonitor("m") as monitor:
        monitor.log_predictions([0, 1, 1])
        monitor.log_true_labels([0, 1, 0])
        with pytest.raises(error, match=complaint):
            call(monitor)
        assert monitor.calculate_metric("accuracy") == pytest.approx(2 / 3)


def test_what_is_undefined_is_an_error_and_no_number() -> None:
    """A comparison with NaN is false: `if score < 0.8` would stay silent."""
    with ModelMonitor("m") as monitor:
        monitor.log_predictions([0, 1], scores=[0.2, 0.8])
        monitor.log_true_labels([1, 1])
        with pytest.raises(SchemaError, match="all of one class"):
            monitor.calculate_metric("roc_auc")


def test_probabilities_need_a_threshold_to_be_classes() -> None:
    with ModelMonitor("m", task="binary") as monitor:
        monitor.log_predictions([0.2, 0.8])
        monitor.log_true_labels([0, 1])
        with pytest.raises(SchemaError, match="give `threshold="):
            monitor.calculate_metric("accuracy")
    with ModelMonitor("m", threshold=0.5) as monitor:
        monitor.log_predictions([0.2, 0.8])
        monitor.log_true_labels([0, 1])
        assert monitor.calculate_metric("accuracy") == 1


def test_every_task_has_scores() -> None:
    assert {task: len(names_of(task)) > 5 for task in Task} == dict.fromkeys(Task, True)


def test_a_measured_score_is_a_number() -> None:
    labels, predictions, _ = binary_rows(50)
    with ModelMonitor("m") as monitor:
        monitor.log_predictions(predictions)
        monitor.log_true_labels(labels)
        found = monitor.calculate_metric("accuracy")
    assert isinstance(found, float)
    assert isinstance(found, MeasuredScore)
    assert f"{found:.2f}" == f"{float(found):.2f}"
    assert "lower=" in repr(found)
