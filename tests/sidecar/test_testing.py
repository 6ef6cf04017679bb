"""The recorder for users' own tests tells what the monitor recorded, and nothing else."""

import contextlib
import doctest
from collections.abc import Callable

import model_exporter.testing
from model_exporter import Baseline, ModelMonitor
from model_exporter.testing import capture


def test_the_example_runs() -> None:
    """What the module's documentation shows is true."""
    result = doctest.testmod(model_exporter.testing)
    assert (result.attempted > 0, result.failed) == (True, 0)


def test_only_what_happens_inside_is_captured(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline]
) -> None:
    """Not what came before, not what comes after; metrics are what was added."""
    monitor = make(baseline=baselines["multiclass"])
    predict = monitor(lambda row: {"prediction": "sun", "scores": {"sun": 0.75, "rain": 0.25}})
    row = {"age": 30, "country": "de"}
    predict(row)
    with capture(monitor) as captured:
        predict(row)
        assert captured.predictions == ["sun"]
        with capture(monitor) as inner:
            predict(row)
        assert inner.predictions == ["sun"]
    predict(row)
    assert captured.predictions == ["sun", "sun"]
    assert captured.rows[0].scores == {"sun": 0.75, "rain": 0.25}
    assert captured.metric("model_predictions_total") == 2
    assert captured.metric("model_predicted_class_total", predicted_class="sun") == 2
    assert captured.metric("model_baseline_rows") == 500
    assert captured.metric("model_prediction_latency_seconds_bucket", le="0.1") == 2
    assert captured.metric("no_such_metric") is None
    assert monitor._pipeline.fold.taps == []


def test_values_are_pythons_own_and_in_order(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], clock: object
) -> None:
    """Rows and batches in the order in which they ended, comparable with plain lists."""
    monitor = make(baseline=baselines["regression"])
    batch = monitor(batch=True)(lambda rows: [3.5, None])
    single = monitor(lambda row: 1)
    rows = [{"age": 1, "country": "de"}] * 2
    with capture(monitor) as captured:
        batch(rows)
        clock.advance(1)  # type: ignore[attr-defined]
        single(rows[0])
    assert captured.predictions == [3.5, None, 1.0]
    assert captured.scores == [None, None, None]
    assert captured.rows[0].features == rows[0]


def test_faults_show(make: Callable[..., ModelMonitor]) -> None:
    """A hook that is wrong shows in `internal_errors`, also when the block raises."""
    monitor = make(task="binary", strict=False)

    @monitor(output=lambda result: result["nope"])
    def predict(row: object) -> object:
        return {}

    with contextlib.suppress(KeyError), capture(monitor) as captured:
        predict(1)
        raise KeyError
    assert captured.internal_errors == {"output": 1}
    assert captured.errors == {}
