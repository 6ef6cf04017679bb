"""A batch counts the same, whatever library its table and its predictions come from."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from model_exporter import Baseline, ModelMonitor
from model_exporter.testing import capture

COLUMNS: dict[str, list[Any]] = {"age": [30.0, None, 99.5], "country": ["de", None, "xx"]}
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]

TABLES: dict[str, Any] = {
    "dict of lists": COLUMNS,
    "list of dicts": ROWS,
    "list of lists": [list(row.values()) for row in ROWS],
    "numpy": np.array([list(row.values()) for row in ROWS], dtype=object),
    "dict of numpy": {n: np.array(c, dtype=object) for n, c in COLUMNS.items()},
    "pandas": pd.DataFrame(COLUMNS),
    "dict of pandas": {name: pd.Series(column) for name, column in COLUMNS.items()},
    "polars": pl.DataFrame(COLUMNS),
    "dict of polars": {name: pl.Series(column) for name, column in COLUMNS.items()},
    "arrow table": pa.table(COLUMNS),
    "arrow record batch": pa.RecordBatch.from_pydict(COLUMNS),
    "dict of arrow": {name: pa.array(column) for name, column in COLUMNS.items()},
}

CLASSES = ["rain", "sun", "sun"]
OUTPUTS: dict[str, Any] = {
    "list": CLASSES,
    "tuple": tuple(CLASSES),
    "numpy": np.array(CLASSES),
    "numpy column": np.array(CLASSES)[:, np.newaxis],
    "pandas series": pd.Series(CLASSES),
    "pandas frame": pd.DataFrame({"y": CLASSES}),
    "polars series": pl.Series(CLASSES),
    "polars frame": pl.DataFrame({"y": CLASSES}),
    "arrow array": pa.array(CLASSES),
    "arrow chunks": pa.chunked_array([CLASSES[:1], CLASSES[1:]]),
    "arrow table": pa.table({"y": CLASSES}),
    "dict of arrow": {"prediction": pa.array(CLASSES)},
    "dict of polars": {"prediction": pl.Series(CLASSES)},
}


@pytest.mark.parametrize("kind", TABLES)
def test_features_of_any_table(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], kind: str
) -> None:
    """Values, missing, out of range and unseen are those of the list of dicts."""
    monitor = make(baseline=baselines["multiclass"])
    table = TABLES[kind]
    with capture(monitor) as captured:
        assert monitor(batch=True)(lambda rows: CLASSES)(table) is CLASSES
    assert captured.metric("model_predictions_total") == 3
    for feature, reason in (("age", "out_of_range"), ("country", "unseen")):
        labels = {"feature": feature}
        assert captured.metric("model_feature_values_total", **labels) == 3
        assert captured.metric("model_feature_missing_total", **labels) == 1
        assert captured.metric("model_feature_invalid_total", reason=reason, **labels) == 1
        assert captured.metric("model_feature_invalid_total", reason="type", **labels) == 0


@pytest.mark.parametrize("kind", OUTPUTS)
def test_predictions_in_any_column(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], kind: str
) -> None:
    """The classes are the same, and what was returned is the very object."""
    monitor = make(baseline=baselines["multiclass"])
    output = OUTPUTS[kind]
    with capture(monitor) as captured:
        assert monitor(batch=True)(lambda rows: output)(ROWS) is output
    assert captured.predictions == CLASSES


@pytest.mark.parametrize("column", [pl.Series([1.5, None]), pa.array([1.5, None])])
def test_missing_values_of_a_regression(make: Callable[..., ModelMonitor], column: Any) -> None:
    """A null is a row without prediction."""
    monitor = make(task="regression")
    with capture(monitor) as captured:
        monitor(batch=True)(lambda rows: column)(None)
    assert captured.predictions == [1.5, None]


def test_one_row_of_a_polars_or_pandas_frame(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline]
) -> None:
    """The way scikit-learn likes its rows."""
    monitor = make(baseline=baselines["multiclass"])
    row = {"age": 30, "country": "de"}
    with capture(monitor) as captured:
        for frame in (pl.DataFrame([row]), pd.DataFrame([row])):
            monitor(lambda features: "sun")(frame)
    assert [captured_row.features for captured_row in captured.rows] == [row, row]


def test_where_the_features_are(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline]
) -> None:
    """By position or keyword only, as keywords themselves, or nowhere."""
    monitor = make(baseline=baselines["multiclass"])
    row = {"age": 30, "country": "de"}
    with capture(monitor) as captured:
        monitor(lambda features, /: "sun")(row)
        monitor(lambda *, features: "sun")(features=row)
        monitor(lambda **features: "sun")(**row)
        monitor(lambda *features: "sun")(row)
        monitor(lambda: "sun")()
        monitor(batch=True)(lambda: ["sun", "rain"])()
    assert [each.features for each in captured.rows] == [row] * 4 + [{}] * 3
    assert captured.metric("model_feature_values_total", feature="age") == 4
    assert captured.internal_errors == {}
