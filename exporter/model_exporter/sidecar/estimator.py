"""`monitor.wrap(estimator)`: an estimator whose predictions are monitored, and nothing else."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from model_exporter.sidecar.capture import Hooks
from model_exporter.sidecar.collector import pipeline_of
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.stand_in import StandIn, inner_of, stand_in
from model_exporter.sidecar.wrap import wrap

STATE = "_model_exporter_state"
PREDICTING = ("predict", "predict_proba", "decision_function")
"""Methods that are monitored, where the estimator has them."""


class State:
    """The pipeline and hooks of a monitored estimator, and its methods wrapped so far."""

    __slots__ = ("hooks", "methods", "pipeline")

    def __init__(self, pipeline: Pipeline, hooks: Hooks) -> None:
        self.pipeline = pipeline
        self.hooks = hooks
        self.methods: dict[str, Any] = {}


class MonitoredEstimator(StandIn):
    """Stands in for an estimator; `PREDICTING` are monitored as batches.

    Calls that the estimator makes to itself, as `score` calls `predict`, are its own affair.
    """

    __slots__ = (STATE,)

    def __init__(self, inner: Any, state: State) -> None:
        super().__init__(inner)
        object.__setattr__(self, STATE, state)

    def __getattr__(self, name: str) -> Any:
        inner = inner_of(self)
        value = getattr(inner, name)
        if getattr(value, "__self__", None) is not inner:
            return value
        return self._predicting(name, value) if name in PREDICTING else _returning(self, value)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        state_of(self).methods.clear()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        state_of(self).methods.clear()

    def __copy__(self) -> Any:
        return _monitored(copy.copy(inner_of(self)), state_of(self))

    def __deepcopy__(self, memo: Any) -> Any:
        return _monitored(copy.deepcopy(inner_of(self), memo), state_of(self))

    def __sklearn_clone__(self) -> Any:
        inner = inner_of(self)
        clone = getattr(inner, "__sklearn_clone__", None)
        copied = copy.deepcopy(inner) if clone is None else clone()
        return _monitored(copied, state_of(self))

    def __reduce_ex__(self, protocol: Any) -> Any:
        state = state_of(self)
        settings, hooks = state.pipeline.settings, state.hooks
        given = {name: getattr(hooks, name) for name in Hooks.__slots__}
        return _restored, (inner_of(self), settings.name, settings.version, given)

    def _predicting(self, name: str, method: Any) -> Any:
        state = state_of(self)
        found = state.methods.get(name)
        if found is None:
            own = state.hooks
            by_threshold = state.pipeline.settings.threshold is not None
            read = _scores if by_threshold and name == "predict_proba" else READERS[name]
            hooks = Hooks(
                features=own.features,
                output=own.output or functools.partial(read, method.__self__),
                prediction_id=own.prediction_id,
                event_time=own.event_time,
            )
            found = state.methods[name] = wrap(state.pipeline, method, batch=True, hooks=hooks)
        return found


def state_of(estimator: MonitoredEstimator) -> State:
    """Return what a monitored estimator is monitored with."""
    found: State = object.__getattribute__(estimator, STATE)
    return found


def monitored(pipeline: Pipeline, estimator: Any, hooks: Hooks) -> Any:
    """Return `estimator` monitored; one that this pipeline monitors already is not doubled."""
    if isinstance(estimator, MonitoredEstimator) and state_of(estimator).pipeline is pipeline:
        estimator = inner_of(estimator)
    return _monitored(estimator, State(pipeline, hooks))


def _monitored(estimator: Any, state: State) -> Any:
    fresh = State(state.pipeline, state.hooks)
    return stand_in(MonitoredEstimator, estimator)(estimator, fresh)


def _restored(inner: Any, name: str, version: str, hooks: dict[str, Any]) -> Any:
    """Unpickle: monitored where a monitor of that name and version lives, else the bare one."""
    pipeline = pipeline_of(name, version)
    if pipeline is None:
        return inner
    return _monitored(inner, State(pipeline, Hooks(**hooks)))


def _returning(estimator: MonitoredEstimator, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method whose `self`, as `fit` returns it, is the monitored estimator."""
    inner = inner_of(estimator)

    @functools.wraps(method, updated=())
    def passing(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        return estimator if result is inner else result

    return passing


def _predicted(estimator: Any, result: Any) -> Any:
    return result


def _probabilities(estimator: Any, result: Any) -> Any:
    """Read columns of probabilities; the class is the most probable, as `predict` has it."""
    found = _scores(estimator, result)
    if found is result:
        return result
    places = np.asarray(result).argmax(axis=1)
    return {"prediction": np.asarray(estimator.classes_)[places], **found}


def _scores(estimator: Any, result: Any) -> Any:
    """Read columns of probabilities, for the threshold of the monitor to decide."""
    table = np.asarray(result)
    classes = getattr(estimator, "classes_", None)
    if table.ndim != 2 or classes is None or len(classes) != table.shape[1]:
        return result
    return {"scores": {name: table[:, i] for i, name in enumerate(np.asarray(classes).tolist())}}


def _margins(estimator: Any, result: Any) -> Any:
    """Read margins: they are no probabilities, so only the class that they stand for counts."""
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return [None] * len(result)
    table = np.asarray(result)
    places = (table > 0).astype(int) if table.ndim == 1 else table.argmax(axis=1)
    return np.asarray(classes)[places]


READERS: dict[str, Callable[[Any, Any], Any]] = {
    "predict": _predicted,
    "predict_proba": _probabilities,
    "decision_function": _margins,
}
