"""The log's disk budget and what killed writers leave: bounded, adopted, counted."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from model_exporter import ConfigError, ModelMonitor
from model_exporter.sidecar import log_locks
from model_exporter.sidecar.log_names import entries, prefix

Reader = Callable[..., Any]
BUDGET = 1 << 16


def used(directory: Path) -> int:
    total = 0
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):  # deleted, or renamed, meanwhile
            total += path.stat().st_size
    return total


def logged(directory: Path) -> list[float]:
    """Return the predictions in a directory's finished files, in either format."""
    found: list[float] = []
    for path in directory.iterdir():
        if path.name.startswith("."):
            continue
        if path.suffix == ".parquet":
            found += [row["prediction"] for row in pq.read_table(path).to_pylist()]
        else:
            found += [json.loads(line)["prediction"] for line in path.read_text().splitlines()]
    return sorted(found)


def written(monitor: ModelMonitor, rows: int) -> bool:
    """Wait until the log's thread is done with so many rows."""
    import time

    writer = monitor._pipeline.log
    assert writer is not None
    for _ in range(5000):
        if writer._done == rows:
            return True
        time.sleep(0.002)
    return False


@pytest.mark.parametrize("log_format", ["jsonl", "parquet"])
def test_the_oldest_go_first(
    make: Callable[..., ModelMonitor], tmp_path: Path, log_format: str, reader: Reader
) -> None:
    """The directory stays within the budget; kept and dropped are all rows, the newest kept."""
    monitor = make(
        task="regression",
        log=tmp_path,
        log_format=log_format,
        log_budget_bytes=BUDGET,
        log_max_bytes=BUDGET if log_format == "jsonl" else 1,
    )
    predict = monitor(batch=True)(lambda rows: rows)
    steps, rows = 40, 20
    for step in range(steps):
        predict([float(step)] * rows)
        monitor.flush()
        assert written(monitor, (step + 1) * rows)
        assert used(tmp_path) <= BUDGET
    monitor.close()
    kept = logged(tmp_path)
    dropped = reader(monitor)("model_exporter_dropped_total", reason="log_budget")
    assert dropped > 0
    assert len(kept) + dropped == steps * rows
    newest_first = [float(step) for step in reversed(range(steps)) for _ in range(rows)]
    assert kept[::-1] == newest_first[: len(kept)]
    assert used(tmp_path) <= BUDGET


def test_files_of_others_are_never_deleted(
    make: Callable[..., ModelMonitor], tmp_path: Path, reader: Reader
) -> None:
    """Neither another model's, though its name begins alike, nor a stranger's; the newest go."""
    other = make("m-1", task="regression", log=tmp_path, log_budget_bytes=0)
    other(batch=True)(lambda rows: rows)([1.0] * 600)
    other.close()
    (theirs,) = tmp_path.iterdir()
    assert theirs.stat().st_size > BUDGET
    stranger = tmp_path / "notes.jsonl"
    stranger.write_text("{}\n" * BUDGET)
    monitor = make(
        "m", task="regression", log=tmp_path, log_budget_bytes=BUDGET, strict=False
    )  # fmt: skip
    predict = monitor(lambda row: row)
    predict(2.0)
    monitor.flush()
    assert written(monitor, 1)
    read = reader(monitor)
    assert read("model_exporter_dropped_total", reason="log_budget") == 1
    assert read("model_exporter_internal_errors_total", stage="log") == 1
    assert sorted(tmp_path.iterdir()) == sorted([theirs, stranger])

    theirs.unlink()
    predict(3.0)
    monitor.close()
    assert read("model_exporter_dropped_total", reason="log_budget") == 1, "there is room again"
    assert stranger.exists()
    stranger.unlink()
    assert logged(tmp_path) == [3.0]


