"""Bad arguments are refused at construction, with what was expected and what to do."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_exporter import Baseline, BaselineError, ConfigError, ModelMonitor

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "not empty"),
    ({"name": 3}, "name=3"),
    ({"version": 3}, "version=3"),
    ({"task": "ranking"}, "'binary', 'multiclass', 'regression'"),
    ({"baseline": 3}, "model-exporter baseline"),
    ({"registry": "x"}, "CollectorRegistry"),
    ({"classes": "ab"}, "list of classes"),
    ({"task": "regression", "classes": ["a"]}, "leave `classes` out"),
    ({"latency_buckets": [2, 1]}, "ascending"),
    ({"latency_buckets": []}, "ascending"),
    ({"latency_buckets": ["x"]}, "ascending"),
    ({"value_buckets": [float("nan")]}, "ascending"),
    ({"window_rows": 0}, "at least 1"),
    ({"window_seconds": "5m"}, "expected a number"),
    ({"buffer_values": True}, "expected a number"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    """Each names what was given and what was expected."""
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        ModelMonitor(**{"name": "m", "task": "binary", **arguments})


def test_a_missing_baseline_file_is_refused(tmp_path: Path) -> None:
    """The error is the baseline's own."""
    with pytest.raises(BaselineError, match="model-exporter baseline"):
        ModelMonitor("m", baseline=tmp_path / "none.json")


def test_a_baseline_of_another_model_is_refused(baselines: dict[str, Baseline]) -> None:
    """Task and positive label must agree with the baseline."""
    with pytest.raises(ConfigError, match="a binary model"):
        ModelMonitor("m", task="regression", baseline=baselines["binary"])
    with pytest.raises(ConfigError, match="positive_label='yes'"):
        ModelMonitor("m", baseline=baselines["binary"], positive_label="yes")


def test_a_baseline_file_gives_task_and_classes(
    make: Callable[..., ModelMonitor],
    baselines: dict[str, Baseline],
    tmp_path: Path,
    reader: Callable[..., Any],
) -> None:
    """What the baseline knows need not be said again."""
    path = tmp_path / "m.baseline.json"
    baselines["multiclass"].save(path)
    read = reader(make(baseline=str(path)))
    assert read("model_predicted_class_total", predicted_class="rain") == 0
    checksum = baselines["multiclass"].checksum
    assert read("model_info", task="multiclass", baseline=checksum) == 1


def test_hooks_must_be_functions(make: Callable[..., ModelMonitor]) -> None:
    """A hook that cannot be called is refused before the first call."""
    with pytest.raises(ConfigError, match="expected a function, as in output="):
        make(task="binary")(output="prediction")  # type: ignore[arg-type]


def test_import_stays_light() -> None:
    """`import model_exporter` brings nothing heavy into somebody else's process."""
    heavy = {
        *("scipy", "duckdb", "ibis", "yaml", "requests", "pyarrow", "pandas", "sklearn", "rich"),
        *("asyncio", "logging", "sqlite3", "unittest", "multiprocessing"),
        *("model_exporter.scores", "model_exporter.drift", "model_exporter.job"),
    }
    program = "import sys, model_exporter; print(' '.join(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    base = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, numpy, prometheus_client; print(' '.join(sys.modules))",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert heavy & (set(found.stdout.split()) - set(base.stdout.split())) == set()
