"""A monitored function does what the bare one does, whatever comes in and whatever breaks."""

import asyncio
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter import Baseline, ConfigError, ModelMonitor

ODD = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.binary(max_size=5),
        st.sampled_from([np.float64("nan"), np.float32(1), np.array(3), np.array([1, 2]), 10**400]),
        st.sampled_from([pd.NA, pd.NaT, pd.Series([1.0]), object, ..., "x" * 1_000, "\ud800"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(
            st.sampled_from(["age", "country", "prediction", "score", "scores"]), inner
        ),
    ),
    max_leaves=6,
)


class Broken:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __len__(self) -> int:
        raise RuntimeError("len")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __float__(self) -> float:
        raise RuntimeError("float")

    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[str, Any]:
    """Return what a call gave, the very object."""
    try:
        return "returned", function(*args, **kwargs)
    except Exception as error:
        return "raised", error


@settings(max_examples=150, deadline=None)
@given(
    argument=ODD,
    result=ODD,
    batch=st.booleans(),
    hooks=st.dictionaries(
        st.sampled_from(["output", "features", "prediction_id"]),
        st.sampled_from([lambda *a: a[0], lambda *a: 1 / 0, lambda: None, lambda *a: Broken()]),
    ),
    task=st.sampled_from(["binary", "multiclass", "regression"]),
)
def test_odd_inputs_and_outputs_pass_unchanged(
    argument: Any,
    result: Any,
    batch: bool,
    hooks: dict[str, Any],
    task: str,
    baselines: dict[str, Baseline],
    reader: Callable[..., Any],
) -> None:
    """Any argument, any result, any broken hook: the caller gets the very object back."""
    monitor = ModelMonitor("m", baseline=baselines[task])
    for bare, expected in ((lambda row: result, result), (lambda row: row, argument)):
        kind, got = outcome(monitor(batch=batch, **hooks)(bare), argument)
        assert kind == "returned"
        assert got is expected
    assert reader(monitor)("model_prediction_requests_total") == 2
    monitor.close()


@pytest.mark.parametrize("batch", [False, True])
def test_objects_that_raise_at_everything_pass_unchanged(
    batch: bool, baselines: dict[str, Baseline], reader: Callable[..., Any]
) -> None:
    """Telemetry touches what it is given, and survives what that does."""
    monitor = ModelMonitor("m", baseline=baselines["binary"])
    broken = Broken()
    assert monitor(batch=batch)(lambda row: row)(broken) is broken
    row = {"age": broken, "country": broken}
    assert monitor(batch=batch)(lambda row: broken)(row) is broken
    monitor.flush()
    read = reader(monitor)
    assert read("model_exporter_internal_errors_total", stage="output") == 2
    assert read("model_prediction_requests_total") == 2
    monitor.close()


@pytest.mark.parametrize("batch", [False, True])
def test_exceptions_are_the_very_objects(
    make: Callable[..., ModelMonitor], batch: bool, baselines: dict[str, Baseline]
) -> None:
    """The exception that was raised arrives, without cause or context added."""
    raised = ValueError("of the model")

    @make(baseline=baselines["binary"], strict=False)(batch=batch)
    def predict(row: Any) -> None:
        raise raised

    for row in ({"age": 1, "country": "de"}, {"age": 1}, [1, "de"], None):
        kind, got = outcome(predict, row)
        assert (kind, got.__cause__, got.__context__) == ("raised", None, None)
        assert got is raised


def test_wrong_calls_fail_as_they_would_bare(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline]
) -> None:
    """Missing, surplus and misspelt arguments raise the TypeError of the function itself."""

    def predict(row: Any, flag: bool = False) -> int:
        return 1

    wrapped = make(baseline=baselines["binary"], strict=False)(predict)
    for args, kwargs in (((), {}), ((1, 2, 3), {}), ((1,), {"nope": 1}), ((), {"nope": 1})):
        kind, got = outcome(wrapped, *args, **kwargs)
        assert kind == "raised"
        assert str(got) == str(outcome(predict, *args, **kwargs)[1])
    assert wrapped(row={"age": 1, "country": "de"}, flag=True) == 1
    assert wrapped({"age": 1, "country": "de"}, True) == 1


def test_signature_docstring_and_kind_are_kept(make: Callable[..., ModelMonitor]) -> None:
    """Frameworks that look at a function see the one that was decorated."""

    def predict(row: dict[str, float], *, limit: int = 3) -> int:
        """Predict."""
        return limit

    async def predict_soon(row: Any) -> int:
        return 1

    monitor = make(task="binary")
    wrapped = monitor(predict)
    assert inspect.signature(wrapped) == inspect.signature(predict)
    assert (wrapped.__doc__, wrapped.__name__, wrapped.__wrapped__) == (
        "Predict.",
        "predict",
        predict,
    )
    assert not inspect.iscoroutinefunction(wrapped)
    assert inspect.iscoroutinefunction(monitor(predict_soon))


class Model:
    """Every way in which a class can have a predict function."""

    def __init__(self, monitor: ModelMonitor) -> None:
        self.bias = 1
        self.bound = monitor(self.bare)

    def bare(self, row: Any) -> int:
        return self.bias


