"""A probability without a class has the one that the threshold gives it."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from model_exporter import Baseline, ConfigError, ModelMonitor
from model_exporter.records import Task
from model_exporter.sidecar.outputs import OutputReader
from model_exporter.testing import capture

Reader = Callable[..., Any]
PROBABILITIES = [0.0, 0.2, 0.7, 0.9, 1.0, 0.699]
CLASSES = ["no", "no", "yes", "yes", "yes", "no"]


@pytest.fixture
def monitor(make: Callable[..., ModelMonitor]) -> ModelMonitor:
    return make(task="binary", classes=["no", "yes"], positive_label="yes", threshold=0.7)


@pytest.mark.parametrize("kind", [float, np.float64, Decimal, np.array, lambda p: np.array([[p]])])
def test_a_bare_probability_has_a_score_and_a_class(
    monitor: ModelMonitor, reader: Reader, kind: Callable[[float], Any]
) -> None:
    """Of whatever type; 0.0 and 1.0 are probabilities, too."""
    read = reader(monitor)
    with capture(monitor) as captured:
        for p in PROBABILITIES:
            monitor(lambda row, p=p: kind(p))({"age": 30})
    assert captured.predictions == CLASSES
    assert captured.scores == pytest.approx(PROBABILITIES)
    for name in ("no", "yes"):
        assert read("model_predicted_class_total", predicted_class=name) == CLASSES.count(name)
    assert read("model_prediction_score_sum") == pytest.approx(sum(PROBABILITIES))
    assert read("model_predicted_class_ratio", predicted_class="yes") == 0.5


@pytest.mark.parametrize(
    "kind",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        lambda p: np.array(p, dtype=np.float32).astype(np.float64).round(6).reshape(-1, 1),
        lambda p: np.array(p, dtype=object),
        lambda p: {"score": np.array(p)},
        lambda p: {"score": p},
        lambda p: [{"score": each} for each in p],
    ],
)
def test_a_batch_of_them_too(monitor: ModelMonitor, kind: Callable[[Any], Any]) -> None:
    with capture(monitor) as captured:
        monitor(batch=True)(lambda rows: kind(PROBABILITIES))([{"age": 30}] * 6)
    assert captured.predictions == CLASSES
    assert captured.scores == pytest.approx(PROBABILITIES, abs=1e-6)


@pytest.mark.parametrize(
    ("output", "prediction", "score"),
    [
        (("no", 0.9), "no", 0.9),
        ({"prediction": "no", "score": 0.9}, "no", 0.9),
        ({"scores": {"yes": 0.9, "no": 0.1}}, "yes", 0.9),
        ("no", "no", None),
        (True, "yes", None),
        (1.5, "1.5", None),
        (float("nan"), None, None),
        (None, None, None),
    ],
)
def test_a_class_that_is_given_stays(
    monitor: ModelMonitor, output: Any, prediction: Any, score: float | None
) -> None:
    """A threshold of the model's own goes before; what is no probability has no class of ours."""
    for batch in (False, True):
        with capture(monitor) as captured:
            monitor(batch=batch)(lambda row, o=[output] if batch else output: o)([{"age": 3}])
        (row,) = captured.rows
        name = monitor._pipeline.settings.class_namer()
        assert (name(row.prediction), row.score) == (prediction, score)


def test_it_decides_for_an_estimator(monitor: ModelMonitor) -> None:
    """Of the columns of `predict_proba`, that of the positive class."""
    classifier = LogisticRegression().fit([[1], [2], [3], [4]], ["no", "no", "yes", "yes"])
    with capture(monitor) as captured:
        table = monitor.wrap(classifier).predict_proba([[1], [2.6], [2.9], [4]])
    assert captured.scores == pytest.approx(table[:, 1])
    assert captured.predictions == ["yes" if p >= 0.7 else "no" for p in table[:, 1]]
    assert captured.predictions != classifier.predict([[1], [2.6], [2.9], [4]]).tolist()


@given(
    p=st.lists(st.floats(-0.5, 1.5) | st.sampled_from([0.0, 1.0, 0.5]), max_size=20),
    threshold=st.floats(0, 1),
)
def test_the_class_is_one_comparison(p: list[float], threshold: float) -> None:
    """Row by row, by hand; as a list and as an array."""
    reader = OutputReader(Task.BINARY, "1", threshold=threshold, negative="0")
    expected = [("1" if x >= threshold else "0") if 0 <= x <= 1 else x for x in p]
    for recorded in (p, np.array(p)):
        found = reader.split(recorded)
        assert found.classes == expected
        scores = [x if 0 <= x <= 1 else None for x in p]
        assert [None if np.isnan(v) else v for v in found.values] == scores


@pytest.mark.parametrize("log_format", ["jsonl", "parquet"])
def test_the_log_has_both(
    make: Callable[..., ModelMonitor],
    baselines: dict[str, Baseline],
    tmp_path: Path,
    log_format: str,
) -> None:
    """By the baseline's classes; and its bins of predictions count them."""
    monitor = make(baseline=baselines["binary"], threshold=0.5, log=tmp_path, log_format=log_format)
    for p in (0.25, 0.5):
        monitor(lambda row, p=p: p)({"age": 30.0, "country": "de"})
    monitor(batch=True)(lambda rows: np.array([0.75, 0.0]))([{"age": 3.0, "country": "de"}] * 2)
    labels = {"model_name": "m", "model_version": "", "subject": "prediction", "feature": ""}
    read = monitor.registry.get_sample_value
    for name in ("0", "1"):
        assert read("model_distribution_total", {**labels, "bin": name}) == 2
    monitor.close()
    (path,) = tmp_path.iterdir()
    if log_format == "parquet":
        rows = pd.read_parquet(path).to_dict("records")
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    found = [(row["prediction"], row["score"]) for row in rows]
    assert found == [("0", 0.25), ("1", 0.5), ("1", 0.75), ("0", 0.0)]


def test_without_one_nothing_changes(make: Callable[..., ModelMonitor]) -> None:
    """A probability has no class, and exact 0.0 and 1.0 are classes."""
    monitor = make(task="binary")
    with capture(monitor) as captured:
        for p in (0.25, 1.0):
            monitor(lambda row, p=p: p)(1)
    assert [(row.prediction, row.score) for row in captured.rows] == [(None, 0.25), (1.0, None)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"task": "binary", "threshold": 1.5}, "threshold=1.5: expected a probability"),
        ({"task": "binary", "threshold": -0.1}, "threshold=-0.1: expected a probability"),
        ({"task": "binary", "threshold": float("nan")}, "threshold=nan: expected a probability"),
        ({"task": "binary", "threshold": "0.5"}, "threshold='0.5': expected a probability"),
        ({"task": "binary", "threshold": True}, "threshold=True: expected a probability"),
        ({"task": "regression", "threshold": 0.5}, "a regression model has none"),
        ({"task": "multiclass", "threshold": 0.5}, "a multiclass model has none"),
        (
            {"task": "binary", "threshold": 0.5, "positive_label": "yes"},
            "the class below it is not known; name both",
        ),
    ],
)
def test_one_that_cannot_be_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ModelMonitor("m", **arguments)
