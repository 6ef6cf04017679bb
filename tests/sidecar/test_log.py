"""The prediction log: what is written comes back; what cannot be written is counted."""

import json
import os
import stat
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from model_exporter import Baseline, ConfigError, ModelMonitor
from model_exporter.sidecar import log_files
from model_exporter.sidecar.ids import uuid7s

Reader = Callable[..., Any]
ROWS = [
    {"age": 30.0, "country": "de", "name": "Ann"},
    {"age": None, "country": "xx", "name": "Bob"},
    {"age": "old", "country": "", "name": "Cy"},
]
OUTPUTS: dict[str, Any] = {
    "binary": {"prediction": True, "score": 0.75},
    "multiclass": {"prediction": "sun", "scores": {"sun": 0.75, "rain": 0.25}},
    "regression": 101.5,
}


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON row in the shape of a Parquet row."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": item for inner, item in value.items()}
        else:
            found[name] = value
    return found


def read_log(directory: Path) -> list[dict[str, Any]]:
    """Return the rows of a log in either format, flat, with timestamps as datetime."""
    rows: list[dict[str, Any]] = []
    for path in sorted(directory.iterdir()):
        assert not path.name.startswith("."), "an unfinished file stayed behind"
        if path.suffix == ".parquet":
            rows += pq.read_table(path).to_pylist()
        else:
            rows += [flat(json.loads(line)) for line in path.read_text().splitlines()]
    for row in rows:
        if isinstance(row["timestamp"], str):
            row["timestamp"] = datetime.fromisoformat(row["timestamp"])
    return rows


@pytest.fixture(params=["jsonl", "parquet"])
def log_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_rows_come_back(
    make: Callable[..., ModelMonitor],
    task: str,
    baseline: Baseline,
    log_format: str,
    tmp_path: Path,
    clock: Any,
) -> None:
    """Both formats hold the same: ids, times, outputs, bins, segments and allowed features."""
    monitor = make(
        "shop/churn",
        version="3",
        baseline=baseline,
        log=tmp_path,
        log_format=log_format,
        log_features=["age"],
        segments=["country"],
    )
    predict = monitor(lambda row: OUTPUTS[task])
    for row in ROWS:
        predict(row)
        clock.advance(1.5)
    predict_all = monitor(batch=True, prediction_id=lambda rows: ["x", None, 7])
    predict_all(lambda rows: [OUTPUTS[task]] * 3)(ROWS)
    monitor.close()

    rows = read_log(tmp_path)
    assert len(rows) == 6
    age, country = (baseline.features[name] for name in ("age", "country"))
    expected_bins = {
        "bins.age": [int(age.bin_index([30.0])[0]), -1, -2] * 2,
        "bins.country": [int(country.bin_index(["de"])[0]), 3, -1] * 2,
        "segments.country": ["de", "xx", None] * 2,
        "features.age": [30.0, None, None if log_format == "parquet" else "old"] * 2,
        "baseline": [baseline.checksum] * 6,
        "model_name": ["shop/churn"] * 6,
        "model_version": ["3"] * 6,
    }
    found = {name: [row[name] for row in rows] for name in expected_bins}
    assert found == expected_bins
    start = datetime.fromtimestamp(1_700_000_000, UTC)
    seconds = [(row["timestamp"] - start).total_seconds() for row in rows]
    assert seconds == [0, 1.5, 3, 4.5, 4.5, 4.5]
    ids = [row["prediction_id"] for row in rows]
    assert (ids[3], ids[5], len(set(ids))) == ("x", "7", 6)
    outputs = {
        "binary": {"prediction": "1", "score": 0.75},
        "multiclass": {"prediction": "sun", "scores.sun": 0.75, "scores.rain": 0.25},
        "regression": {"prediction": 101.5},
    }[task]
    for row in rows:
        assert {name: row[name] for name in outputs} == outputs
    expected = {*expected_bins, *outputs, "prediction_id", "timestamp"}
    assert set(rows[0]) == expected, "and no other column: no name, no raw country"


def test_ids_are_the_callers_where_given(
    make: Callable[..., ModelMonitor], tmp_path: Path, reader: Reader
) -> None:
    """`prediction_id` gets the arguments without self; an id that fails is made instead."""
    monitor = make(task="binary", log=tmp_path, strict=False)

    class Model:
        @monitor(prediction_id=lambda row, request: f"{row}-{request['id']}")
        def predict(self, row: Any, request: Any) -> int:
            return 1

    model = Model()
    model.predict("a", {"id": 5})
    model.predict("a", request={"id": 6})
    model.predict("a", {})
    monitor.close()
    ids = [row["prediction_id"] for row in read_log(tmp_path)]
    assert ids[:2] == ["a-5", "a-6"]
    assert uuid.UUID(ids[2]).version == 7
    assert reader(monitor)("model_exporter_internal_errors_total", stage="prediction_id") == 1