def test_methods_in_every_order(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], reader: Callable[..., Any]
) -> None:
    """Plain, static and class methods, bound methods, callable objects and partials."""
    monitor = make(baseline=baselines["binary"])

    class Decorated:
        bias = 1

        @monitor
        def plain(self, row: Any) -> int:
            return self.bias

        @monitor
        @staticmethod
        def outer_static(row: Any) -> int:
            return 1

        @staticmethod
        @monitor
        def inner_static(row: Any) -> int:
            return 1

        @monitor
        @classmethod
        def outer_class(cls, row: Any) -> int:
            return cls.bias

        @classmethod
        @monitor
        def inner_class(cls, row: Any) -> int:
            return cls.bias

        def __call__(self, row: Any) -> int:
            return self.bias

    model = Decorated()
    functions = [
        *(model.plain, model.outer_static, model.inner_static, model.outer_class),
        *(model.inner_class, Decorated.outer_class, Decorated.inner_static, monitor(model)),
        *(Model(monitor).bound, monitor(functools.partial(lambda bias, row: bias, 1))),
    ]
    for count, function in enumerate(functions, start=1):
        assert function({"age": 30, "country": "de"}) == 1
        read = reader(monitor)
        assert read("model_feature_values_total", feature="age") == count
        assert read("model_feature_missing_total", feature="age") == 0


def test_async_functions_are_timed_to_their_end(
    make: Callable[..., ModelMonitor], clock: Any, reader: Callable[..., Any]
) -> None:
    """Latency covers the awaited work; calls in progress are seen; cancellation has a name."""
    monitor = make(task="binary")
    read = reader(monitor)

    @monitor
    async def predict(row: Any) -> int:
        clock.advance(0.2)
        await asyncio.sleep(0)
        assert read("model_predictions_in_progress") == 1
        if row == "wait":
            await asyncio.sleep(60)
        return 1

    class AsyncCallable:
        async def __call__(self, row: Any) -> int:
            await asyncio.sleep(0)
            return 0

    async def run() -> None:
        assert await predict("row") == 1
        waiting = asyncio.create_task(predict("wait"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await monitor(AsyncCallable())("row") == 0

    asyncio.run(run())
    assert read("model_prediction_latency_seconds_sum") == pytest.approx(0.4)
    assert read("model_prediction_errors_total", error_type="cancelled") == 1
    assert read("model_predictions_in_progress") == 0
    assert read("model_prediction_requests_total") == 3


def test_interrupts_are_no_errors_of_the_model(
    make: Callable[..., ModelMonitor], reader: Callable[..., Any]
) -> None:
    """KeyboardInterrupt and SystemExit pass, end the call and count as no error."""
    monitor = make(task="binary")
    read = reader(monitor)
    for kind in (KeyboardInterrupt, SystemExit, ZeroDivisionError):

        def interrupted(row: Any, kind: type[BaseException] = kind) -> None:
            raise kind

        with pytest.raises(kind):
            monitor(interrupted)(1)
    assert read("model_prediction_requests_total") == 3
    assert read("model_predictions_in_progress") == 0
    errors = [
        sample.labels["error_type"]
        for metric in monitor.registry.collect()
        for sample in metric.samples
        if sample.name == "model_prediction_errors_total"
    ]
    assert errors == ["ZeroDivisionError"]


def test_what_is_no_function_is_refused(make: Callable[..., ModelMonitor]) -> None:
    """A number is no model, and a class is none either: its calls make models."""
    with pytest.raises(ConfigError, match="expected a function"):
        make(task="binary")(3)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="cannot monitor the class Model: decorate its predict"):
        make(task="binary")(Model)


def test_strict_mode_raises_what_production_counts(baselines: dict[str, Baseline]) -> None:
    """The switch for tests works; without it, the same fault is only counted and logged."""
    loud = ModelMonitor("m", baseline=baselines["binary"], strict=True)
    with pytest.raises(Exception, match="cannot read features"):
        loud(lambda row: 1)(3)
    loud.close()


def test_faults_are_logged_once_a_minute_and_without_values(
    make: Callable[..., ModelMonitor],
    clock: Any,
    caplog: pytest.LogCaptureFixture,
    reader: Callable[..., Any],
) -> None:
    """A fault of every call is one line a minute, and no line quotes a value of the user's."""

    def leaky(result: Any) -> Any:
        raise ValueError("secret-42")

    monitor = make(task="binary", strict=False)
    predict = monitor(output=leaky)(lambda row: "secret-42")
    for _ in range(10):
        predict("secret-42")
    clock.advance(61)
    predict("secret-42")
    assert len(caplog.records) == 2
    assert "ValueError at test_transparency.py" in caplog.text
    assert "secret-42" not in caplog.text
    assert reader(monitor)("model_exporter_internal_errors_total", stage="output") == 11


def test_a_row_is_recorded_as_it_was_before_the_call(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], reader: Callable[..., Any]
) -> None:
    """Neither the model nor the caller can change what was recorded."""
    monitor = make(baseline=baselines["regression"])

    @monitor
    def predict(row: Any) -> float:
        row.clear()
        return 1.0

    row = {"age": 30, "country": "de"}
    predict(row)
    row["age"] = math.nan
    values = [30, "de"]
    predict(values)
    values.append(1)
    read = reader(monitor)
    assert read("model_feature_missing_total", feature="age") == 0
    assert read("model_feature_missing_total", feature="country") == 0
    assert read("model_feature_values_total", feature="age") == 2