def test_what_cannot_be_deleted_is_passed_over(
    make: Callable[..., ModelMonitor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of another user keeps its room; the next oldest goes."""
    monitor = make(
        task="regression", log=tmp_path, log_budget_bytes=BUDGET, log_max_bytes=1
    )  # fmt: skip
    predict = monitor(lambda row: row)
    predict(0.0)
    monitor.flush()
    assert written(monitor, 1)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name.endswith("-0.jsonl"):
            raise PermissionError(1, "Operation not permitted")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    for value in range(1, 40):
        predict(float(value))
        monitor.flush()
    monitor.close()
    kept = logged(tmp_path)
    assert kept[0] == 0
    assert kept[1:] == [float(v) for v in range(40 - len(kept) + 1, 40)]


def test_without_a_bound_nothing_is_deleted(
    make: Callable[..., ModelMonitor], tmp_path: Path
) -> None:
    monitor = make(task="regression", log=tmp_path, log_budget_bytes=0, log_max_bytes=1)
    for value in range(40):
        monitor(lambda row: row)(float(value))
        monitor.flush()
    monitor.close()
    assert logged(tmp_path) == [float(value) for value in range(40)]


def test_too_small_a_budget_is_refused(tmp_path: Path) -> None:
    for budget in (1, -1, None):
        with pytest.raises(ConfigError, match="log_budget_bytes"):
            ModelMonitor("m", task="binary", log=tmp_path, log_budget_bytes=budget)  # type: ignore[arg-type]


def _write_many(directory: str) -> None:
    monitor = ModelMonitor("m", task="regression", log=directory, log_budget_bytes=BUDGET * 4)
    predict = monitor(batch=True)(lambda rows: rows)
    for step in range(40):
        predict([float(step)] * 20)
        monitor.flush()
    monitor.close()


def test_processes_share_a_budget(tmp_path: Path) -> None:
    """Each may be ahead of the others by what it writes between two looks, and no more."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(str(tmp_path),)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    slack = 3 * BUDGET * 4 // 16
    assert 0 < used(tmp_path) <= BUDGET * 4 + slack
    assert all(not path.name.startswith(".") for path in tmp_path.iterdir())


def killed_writer(directory: Path) -> Path:
    """Let a process log three predictions and kill it; return its temporary file."""
    program = f"""
import os, signal, time
from model_exporter import ModelMonitor
monitor = ModelMonitor("m", task="regression", log={str(directory)!r})
predict = monitor(lambda row: row)
for value in (1.0, 2.0, 3.0):
    predict(value)
monitor.flush()
while monitor._pipeline.log._done < 3:
    time.sleep(0.005)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    (remains,) = directory.iterdir()
    assert remains.name.startswith(".")
    return remains


def test_what_a_killed_writer_left_is_published(
    make: Callable[..., ModelMonitor], tmp_path: Path
) -> None:
    """All that had reached the file is there, once, without an unfinished last line."""
    remains = killed_writer(tmp_path)
    with remains.open("ab") as file:
        file.write(b'{"prediction_id":"half a li')
    another = tmp_path / remains.name.replace(prefix("m"), prefix("m2"))
    another.write_bytes(remains.read_bytes())
    with make(task="regression", log=tmp_path) as monitor:
        monitor(lambda row: row)(4.0)
    assert logged(tmp_path) == [1, 2, 3, 4]
    assert another.exists(), "another model's remains are its own"


def test_remains_without_a_whole_row_are_removed(
    make: Callable[..., ModelMonitor], tmp_path: Path
) -> None:
    """An empty file, half a line and half a Parquet file hold nothing to read."""
    remains = killed_writer(tmp_path)
    remains.write_bytes(b'{"half')
    (tmp_path / remains.name.replace("-0.jsonl", "-1.jsonl")).touch()
    (tmp_path / remains.name.replace(".jsonl", ".parquet")).write_bytes(b"PAR1\n")
    with make(task="regression", log=tmp_path) as monitor:
        monitor(lambda row: row)(4.0)
    assert logged(tmp_path) == [4]
    assert len(list(tmp_path.iterdir())) == 1


def test_the_file_of_a_living_writer_is_left_alone(
    make: Callable[..., ModelMonitor], tmp_path: Path
) -> None:
    """Whatever its pid says: a pid of another container may be nobody's, or somebody else's."""
    writer = make(task="regression", version="1", log=tmp_path)
    writer(lambda row: row)(1.0)
    writer.flush()
    assert written(writer, 1)
    with make(task="regression", version="2", log=tmp_path) as monitor:
        monitor(lambda row: row)(2.0)
    assert logged(tmp_path) == [2]
    writer.close()
    assert logged(tmp_path) == [1, 2]


def test_without_locks_nothing_is_adopted(
    make: Callable[..., ModelMonitor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing tells a dead writer from a living one there."""
    remains = killed_writer(tmp_path)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    file = os.open(remains, os.O_RDONLY)
    assert log_locks.try_hold(file) is None
    os.close(file)
    with make(task="regression", log=tmp_path) as monitor:
        monitor(lambda row: row)(4.0)
    assert logged(tmp_path) == [4]
    assert remains.exists()


def test_a_file_that_was_adopted_while_it_was_made_is_made_again(
    make: Callable[..., ModelMonitor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the making of a file and its lock another process may take it for remains."""
    hold = log_locks.hold

    def slow_hold(file: int) -> None:
        monkeypatch.setattr(log_locks, "hold", hold)
        (path,) = tmp_path.iterdir()
        path.unlink()
        hold(file)

    monkeypatch.setattr(log_locks, "hold", slow_hold)
    with make(task="regression", log=tmp_path) as monitor:
        monitor(lambda row: row)(4.0)
    assert logged(tmp_path) == [4]


def test_only_our_files_count(tmp_path: Path) -> None:
    """Names of ours, finished or not; no directory, no link, no stranger."""
    ours = f"{prefix('m')}host-1-20231114T221320000000Z-0.jsonl"
    (tmp_path / ours).write_text("x")
    (tmp_path / f".{ours}.tmp").write_text("x")
    (tmp_path / f".{ours}").write_text("x")
    (tmp_path / f"{ours}.tmp").write_text("x")
    (tmp_path / "a.jsonl").write_text("x")
    (tmp_path / ours.replace("-0.", "-1.")).mkdir()
    (tmp_path / ours.replace("-0.", "-2.")).symlink_to(tmp_path / "a.jsonl")
    assert sorted(entry.path.name for entry in entries(tmp_path)) == [f".{ours}.tmp", ours]
    assert all(entry.of(prefix("m")) for entry in entries(tmp_path))
    assert not any(entry.of(prefix("m-1")) for entry in entries(tmp_path))
    assert entries(tmp_path / "absent") == []
