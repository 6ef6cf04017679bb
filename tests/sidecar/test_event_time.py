"""The event time of the newest input, however it is written."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_exporter import Baseline, ConfigError, ModelMonitor
from model_exporter.testing import capture

NOW = 1_700_000_000
"""Where the clock of the fixtures stands still."""

Reader = Callable[..., Any]
METRIC = "model_input_timestamp_seconds"
MOMENT = datetime.fromtimestamp(NOW - 60, UTC)
WRITTEN: dict[str, Any] = {
    "seconds": NOW - 60,
    "float": NOW - 60.0,
    "numpy": np.float64(NOW - 60),
    "aware": MOMENT.astimezone(timezone(timedelta(hours=5))),
    "naive": MOMENT.replace(tzinfo=None),
    "text": MOMENT.isoformat(),
    "Z": MOMENT.strftime(" %Y-%m-%dT%H:%M:%SZ"),
    "pandas": pd.Timestamp(MOMENT),
    "datetime64": np.datetime64(NOW - 60, "s"),
}
NO_TIMES = [
    *(None, "soon", "", float("nan"), True, [1], pd.NaT, NOW * 1000, -5, float("inf")),
    np.datetime64("NaT"),
]


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("batch", [False, True])
def test_the_newest_counts(
    make: Callable[..., ModelMonitor], reader: Reader, written: str, batch: bool
) -> None:
    """In whatever order and form; what is no time is skipped, and so is the far future."""
    monitor = make(task="regression", event_time="at")
    read = reader(monitor)
    rows = [{"at": value} for value in (NOW - 90, WRITTEN[written], *NO_TIMES, NOW - 70)]
    if batch:
        for _ in range(2):
            monitor(batch=True)(lambda rows: [1.0] * len(rows))(rows)
    else:
        predict = monitor(lambda row: 1.0)
        for row in rows[2:-1]:
            predict(row)
        assert read(METRIC) is None
        for row in rows:
            predict(row)
    assert read(METRIC) == pytest.approx(NOW - 60, abs=1e-3)


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_columns_of_dates(make: Callable[..., ModelMonitor], reader: Reader, unit: str) -> None:
    monitor = make(task="regression", event_time="at")
    column = pd.Series([MOMENT.replace(tzinfo=None), None]).astype(f"datetime64[{unit}]")
    monitor(batch=True)(lambda rows: [1.0, 2.0])(pd.DataFrame({"at": column}))
    assert reader(monitor)(METRIC) == NOW - 60


def test_between_processes_the_newest_counts_too(
    make: Callable[..., ModelMonitor],
    baselines: dict[str, Baseline],
    reader: Reader,
    tmp_path: Path,
) -> None:
    """It is not added, and no column beyond the baseline's."""
    one, two = (
        make(baseline=baselines["binary"], event_time="at", multiprocess_dir=tmp_path)
        for _ in range(2)
    )
    one(lambda row: 1)({"age": 30.0, "country": "de", "at": NOW - 60})
    two(lambda row: 1)({"age": 30.0, "country": "de", "at": NOW - 90})
    one.flush()
    read = reader(two)
    assert read(METRIC) == NOW - 60
    assert read("model_schema_mismatch_total", feature="at", reason="extra_column") is None
    assert two.series_estimate().families[METRIC] == 1


def at(features: Any, *_: Any, **__: Any) -> Any:
    """Give what is under `at`, wherever the features are."""
    return features["at"]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_function_may_give_it(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], reader: Reader, written: str
) -> None:
    """It gets the arguments of the call; what it gives counts as a column's value would."""
    monitor = make(
        baseline=baselines["binary"], event_time=lambda features, *, sent: sent, strict=False
    )
    read = reader(monitor)
    row = {"age": 30.0, "country": "de"}
    predict = monitor(lambda features, *, sent: 1)
    for sent in NO_TIMES:
        predict(row, sent=sent)
    assert read(METRIC) is None
    for sent in (NOW - 90, WRITTEN[written], NOW - 70):
        assert predict(row, sent=sent) == 1
    assert read(METRIC) == pytest.approx(NOW - 60, abs=1e-3)
    calls = len(NO_TIMES) + 3
    assert read("model_feature_values_total", feature="country") == calls
    assert read("model_feature_missing_total", feature="age") == 0
    assert read("model_exporter_internal_errors_total", stage="event_time") == 0
    assert read("model_schema_mismatch_total", feature="__event_time__") is None
    assert monitor.series_estimate().families[METRIC] == 1


