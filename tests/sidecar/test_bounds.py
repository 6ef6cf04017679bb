"""What a model costs is known beforehand, and bounded whatever the model does."""

import json
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from model_exporter import Baseline, ModelMonitor
from model_exporter.cli import main
from model_exporter.records import OTHER
from model_exporter.sidecar.counters import MAX_FEATURES
from model_exporter.sidecar.sections import LIMITS, Section
from model_exporter.sidecar.versions import MAX_VERSIONS, POOLED

Reader = Callable[..., Any]


def series(monitor: ModelMonitor) -> dict[str, int]:
    """Return how many series each family has."""
    return {
        metric.name + "_total" * (metric.type == "counter"): len(metric.samples)
        for metric in monitor.registry.collect()
    }


def exhaust(monitor: ModelMonitor, task: str) -> None:
    """Do all that makes series: too many classes and errors, measures, streams, batches."""
    monitor(batch=True)(lambda rows: [1.0] * len(rows))([{"age": None, "country": "xx"}])
    list(monitor(lambda row: iter([1.0]))({"age": 30, "country": "de"}))
    for number in range(60):
        monitor.business(f"measure {number}")
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


FLOOD = """
import gc, json, os, sys
from pathlib import Path

from model_exporter import Baseline, ModelMonitor
from model_exporter.sidecar.versions import MAX_VERSIONS

KIND, SHARED, DISTINCT, PART = *sys.argv[1:3], *map(int, sys.argv[3:])
TABLE = {"age": [1.0, 2.0], "country": ["de", "fr"], "prediction": ["a", "b"]}
FEATURES = {"numeric": ["age"], "categorical": ["country"]}
baseline = Baseline.from_table(TABLE, task="multiclass", features=FEATURES)


def monitor_of(version):
    return ModelMonitor("m", version=version, baseline=baseline, multiprocess_dir=SHARED,
                        registry=monitor.registry)


monitor = ModelMonitor("m", baseline=baseline, multiprocess_dir=SHARED)
row = {"age": 1.0, "country": "de"}
batch = monitor(batch=True)(lambda rows, classes: classes)


class Failure(Exception):
    pass


@monitor
def broken(row):
    raise Failure


def classes(names):
    batch([row] * PART, names)


def errors(names):
    for name in names:
        Failure.__name__ = name  # a million classes would be a million objects of Python's own
        try:
            broken(row)
        except Failure:
            pass


def columns(names):
    batch([{**row, name: 1} for name in names], ["a"] * PART)


def categories(names):
    batch([{**row, "country": name} for name in names], ["a"] * PART)


def versions(names):
    for name in names:
        with monitor_of(name) as new:
            new(lambda row: "a")(row)


def flood(start, stop):
    for first in range(start, stop, PART):
        globals()[KIND]([f"name {number}" for number in range(first, first + PART)])
        monitor.flush()


def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if KIND == "versions":
    living = [monitor_of(f"living {number}") for number in range(1, MAX_VERSIONS)]
flood(0, 5 * PART)  # what is allocated once, and room that the allocator keeps
before = resident()
flood(5 * PART, DISTINCT)
grown = resident() - before
samples = [sample for metric in monitor.registry.collect() for sample in metric.samples]
print(json.dumps({"grown": grown, "samples": [[s.name, s.labels, s.value] for s in samples]}))
"""
MILLION = 1_000_000
MAX_GROWTH = 10 * 2**20


class Flood(NamedTuple):
    """Where distinct names show: the family, the label, and how many names of its own it takes."""

    family: str
    label: str
    cap: int
    only: dict[str, str]
    names: int = MILLION
    part: int = 20_000
    shared: bool = True


FLOODS = {
    "classes": Flood("model_predicted_class_total", "predicted_class", LIMITS[Section.CLASSES], {}),
    "errors": Flood("model_prediction_errors_total", "error_type", LIMITS[Section.ERROR_TYPES], {}),
    "columns": Flood(
        "model_schema_mismatch_total",
        "feature",
        LIMITS[Section.EXTRA_COLUMNS],
        {"reason": "extra_column"},
    ),
    "categories": Flood("model_distribution_total", "bin", 2, {"feature": "country"}),
    # Each is a monitor with a thread and, if shared, a file of its own: a million take an hour.
    "versions": Flood(
        "model_predictions_total",
        "model_version",
        MAX_VERSIONS,
        {},
        names=1_000,
        part=20,
        shared=False,
    ),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_any_number_of_names_is_counted_in_bounded_series_and_memory(
    kind: str, tmp_path: Path
) -> None:
    """Those that have a series and `__other__` add up to all of them, between processes, too."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("there is no /proc: how much memory many names take stays unverified")
    expected = FLOODS[kind]
    directory = str(tmp_path) if expected.shared else ""
    arguments = [kind, directory, str(expected.names), str(expected.part)]
    done = subprocess.run(
        [sys.executable, "-c", FLOOD, *arguments], capture_output=True, check=True
    )
    told = json.loads(done.stdout)
    counts = {
        labels[expected.label]: value
        for name, labels, value in told["samples"]
        if name == expected.family and labels.items() >= expected.only.items()
    }
    assert len(counts) == expected.cap + 1
    assert sum(counts.values()) == expected.names
    assert counts[OTHER] >= expected.names - expected.cap
    assert told["grown"] <= MAX_GROWTH
