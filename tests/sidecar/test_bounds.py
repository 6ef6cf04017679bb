"""What a model costs is known beforehand, and bounded whatever the model does."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_exporter import Baseline, ModelMonitor
from model_exporter.cli import main
from model_exporter.records import OTHER
from model_exporter.sidecar.counters import MAX_FEATURES
from model_exporter.sidecar.versions import MAX_VERSIONS, POOLED

Reader = Callable[..., Any]


def series(monitor: ModelMonitor) -> dict[str, int]:
    """Return how many series each family has."""
    return {
        metric.name + "_total" * (metric.type == "counter"): len(metric.samples)
        for metric in monitor.registry.collect()
    }


def exhaust(monitor: ModelMonitor, task: str) -> None:
    """Do all that makes series: too many classes and errors, streams, batches."""
    monitor(batch=True)(lambda rows: [1.0] * len(rows))([{"age": None, "country": "xx"}])
    list(monitor(lambda row: iter([1.0]))({"age": 30, "country": "de"}))
    for number in range(60):
        monitor(lambda row: 1.0)({"age": 30, "country": "de", f"x{number}": 1})
        output = 1.5 if task == "regression" else (f"class {number}", 0.5)
        monitor(lambda row, output=output: output)({"age": 30, "country": "de"})
        error = type(f"Error{number}", (Exception,), {})

        @monitor
        def broken(row: object, error: type[Exception] = error) -> None:
            raise error

        with pytest.raises(error):
            broken({"age": 30, "country": "de"})


@pytest.mark.parametrize("shared", [True, False])
def test_the_estimate_is_what_an_exhausted_monitor_serves(
    make: Callable[..., ModelMonitor], task: str, baseline: Baseline, tmp_path: Path, shared: bool
) -> None:
    """Family by family, it is reached and never passed."""
    monitor = make(baseline=baseline, multiprocess_dir=tmp_path if shared else "")
    estimate = monitor.series_estimate()
    exhaust(monitor, task)
    assert series(monitor) == estimate.families
    assert estimate.total == sum(estimate.families.values())


def test_without_a_baseline_the_estimate_holds_too(
    make: Callable[..., ModelMonitor], task: str
) -> None:
    monitor = make(task=task, latency_buckets=[1, 2])
    exhaust(monitor, task)
    assert series(monitor) == monitor.series_estimate().families


def wide_baseline(features: int) -> Baseline:
    names = [f"f{number}" for number in range(features)]
    table: dict[str, Any] = {name: np.arange(20.0) for name in names}
    table["prediction"] = np.arange(20) % 2
    return Baseline.from_table(table, task="binary", features={"numeric": names})


def test_features_beyond_the_cap_are_counted_as_one(
    make: Callable[..., ModelMonitor],
    reader: Reader,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """The first are counted as ever; of the others it is only known how many values there were."""
    with caplog.at_level(logging.WARNING):
        monitor = make(baseline=wide_baseline(MAX_FEATURES + 3), log=tmp_path)
    assert len(caplog.records) == 1
    row = {f"f{number}": 1.0 for number in range(MAX_FEATURES + 3)}
    predict = monitor(lambda row: 1)
    predict(row)
    predict(list(row.values()))
    monitor(batch=True)(lambda rows: [1] * len(rows))([row] * 5)
    read = reader(monitor)
    assert read("model_feature_values_total", feature=f"f{MAX_FEATURES - 1}") == 7
    assert read("model_feature_values_total", feature=f"f{MAX_FEATURES}") is None
    assert read("model_feature_values_total", feature=OTHER) == 3 * 7
    found, bound = series(monitor), monitor.series_estimate().families
    assert all(count <= bound[name] for name, count in found.items())
    assert found["model_distribution_total"] == bound["model_distribution_total"]
    monitor.close()
    (log,) = tmp_path.glob("*.jsonl")
    assert f'"f{MAX_FEATURES + 2}":' in log.read_text()


def versions(monitor: ModelMonitor) -> Counter[str]:
    """Return the value of each version's counter of calls."""
    found: Counter[str] = Counter()
    for metric in monitor.registry.collect():
        if metric.name == "model_prediction_requests":
            for sample in metric.samples:
                found[sample.labels["model_version"]] = int(sample.value)
    return found


def test_versions_beyond_the_cap_are_pooled(
    make: Callable[..., ModelMonitor], reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    """With whatever tasks, and their sum does not fall when one ends or is replaced."""
    first = make(task="binary", version="0")
    for number in range(1, MAX_VERSIONS):
        make(task="binary", version=str(number), registry=first.registry)
    assert not caplog.records
    pooled = [
        make(task=task, version=task, registry=first.registry) for task in ("binary", "regression")
    ]
    assert len(caplog.records) == 1
    for monitor in pooled:
        monitor(lambda row: 1)(1)
    assert versions(first)[OTHER] == 2
    assert len(versions(first)) == MAX_VERSIONS + 1
    names = {m.name + "_total" for m in first.registry.collect() for s in m.samples
             if s.labels["model_version"] == OTHER}  # fmt: skip
    assert names == set(POOLED)
    again = make(task="binary", version="regression", registry=first.registry)
    pooled[0].close()
    make(task="binary", version="another", registry=first.registry)
    again(lambda row: 1)(1)
    assert versions(first)[OTHER] == 3


def test_a_closed_version_makes_room(make: Callable[..., ModelMonitor]) -> None:
    """A process that reloads its model for ever serves the newest versions."""
    first = make(task="binary", version="0")
    newest = first
    for number in range(1, 3 * MAX_VERSIONS):
        newest.close()
        newest = make(task="binary", version=str(number), registry=first.registry)
        newest(lambda row: 1)(1)
    assert list(versions(first)) == [str(n) for n in range(2 * MAX_VERSIONS, 3 * MAX_VERSIONS)]


def test_the_bill_is_printed(
    baselines: dict[str, Baseline], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`catalogue --estimate` multiplies by versions and replicas; its sum is its lines'."""
    path = tmp_path / "baseline.json"
    baselines["binary"].save(path)
    arguments = ["catalogue", "--estimate", str(path), "--versions", "2", "--replicas", "3"]
    assert main(arguments) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    total = lines.pop()
    assert int(total[2]) == sum(int(line[2]) for line in lines) == 6 * int(total[1])
    assert main([*arguments[:-1], "0"]) == 2
    assert "replicas" in capsys.readouterr().err