@pytest.mark.parametrize(
    "times",
    [
        MOMENT,
        [NOW - 70, None, MOMENT],
        (NOW - 60, "soon"),
        np.array([NOW - 80.0, NOW - 60.0]),
        np.datetime64(NOW - 60, "s"),
        pd.Series([MOMENT.replace(tzinfo=None), None]),
        np.array(NOW - 60.0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("fitted", [True, False])
def test_of_a_batch_it_gives_one_time_or_a_column(
    make: Callable[..., ModelMonitor],
    baselines: dict[str, Baseline],
    reader: Reader,
    times: Any,
    fitted: bool,
) -> None:
    """With features or without any."""
    given = {"baseline": baselines["binary"]} if fitted else {"task": "binary"}
    monitor = make(event_time=lambda rows: times, **given)
    read = reader(monitor)
    rows = [{"age": 30.0, "country": "de"}] * 2
    monitor(batch=True)(lambda rows: [1, 0])(rows)
    assert read(METRIC) == pytest.approx(NOW - 60, abs=1e-3)
    assert read("model_predictions_total") == 2
    assert read("model_feature_values_total", feature="age") == (2 if fitted else None)


def test_what_it_raises_is_counted(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], reader: Reader
) -> None:
    """In a call, a batch and a block; the row and its features count."""
    monitor = make(baseline=baselines["binary"], event_time=at, strict=False)
    read = reader(monitor)
    row = {"age": 30.0, "country": "de"}
    assert monitor(lambda row: 1)(row) == 1
    assert monitor(batch=True)(lambda rows: [1, 1])([row, row]) == [1, 1]
    with monitor.track() as call:
        call.features(row)
        call.output(1)
    assert monitor(lambda: 1)() == 1
    assert read("model_exporter_internal_errors_total", stage="event_time") == 4
    assert read("model_predictions_total") == 5
    assert read("model_feature_values_total", feature="age") == 4
    assert read(METRIC) is None


def test_it_is_asked_wherever_a_prediction_comes_from(
    make: Callable[..., ModelMonitor], reader: Reader, tmp_path: Path
) -> None:
    """Methods, without `self`; blocks; with a log and ids. Not in the log, which tells its own."""
    monitor = make(task="binary", event_time=at, log=tmp_path, log_features=["age"])
    read = reader(monitor)

    class Model:
        @monitor
        def predict(self, row: Any) -> int:
            return 1

    Model().predict({"age": 1, "at": NOW - 90})
    assert read(METRIC) == NOW - 90
    with monitor.track() as call:
        call.features({"age": 2, "at": NOW - 80})
        call.output(0)
    with monitor.track():
        pass
    assert read(METRIC) == NOW - 80
    with monitor.track(rows=2) as call:
        call.features({"age": [2, 3], "at": [NOW - 70, NOW - 75]})
        call.output([0, 1])
    assert read(METRIC) == NOW - 70
    monitor.close()
    (log,) = tmp_path.glob("*.jsonl")
    assert len(log.read_text().splitlines()) == 5
    assert "event_time" not in log.read_text()


def test_it_is_no_feature(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline]
) -> None:
    """Who looks at captured rows sees what the model was given."""
    monitor = make(baseline=baselines["binary"], event_time=lambda row: NOW)
    with capture(monitor) as captured:
        monitor(lambda row: 1)({"age": 30.0, "country": "de"})
    assert captured.rows[0].features == {"age": 30.0, "country": "de"}
    assert captured.metric(METRIC) == NOW


def test_a_time_that_is_neither_column_nor_function_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"event_time=5: expected the name of a column"):
        ModelMonitor("m", task="binary", event_time=5)  # type: ignore[arg-type]
