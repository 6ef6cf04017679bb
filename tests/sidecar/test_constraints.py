"""Declared constraints: which values break them, in every shape of a call."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_exporter import Baseline, ConfigError, Constraint, ModelMonitor

Reader = Callable[..., Any]
NAN = math.nan


@pytest.mark.parametrize(
    ("constraint", "values", "broken"),
    [
        (Constraint(min=0, max=120), [0, 120, 60.5, -1, 121, math.inf, None, NAN], 3),
        (Constraint(min=0), [5, "six", [1], None, ""], 2),
        (Constraint(max=1), [0, 1, 2, -math.inf, True], 1),
        (Constraint(allowed=("DE", "FR")), ["DE", "FR", "US", None, NAN, " DE", ["DE"], 1], 3),
        (Constraint(allowed=[1, 2]), [1, 1.0, "2", 3, True, None], 2),
        (Constraint(required=True), ["a", 0, None, NAN, "", [1], 2.5], 3),
        (Constraint(min=0, max=9, allowed=[1, 5, 50]), [1, 5, 50, 2, -1, None], 3),
        (Constraint(min=0, required=True), [1, None, -1, NAN], 3),
    ],
)
@pytest.mark.parametrize("way", ["rows", "list", "frame"])
def test_values_that_break_it_are_counted_once(
    make: Callable[..., ModelMonitor],
    reader: Reader,
    constraint: Constraint,
    values: list[Any],
    broken: int,
    way: str,
) -> None:
    """Without a baseline, a feature has its constraint and its missing values, no more."""
    monitor = make(task="regression", constraints={"x": constraint})
    rows = [{"x": value} for value in values]
    if way == "rows":
        predict = monitor(lambda row: 1.0)
        for row in rows:
            predict(row)
    else:
        table = rows if way == "list" else pd.DataFrame({"x": pd.Series(values, dtype=object)})
        monitor(batch=True)(lambda rows: [1.0] * len(rows))(table)
    read = reader(monitor)
    assert read("model_feature_invalid_total", feature="x", reason="constraint") == broken
    assert read("model_feature_invalid_total", feature="x", reason="type") is None
    assert read("model_feature_values_total", feature="x") == len(values)
    missing = sum(v is None or v == "" or v is NAN for v in values)
    assert read("model_feature_missing_total", feature="x") == missing


def test_beside_a_baseline(
    make: Callable[..., ModelMonitor],
    baselines: dict[str, Baseline],
    reader: Reader,
    tmp_path: Path,
) -> None:
    """Its own reasons stay as they are; processes add; the estimate holds."""
    constraints = {"age": Constraint(max=50), "id": Constraint(required=True)}
    one, two = (
        make(baseline=baselines["binary"], constraints=constraints, multiprocess_dir=tmp_path)
        for _ in range(2)
    )
    one(lambda row: 1)({"age": 55.0, "country": "de", "id": "a"})
    two(lambda row: 1)({"age": 30.0, "country": "de"})
    one.flush()
    read = reader(two)
    invalid = "model_feature_invalid_total"
    assert read(invalid, feature="age", reason="constraint") == 1
    assert read(invalid, feature="age", reason="out_of_range") == 0
    assert read(invalid, feature="id", reason="constraint") == 1
    assert read(invalid, feature="country", reason="constraint") is None
    assert read("model_feature_values_total", feature="age") == 2
    assert read("model_feature_values_total", feature="id") == 2
    found = {m.name + "_total": len(m.samples) for m in two.registry.collect()}
    for name in ("values", "missing", "invalid"):
        family = f"model_feature_{name}_total"
        assert found[family] == two.series_estimate().families[family]


def test_what_comes_by_position_cannot_lack_what_has_no_position(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], reader: Reader
) -> None:
    """A feature that only a constraint names is unknown there, not missing."""
    monitor = make(baseline=baselines["binary"], constraints={"id": Constraint(required=True)})
    monitor(lambda row: 1)([30.0, "de"])
    monitor(batch=True)(lambda rows: [1])(np.array([[30.0, "de"]], dtype=object))
    read = reader(monitor)
    assert read("model_feature_values_total", feature="age") == 2
    assert read("model_feature_values_total", feature="id") == 0
    assert read("model_feature_invalid_total", feature="id", reason="constraint") == 0


@pytest.mark.parametrize(
    "arguments",
    [{}, {"min": 2, "max": 1}, {"min": "0"}, {"max": NAN}, {"min": True}, {"allowed": "DE"},
     {"allowed": []}, {"allowed": [None]}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Constraint(**arguments)


@pytest.mark.parametrize("given", [["age"], {"age": 3}, {1: Constraint(min=0)}])
def test_only_constraints_by_name_are_taken(make: Callable[..., ModelMonitor], given: Any) -> None:
    with pytest.raises(ConfigError, match="Constraint"):
        make(task="binary", constraints=given)