def test_ids_are_uuid7_sorted_by_time() -> None:
    """Version and variant are right, the time can be read back, order follows time."""
    times = np.arange(1_700_000_000_000_000_000, 1_700_000_000_100_000_000, 999_983)
    ids = uuid7s(times)
    assert ids == sorted(ids)
    assert len(set(uuid7s(np.repeat(times[:1], 10_000)))) == 10_000
    for text, time in zip(ids, times.tolist(), strict=True):
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
        assert parsed.int >> 80 == time // 1_000_000


def test_files_are_hidden_until_complete_and_private(
    make: Callable[..., ModelMonitor], tmp_path: Path
) -> None:
    """A reader never sees half a file; only the owner can read any; the name tells its origin."""
    monitor = make("shop/churn", task="binary", log=tmp_path)
    monitor(lambda row: 1)(1)
    monitor.flush()
    assert wait_for(lambda: list(tmp_path.iterdir()))
    assert wait_for(lambda: next(iter(tmp_path.iterdir())).stat().st_size)
    (hidden,) = tmp_path.iterdir()
    assert hidden.name.startswith(".")
    assert hidden.name.endswith(".jsonl.tmp")
    monitor.close()
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.name.startswith("shop_churn-")
    assert path.name.endswith(f"-{os.getpid()}-20231114T221320000000Z-0.jsonl")


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Wait for what a background thread does."""
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.002)
    return False


@pytest.mark.parametrize(("limit", "files"), [({"log_max_bytes": 1}, 4), ({}, 1)])
def test_files_rotate_by_size(
    make: Callable[..., ModelMonitor],
    tmp_path: Path,
    log_format: str,
    limit: dict[str, int],
    files: int,
) -> None:
    """A file ends when it is large enough; rows are in exactly one."""
    monitor = make(task="regression", log=tmp_path, log_format=log_format, **limit)
    for value in range(4):
        monitor(lambda row: row)(float(value))
        monitor.flush()
    monitor.close()
    assert len(list(tmp_path.iterdir())) == files
    assert sorted(row["prediction"] for row in read_log(tmp_path)) == [0, 1, 2, 3]


def test_files_rotate_by_age(
    make: Callable[..., ModelMonitor], tmp_path: Path, log_format: str, clock: Any
) -> None:
    """A quiet model's rows appear, too: the file ends when it is old enough."""
    monitor = make(task="regression", log=tmp_path, log_format=log_format, log_max_seconds=0.05)
    monitor(lambda row: 1.0)(1)
    monitor.flush()
    writer = monitor._pipeline.log
    assert writer is not None
    assert wait_for(lambda: writer._file is not None or list(tmp_path.iterdir()))
    clock.advance(0.05)
    assert wait_for(lambda: [p for p in tmp_path.iterdir() if not p.name.startswith(".")])
    assert len(read_log(tmp_path)) == 1


