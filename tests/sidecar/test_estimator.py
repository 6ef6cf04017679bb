"""A wrapped estimator is the estimator, but for what it counts."""

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.validation import check_is_fitted

from model_exporter import ConfigError, ModelMonitor
from model_exporter.sidecar.estimator import MonitoredEstimator
from model_exporter.testing import capture

RNG = np.random.default_rng(3)
X = RNG.normal(size=(60, 2))
Y = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")


def is_monitored(estimator: Any) -> bool:
    return issubclass(type(estimator), MonitoredEstimator)


@pytest.fixture
def monitor(make: Callable[..., ModelMonitor]) -> ModelMonitor:
    return make(task="binary", classes=["no", "yes"], positive_label="yes")


@pytest.fixture
def bare() -> LogisticRegression:
    return LogisticRegression().fit(X, Y)


def test_predictions_are_counted_as_batches_and_not_changed(
    monitor: ModelMonitor, bare: LogisticRegression
) -> None:
    """Classes, probabilities and margins; what comes back is what the estimator returns."""
    model = monitor.wrap(bare)
    with capture(monitor) as captured:
        for name in ("predict", "predict_proba", "decision_function"):
            np.testing.assert_array_equal(getattr(model, name)(X), getattr(bare, name)(X))
    predicted = bare.predict(X).tolist()
    assert captured.predictions == predicted * 3
    assert captured.scores[60:120] == bare.predict_proba(X)[:, 1].tolist()
    assert set(captured.scores[:60] + captured.scores[120:]) == {None}
    assert captured.metric("model_prediction_requests_total") == 3
    assert captured.internal_errors == {}


def test_everything_else_passes_through(monitor: ModelMonitor, bare: LogisticRegression) -> None:
    """Class, attributes in every direction, parameters, repr, signatures, absent methods."""
    model = monitor.wrap(bare)
    assert isinstance(model, LogisticRegression)
    assert model.__class__ is LogisticRegression
    assert is_classifier(model)
    check_is_fitted(model)
    assert (repr(model), vars(model)) == (repr(bare), vars(bare))
    assert dir(model) == dir(bare)
    model.note = "mine"
    assert bare.note == "mine"
    del model.note
    assert not hasattr(bare, "note")
    assert not hasattr(model, "transform")
    assert inspect.signature(model.predict) == inspect.signature(bare.predict)
    assert inspect.signature(model.fit) == inspect.signature(bare.fit)
    assert model.score(X, Y) == bare.score(X, Y)
    assert model.set_params(C=2.0) is model
    assert bare.C == 2.0
    assert not hasattr(monitor.wrap(LinearSVC()), "predict_proba")


def test_fit_returns_the_monitored_estimator(monitor: ModelMonitor) -> None:
    """So that the usual one-liner does not lose the monitor."""
    model = monitor.wrap(LogisticRegression()).fit(X, Y)
    with capture(monitor) as captured:
        model.predict(X[:5])
    assert len(captured.predictions) == 5


def test_exceptions_are_the_estimators(monitor: ModelMonitor) -> None:
    """An estimator that is not fitted says so itself, and it counts as an error."""
    with capture(monitor) as captured:
        for model in (LogisticRegression(), monitor.wrap(LogisticRegression())):
            with pytest.raises(ValueError, match="not fitted yet"):
                model.predict(X)
    assert captured.errors == {"NotFittedError": 1}


def test_clones_and_copies_are_monitored(monitor: ModelMonitor, bare: LogisticRegression) -> None:
    """A clone is a fresh estimator of the same parameters, with the same monitor."""
    model = monitor.wrap(bare)
    cloned = clone(model)
    assert is_monitored(cloned)
    assert not hasattr(cloned, "coef_")
    assert cloned.get_params() == model.get_params()
    for other in (copy.copy(model), copy.deepcopy(model)):
        assert is_monitored(other)
        other.C = 9
        assert bare.C != 9
    assert is_monitored(monitor.wrap(model))
    with capture(monitor) as captured:
        monitor.wrap(model).predict(X)
    assert captured.metric("model_predictions_total") == 60


def test_pipelines_and_searches_work(monitor: ModelMonitor) -> None:
    """As a step, as the whole, and inside a search; scores are those of the bare estimator."""
    grid = {"model__C": [0.1, 1.0]}
    steps = [("scale", StandardScaler()), ("model", LogisticRegression())]
    monitored = [steps[0], ("model", monitor.wrap(LogisticRegression()))]
    expected = GridSearchCV(Pipeline(steps), grid, cv=2).fit(X, Y)
    found = GridSearchCV(Pipeline(monitored), grid, cv=2).fit(X, Y)
    assert found.best_params_ == expected.best_params_
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))
    scores = cross_val_score(monitor.wrap(LogisticRegression()), X, Y, cv=2)
    np.testing.assert_array_equal(scores, cross_val_score(LogisticRegression(), X, Y, cv=2))
    whole = monitor.wrap(make_pipeline(StandardScaler(), LogisticRegression())).fit(X, Y)
    assert (len(whole), whole[0].__class__) == (2, StandardScaler)
    with capture(monitor) as captured:
        found.predict(X[:7])
        whole.predict_proba(X[:3])
    assert captured.metric("model_predictions_total") == 10


def test_unpickled_it_is_monitored_where_its_monitor_lives(
    make: Callable[..., ModelMonitor], bare: LogisticRegression
) -> None:
    """By name and version; elsewhere it is the bare estimator."""
    monitor = make(name="pickled", task="binary", positive_label="yes")
    data = pickle.dumps(monitor.wrap(bare))
    restored = pickle.loads(data)
    with capture(monitor) as captured:
        np.testing.assert_array_equal(restored.predict(X), bare.predict(X))
    assert captured.metric("model_predictions_total") == 60
    monitor.close()
    assert type(pickle.loads(data)) is LogisticRegression


def test_other_kinds_of_estimators(make: Callable[..., ModelMonitor]) -> None:
    """Values of a regression; margins without classes count rows only; what cannot predict."""
    monitor = make(task="regression")
    with capture(monitor) as captured:
        monitor.wrap(LinearRegression().fit(X, X[:, 0])).predict(X[:2])
        monitor.wrap(IsolationForest(n_estimators=2).fit(X)).decision_function(X[:3])
    assert captured.predictions[:2] == pytest.approx(X[:2, 0])
    assert captured.metric("model_predictions_total") == 5
    with pytest.raises(ConfigError, match="cannot wrap StandardScaler: it has none of predict"):
        monitor.wrap(StandardScaler())
    with pytest.raises(ConfigError, match="output=3: expected a function"):
        monitor.wrap(LinearRegression(), output=3)  # type: ignore[arg-type]
