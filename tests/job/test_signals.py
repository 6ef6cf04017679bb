"""`serve` as a real process: signals, stopping in the middle of a long read, reload."""

import contextlib
import ctypes
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from model_exporter.demo.processes import free_port
from model_exporter.job.config import load
from model_exporter.job.once import once

NOW = 1_700_000_000_000_000
CANARY = "c4n4ryZf9"


class Job:
    """A configuration over some rows, and processes that serve it."""

    def __init__(self, directory: Path, rows: int) -> None:
        self.path = directory / "exporter.yml"
        self.log = directory / "log.jsonl"
        self.port = free_port()
        self.state = directory / "state"
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT 'id' || i AS prediction_id, {NOW} - i * 100000 AS timestamp, "
                f"i % 2 AS prediction, (i % 97) / 97.0 AS score FROM range({rows}) t(i)) "
                f"TO '{directory}/predictions.parquet'"
            )
            connection.execute(
                f"COPY (SELECT 'id' || i AS prediction_id, {NOW} - i * 100000 AS label_timestamp, "
                f"i % 3 % 2 AS label FROM range({rows}) t(i)) TO '{directory}/labels.parquet'"
            )
        self.model = {
            "name": "m",
            "task": "binary",
            "predictions": {"type": "parquet", "path": "predictions.parquet"},
            "labels": {"type": "parquet", "path": "labels.parquet"},
            "windows": ["3650d"],
        }
        self.write(self.model)

    def write(self, *models: dict) -> None:
        config = {"listen": f"127.0.0.1:{self.port}", "poll_interval": "1h", "models": models}
        self.path.write_text(json.dumps(config))  # YAML too, and without aliases

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen]:
        command = ["serve", "--config", str(self.path), "--log-format", "json"]
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "model_exporter", *command], stderr=log
            )
            try:
                until(lambda: self.get("/-/healthy") == 200)
                yield process
            finally:
                process.kill()
                process.wait()

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def events(self) -> list[str]:
        return [line.get("event", "") for line in self.lines()]


def until(condition, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_in_the_middle_of_a_first_read(tmp_path: Path, number: int) -> None:
    """What was begun is undone, what was taken in stays, and the next start reads on."""
    job = Job(tmp_path, rows=1_500_000)
    with job.serving() as process:
        assert job.get("/-/ready") == 503
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
    assert "stopped" in job.events() or "left" in job.events()
    assert not any(line["level"] == "error" for line in job.lines())
    config = load(job.path)
    text, failures = once(config, now=NOW)
    assert failures == []
    assert 'model_window_predictions{model_name="m",model_version="all"' in text
    (line,) = [t for t in text.splitlines() if 'version="all"' in t and "labeled_predictions{" in t]
    assert line.endswith(" 1.5e+06")


def test_hangup_reloads_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    """Refused with its reason, and without the secret that it holds; accepted once it is good."""
    job = Job(tmp_path, rows=10)
    with job.serving() as process:
        until(lambda: job.get("/-/ready") == 200)
        broken = {**job.model, "task": f"https://user:{CANARY}@host/"}
        job.write(broken)
        process.send_signal(signal.SIGHUP)
        until(lambda: "reload_refused" in job.events())
        assert job.get("/-/ready") == 200
        request = urllib.request.Request(f"http://127.0.0.1:{job.port}/-/reload", method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        with refused.value as answer:
            body = answer.read().decode()
        assert "https://<secret>@host/" in body
        job.write(job.model, {**job.model, "name": "second"})
        process.send_signal(signal.SIGHUP)
        until(lambda: "reloaded" in job.events())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert CANARY not in body + job.log.read_text()


def test_a_signal_that_another_thread_gets_is_obeyed(tmp_path: Path) -> None:
    """The system gives it to any; Python's handlers wait for the main thread, which sleeps."""
    job = Job(tmp_path, rows=10)
    with job.serving() as process:
        until(lambda: job.get("/-/ready") == 200)
        threads = [int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir()]
        other = max(thread for thread in threads if thread != process.pid)
        assert ctypes.CDLL(None).tgkill(process.pid, other, signal.SIGTERM) == 0
        assert process.wait(timeout=30) == 0


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """While the first holds the state."""
    job = Job(tmp_path, rows=10)
    with job.serving():
        until(lambda: job.get("/-/ready") == 200)
        command = [sys.executable, "-m", "model_exporter", "once", "--config", str(job.path)]
        second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 2
    assert "in use by another process" in second.stderr