@pytest.fixture
def failing_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Make the first writes fail after some bytes, as a full disk does."""
    failures = [1]
    write = os.write

    def full(file: int, data: Any) -> int:
        if failures:
            failures.pop()
            write(file, bytes(data)[:5])
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(log_files.os, "write", full)
    yield failures
    monkeypatch.undo()


def test_a_full_disk_drops_counts_and_recovers(
    make: Callable[..., ModelMonitor], tmp_path: Path, failing_disk: list[int], reader: Reader
) -> None:
    """Nothing of the failed rows stays behind, before or after good ones."""
    monitor = make(task="regression", log=tmp_path, strict=False)
    read = reader(monitor)
    for value in range(4):
        if value == 2:
            failing_disk.append(1)
        monitor(lambda row: row)(float(value))
        monitor.flush()
        done = monitor._pipeline.log
        assert done is not None
        assert wait_for(lambda value=value, done=done: done._done == value + 1)
    assert read("model_exporter_dropped_total", reason="log_write_failed") == 2
    assert read("model_exporter_internal_errors_total", stage="log") == 2
    monitor.close()
    assert [row["prediction"] for row in read_log(tmp_path)] == [1, 3]


def test_ten_thousand_predictions_on_a_disk_of_64_kb(
    make: Callable[..., ModelMonitor], small_disk: Any, log_format: str, reader: Reader
) -> None:
    """Every row is in a file or counted as dropped, whole; with room again, none is dropped."""
    monitor = make(
        task="regression",
        log=small_disk.path,
        log_format=log_format,
        log_max_bytes=10_000,
        strict=False,
    )
    read, writer = reader(monitor), monitor._pipeline.log
    assert writer is not None
    results = [float(value) for value in range(12_000)]
    predict = monitor(lambda row: results[row])

    def serve(rows: range) -> None:
        for row in rows:
            assert predict(row) is results[row]
            if row % 50 == 49:
                monitor.flush()
        assert wait_for(lambda: writer._done == rows.stop)

    serve(range(10_000))
    dropped = read("model_exporter_dropped_total", reason="log_write_failed")
    assert dropped is not None
    assert 5_000 < dropped < 10_000
    assert read("model_exporter_internal_errors_total", stage="log") > 0
    small_disk.resize(4096)
    serve(range(10_000, 12_000))
    monitor.close()
    logged = [row["prediction"] for row in read_log(small_disk.path)]
    lost = read("model_exporter_dropped_total", reason="log_write_failed")
    assert len(logged) + lost == read("model_predictions_total") == 12_000
    assert len(set(logged)) == len(logged)
    assert {*results[10_000:]} <= {*logged}


def test_a_directory_that_vanishes_is_counted_and_made_again(
    make: Callable[..., ModelMonitor], tmp_path: Path, log_format: str, reader: Reader
) -> None:
    """Rows of a file that lost its directory are counted as dropped; the next are written."""
    import shutil

    directory = tmp_path / "log"
    settings = {"log": directory, "log_format": log_format, "log_max_bytes": 1, "strict": False}
    monitor = make(task="regression", **settings)
    writer = monitor._pipeline.log
    assert writer is not None
    write = writer._write

    def write_and_remove(rows: Any) -> None:
        write(rows)
        shutil.rmtree(directory, ignore_errors=True)
        writer._write = write  # type: ignore[method-assign]

    writer._write = write_and_remove  # type: ignore[method-assign]
    for value in (1.0, 2.0):
        monitor(lambda row: row)(value)
        monitor.flush()
    monitor.close()
    assert reader(monitor)("model_exporter_dropped_total", reason="log_write_failed") == 1
    assert [row["prediction"] for row in read_log(directory)] == [2.0]


def test_a_slow_disk_drops_beyond_the_queue(
    make: Callable[..., ModelMonitor], tmp_path: Path, reader: Reader
) -> None:
    """The queue is bounded; logged and dropped rows add up to the predictions."""
    import threading

    monitor = make(task="regression", log=tmp_path, log_queue_rows=2)
    writer = monitor._pipeline.log
    assert writer is not None
    release, write = threading.Event(), writer._write

    def slow_write(rows: Any) -> None:
        release.wait()
        write(rows)

    writer._write = slow_write  # type: ignore[method-assign]
    for value in range(5):
        monitor(lambda row: row)(float(value))
        monitor.flush()
    release.set()
    monitor.close()
    assert reader(monitor)("model_exporter_dropped_total", reason="log_queue_full") == 3
    assert [row["prediction"] for row in read_log(tmp_path)] == [0, 1]


def test_after_close_calls_count_but_are_not_logged(
    make: Callable[..., ModelMonitor], tmp_path: Path, reader: Reader
) -> None:
    """Closing twice is fine; what comes later is counted by name."""
    with make(task="regression", log=tmp_path) as monitor:
        monitor(lambda row: 1.0)(1)
    monitor(lambda row: 1.0)(1)
    monitor.close()
    read = reader(monitor)
    assert read("model_predictions_total") == 2
    assert read("model_exporter_dropped_total", reason="closed") == 1
    assert len(read_log(tmp_path)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_writes_a_file_of_its_own(
    make: Callable[..., ModelMonitor], tmp_path: Path, log_format: str
) -> None:
    """Rows of the parent are written by the parent, once; those of the child by the child."""
    monitor = make(task="regression", log=tmp_path, log_format=log_format)
    predict = monitor(lambda row: row)
    predict(1.0)
    monitor.flush()
    predict(2.0)
    pid = os.fork()
    if pid == 0:
        try:
            predict(3.0)
            monitor.close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    monitor.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert sorted(row["prediction"] for row in read_log(tmp_path)) == [1, 2, 3]


def test_rows_are_written_at_exit(tmp_path: Path) -> None:
    """A process that forgets to close loses nothing."""
    import subprocess
    import sys

    program = f"""
from model_exporter import ModelMonitor
predict = ModelMonitor("m", task="regression", log={str(tmp_path)!r})(lambda row: row)
predict(1.0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert [row["prediction"] for row in read_log(tmp_path)] == [1.0]


def test_a_log_that_cannot_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At construction, with what to do; never later."""
    (tmp_path / "file").write_text("")
    for arguments, message in (
        ({"log": tmp_path / "file"}, "cannot make this directory"),
        ({"log": 3}, "expected the path"),
        ({"log": tmp_path, "log_format": "csv"}, "'jsonl' or 'parquet'"),
        ({"segments": ["a"]}, "there is none"),
        ({"log": tmp_path, "segments": "country"}, "list of feature names"),
    ):
        with pytest.raises(ConfigError, match=message):
            ModelMonitor("m", task="binary", **arguments)  # type: ignore[arg-type]
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigError, match=r"model-exporter\[parquet\]"):
        ModelMonitor("m", task="binary", log=tmp_path, log_format="parquet")
