"""The event time of the newest input, however it is written."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_exporter import Baseline, ModelMonitor

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
}
NO_TIMES = [None, "soon", "", float("nan"), True, [1], pd.NaT, NOW * 1000, -5, float("inf")]


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
