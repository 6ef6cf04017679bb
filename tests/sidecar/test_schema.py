"""Inputs that lack columns of the baseline, or have more, are counted and named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_exporter import Baseline, ModelMonitor
from model_exporter.records import OTHER
from model_exporter.sidecar.sections import LIMITS, Section

FIT = {"age": 30.0, "country": "de"}
LACKS = {"age": 30.0}
EXTRA = {**FIT, "more": 1}
BOTH = {"country": "de", "more": 1}
ROWS: list[dict[str, Any]] = [FIT, LACKS, EXTRA, EXTRA, BOTH]
FOUND = {
    ("age", "missing_column"): 1,
    ("country", "missing_column"): 1,
    ("more", "extra_column"): 3,
}
NONE = {("age", "missing_column"): 0, ("country", "missing_column"): 0}


@pytest.fixture
def monitor(make: Callable[..., ModelMonitor], baselines: dict[str, Baseline]) -> ModelMonitor:
    return make(baseline=baselines["binary"])


def mismatches(monitor: ModelMonitor) -> dict[tuple[str, str], float]:
    return {
        (sample.labels["feature"], sample.labels["reason"]): sample.value
        for metric in monitor.registry.collect()
        if metric.name == "model_schema_mismatch"
        for sample in metric.samples
    }


@pytest.mark.parametrize("way", ["plain", "general", "keywords", "series", "hook", "log", "track"])
def test_rows_by_name(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], tmp_path: Path, way: str
) -> None:
    """However a row comes in by name; what fits is counted at zero beforehand."""
    monitor = make(baseline=baselines["binary"], log=tmp_path if way == "log" else None)
    assert mismatches(monitor) == NONE
    predict = monitor(lambda row: 1)
    calls: dict[str, Callable[[dict[str, Any]], Any]] = {
        "plain": predict,
        "log": predict,
        "general": monitor(lambda row, more=0: 1),
        "keywords": lambda row: monitor(lambda **features: 1)(**row),
        "series": lambda row: predict(pd.Series(row)),
        "hook": monitor(features=lambda row: row)(lambda row: 1),
        "track": lambda row: tracked(monitor, row),
    }
    for row in ROWS:
        calls[way](row)
    assert mismatches(monitor) == FOUND


def tracked(monitor: ModelMonitor, row: dict[str, Any]) -> None:
    with monitor.track() as call:
        call.features(row)


def test_a_list_of_rows(monitor: ModelMonitor) -> None:
    monitor(batch=True)(lambda rows: [1] * len(rows))(ROWS)
    assert mismatches(monitor) == FOUND


@pytest.mark.parametrize("kind", ["dict", "pandas", "polars", "arrow"])
def test_a_table(monitor: ModelMonitor, kind: str) -> None:
    """Each row of a table has its columns."""
    table: Any = {"age": [30.0, 31.0], "more": [1, 2]}
    if kind == "pandas":
        table = pd.DataFrame(table)
    elif kind == "polars":
        table = pytest.importorskip("polars").DataFrame(table)
    elif kind == "arrow":
        table = pytest.importorskip("pyarrow").table(table)
    monitor(batch=True)(lambda rows: [1, 0])(table)
    assert mismatches(monitor) == {
        **NONE,
        ("country", "missing_column"): 2,
        ("more", "extra_column"): 2,
    }


def test_values_without_names_have_no_schema(monitor: ModelMonitor) -> None:
    monitor(lambda row: 1)([30.0, "de"])
    monitor(batch=True)(lambda rows: [1])(np.array([[30.0, "de"]], dtype=object))
    assert mismatches(monitor) == NONE


def test_without_a_baseline_there_is_no_schema(make: Callable[..., ModelMonitor]) -> None:
    monitor = make(task="binary")
    monitor(lambda row: 1)(EXTRA)
    monitor(batch=True)(lambda rows: [1] * len(rows))(ROWS)
    assert mismatches(monitor) == {}


def test_names_are_bounded(monitor: ModelMonitor) -> None:
    """Many odd names share a series, very wide rows too, and names that are no texts."""
    predict = monitor(lambda row: 1)
    for number in range(LIMITS[Section.EXTRA_COLUMNS] + 5):
        predict({**FIT, f"x{number}": 1})
    predict({**FIT, **{f"y{number}": 1 for number in range(1000)}})
    predict({**FIT, (1, 2): 1})
    found = mismatches(monitor)
    assert len(found) == 2 + LIMITS[Section.EXTRA_COLUMNS] + 1
    assert found[OTHER, "extra_column"] == 5 + 1 + 1


def test_processes_add_theirs_by_name(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], tmp_path: Path
) -> None:
    """Each process gives its columns slots in its own order."""
    one, two = (make(baseline=baselines["binary"], multiprocess_dir=tmp_path) for _ in range(2))
    one(lambda row: 1)({**FIT, "a": 1, "b": 1})
    two(lambda row: 1)({**FIT, "b": 1})
    two(lambda row: 1)({**FIT, "c": 1})
    one.flush()
    assert mismatches(two) == {
        **NONE,
        **{(n, "extra_column"): i for n, i in zip("abc", (1, 2, 1), strict=True)},
    }
