"""`with monitor.track()` counts a body of code as a call."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_exporter import Baseline, ConfigError, ModelMonitor
from model_exporter.testing import capture

ROW = {"age": 30, "country": "de"}


def test_a_row_is_counted(
    make: Callable[..., ModelMonitor],
    baselines: dict[str, Baseline],
    clock: Any,
    reader: Callable[..., Any],
) -> None:
    """Features, prediction and latency, as of a function; in progress while inside."""
    monitor = make(baseline=baselines["binary"])
    read = reader(monitor)
    with capture(monitor) as captured:
        with monitor.track() as call:
            call.features(dict(ROW))
            call.output({"prediction": 1, "score": 0.7})
            clock.advance(0.5)
            assert read("model_predictions_in_progress") == 1
        with monitor.track() as call:
            call.output(0)
    assert [row.features for row in captured.rows] == [ROW, {}]
    assert (captured.predictions, captured.scores) == ([1, 0], [0.7, None])
    assert captured.metric("model_prediction_latency_seconds_sum") == pytest.approx(0.5)
    assert captured.metric("model_feature_values_total", feature="age") == 1
    assert captured.metric("model_feature_missing_total", feature="age") == 0
    assert captured.metric("model_predictions_in_progress") == 0


def test_a_batch_counts_its_rows(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline]
) -> None:
    """As many as the output has; without one, as many as were said."""
    monitor = make(baseline=baselines["binary"])
    with capture(monitor) as captured:
        with monitor.track(rows=2) as call:
            call.features({"age": [30, 40], "country": ["de", "fr"]})
            call.output([1, 0])
        with monitor.track(rows=3):
            pass
    assert captured.predictions == [1, 0, None, None, None]
    assert [row.features for row in captured.rows[:2]] == [ROW, {"age": 40, "country": "fr"}]
    assert captured.metric("model_prediction_batch_rows_sum") == 5
    with pytest.raises(ConfigError, match="rows=-1: expected a number of at least 0"):
        monitor.track(rows=-1)


def test_exceptions_are_counted_and_go_on(make: Callable[..., ModelMonitor]) -> None:
    """Also from `async with`, where a cancelled task has a name of its own."""
    monitor = make(task="binary")

    async def run() -> None:
        async with monitor.track() as call:
            call.output(1)
        async with monitor.track():
            raise asyncio.CancelledError

    with capture(monitor) as captured:
        raised = ValueError()
        with pytest.raises(ValueError) as caught, monitor.track():
            raise raised
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(run())
    assert caught.value is raised
    assert captured.errors == {"ValueError": 1, "cancelled": 1}
    assert captured.predictions == [1]
    assert captured.metric("model_predictions_in_progress") == 0


def test_a_generator_that_is_left_inside_is_no_error(make: Callable[..., ModelMonitor]) -> None:
    """As of a monitored stream: the consumer left early."""
    monitor = make(task="binary")

    def stream() -> Iterator[int]:
        with monitor.track():
            yield 1

    with capture(monitor) as captured:
        next(stream())
    assert captured.errors == {}
    assert captured.predictions == [None]


def test_what_cannot_be_read_is_counted_not_raised(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], tmp_path: Path
) -> None:
    """Features, outputs and ids that raise at everything."""

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError

        def __str__(self) -> str:
            raise RuntimeError

        def __iter__(self) -> Any:
            raise RuntimeError

    monitor = make(baseline=baselines["binary"], log=tmp_path, strict=False)
    with capture(monitor) as captured:
        for rows in (None, 2):
            with monitor.track(rows=rows) as call:
                call.features(Broken())
                call.output(Broken())
                call.prediction_id = Broken()
    assert captured.internal_errors == {"features": 2, "output": 2, "prediction_id": 2}
    assert captured.metric("model_predictions_total") == 3


def test_ids_and_rows_without_features_are_logged(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], tmp_path: Path
) -> None:
    """The caller's ids, of one row and of many, with features or without."""
    monitor = make(baseline=baselines["binary"], log=tmp_path)
    with monitor.track() as call:
        call.output(1)
        call.prediction_id = 7
    with monitor.track(rows=2) as call:
        call.output([1, 0])
        call.prediction_id = ["a", None]
    monitor.close()
    lines = "".join(path.read_text() for path in sorted(tmp_path.glob("*.jsonl"))).splitlines()
    logged = [json.loads(line) for line in lines]
    assert [row["prediction_id"] for row in logged[:2]] == ["7", "a"]
    assert [row["prediction"] for row in logged] == ["1", "1", "0"]
