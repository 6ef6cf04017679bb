"""Pushed records outlive what kills the job; in whatever pieces they came, the result is one."""

import errno
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter.errors import SourceError, StateError
from model_exporter.job.config import load
from model_exporter.job.once import once
from model_exporter.job.sources import spool as spool_module
from model_exporter.job.sources.spool import Spool, SpoolFullError

NOW = 1_700_000_000_000_000
LIMIT = 1 << 20
STEPS = ("append", "read", "killed reading", "restart", "cut")


def read(spool: Spool) -> list[str]:
    """Take in what waits, as a turn does."""
    batches = list(spool.read({}))
    spool.forget(batches)
    return [row["i"] for batch in batches for row in batch.table.to_pylist()]


def line(i: int) -> bytes:
    return json.dumps({"i": i, "text": "x" * (i % 50)}).encode() + b"\n"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=30))
def test_nothing_is_lost(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """What was appended is read, at least once, whatever happens between; then it is gone."""
    directory = tmp_path_factory.mktemp("spool")
    spool, appended, seen = Spool(directory, limit=LIMIT), [], []
    for step in steps:
        if step == "append":
            spool.append(line(len(appended)))
            appended.append(str(len(appended)))
        elif step == "read":
            seen += read(spool)
        elif step == "killed reading":
            seen += [row["i"] for batch in spool.read({}) for row in batch.table.to_pylist()]
            spool = Spool(directory, limit=LIMIT)
        elif step == "restart":
            spool.close()
            spool = Spool(directory, limit=LIMIT)
        else:
            for path in directory.glob("*.open"):
                with path.open("ab") as file:
                    file.write(line(99)[:-1])  # the process died as it wrote
            spool = Spool(directory, limit=LIMIT)
    seen += read(spool)
    assert sorted(set(seen), key=int) == appended
    assert "killed reading" in steps or len(seen) == len(appended)
    assert list(directory.iterdir()) == []
    assert spool._bytes == 0


def append_all(spool: Spool, kept: list[str]) -> None:
    for i in range(100):
        spool.append(line(i))
        kept.append(str(i))


def test_the_bound_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments are cut at their size; beyond the limit nothing is kept until some is taken in."""
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 300)
    spool = Spool(tmp_path, limit=1000)
    kept: list[str] = []
    with pytest.raises(SpoolFullError):
        append_all(spool, kept)
    assert 1 < len(list(tmp_path.iterdir())) < len(kept)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1000
    assert read(spool) == kept
    spool.append(line(0))
    again = Spool(tmp_path, limit=len(line(0)) + 1)  # counts what was there before
    with pytest.raises(SpoolFullError):
        again.append(line(1))
    again.close()
    with pytest.raises(StateError, match="closed"):
        again.append(line(1))


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Nothing is promised then, half a line never read, and all is well once the disk is."""
    spool = Spool(tmp_path, limit=LIMIT)
    spool.append(line(1))
    real = getattr(os, call)

    def fail(file: int, *data: Any) -> int:
        if data:
            real(file, data[0][:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space"):
            spool.append(line(2))
    spool.append(line(3))
    assert [row for row in read(spool) if row != "2"] == ["1", "3"]
    assert list(tmp_path.iterdir()) == []


def test_writers_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits while one sync runs is served by the next, all of them together."""
    spool = Spool(tmp_path, limit=LIMIT)
    spool.append(line(0))
    entered, release, syncs, real = threading.Event(), threading.Event(), [], os.fsync

    def slow(file: int) -> None:
        syncs.append(file)
        entered.set()
        assert release.wait(30)
        real(file)

    monkeypatch.setattr(os, "fsync", slow)
    first = threading.Thread(target=spool.append, args=(line(1),))
    first.start()
    assert entered.wait(30)
    others = [threading.Thread(target=spool.append, args=(line(i),)) for i in range(2, 20)]
    for thread in others:
        thread.start()
    assert spool._segment is not None
    while spool._segment.written < sum(len(line(i)) for i in range(20)):
        assert any(thread.is_alive() for thread in others)
    release.set()
    for thread in (first, *others):
        thread.join()
    assert len(syncs) == 2
    assert sorted(map(int, read(spool))) == list(range(20))


def test_a_damaged_segment_hides_no_other(tmp_path: Path) -> None:
    """It stays, and the source says so."""
    spool = Spool(tmp_path, limit=LIMIT)
    spool.append(line(1))
    spool.close()
    (tmp_path / f"{0:020}.jsonl").write_bytes(b"{\n")
    spool = Spool(tmp_path, limit=LIMIT)
    batches = spool.read({})
    found = next(batches)
    assert found.table.column("i").to_pylist() == ["1"]
    with pytest.raises(SourceError, match="delete the file"):
        next(batches)
    spool.forget([found])
    assert [path.name for path in tmp_path.iterdir()] == [f"{0:020}.jsonl"]


CONFIG = {
    "name": "churn",
    "task": "binary",
    "features": {"numeric": ["age"], "categorical": ["country"]},
    "segments": ["country"],
    "windows": ["1h", "1d", "30d"],
}


def records(rng: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Predictions, and labels with corrections, re-sends, ties, orphans and future ones."""
    predictions, labels = [], []
    for i in range(300):
        ago = rng.uniform(0, 40 * 86_400)
        score = rng.random()
        predictions.append(
            {
                "prediction_id": f"id{i}",
                "timestamp": NOW / 1e6 - ago,
                "model_version": rng.choice("12"),
                "prediction": int(score > 0.5),
                "score": score,
                "features": {"age": rng.choice([rng.gauss(40, 9), None])},
                "country": rng.choice(["DE", "FR", None, "IT"]),
            }
        )
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            when = NOW / 1e6 - ago + rng.uniform(0, 86_400)
            labels.append(
                {"prediction_id": f"id{i}", "label": rng.randrange(2), "label_timestamp": when}
            )
    labels.append({"prediction_id": "nobody", "label": 1, "label_timestamp": NOW / 1e6 - 9})
    return predictions, labels


def configure(directory: Path, **sources: dict[str, Any]) -> Path:
    directory.mkdir()
    path = directory / "exporter.yml"
    models = [{**CONFIG, **sources}]
    path.write_text(
        json.dumps({"listen": "127.0.0.1:0", "poll_interval": "50ms", "models": models})
    )
    return path


def evaluated(path: Path) -> str:
    text, failures = once(load(path), now=NOW)
    assert failures == []
    return text


class Job:
    """A real `model-exporter serve`, which some signal ends."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "model_exporter", "serve", "--config", str(path)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        found = None
        while found is None:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", next(self.process.stderr))
        self.port = int(found[1])

    def push(self, source: str, rows: list[dict[str, Any]]) -> bool:
        """Return whether the job promised to keep the records."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json"}
        try:
            connection.request("POST", f"/v1/{source}", json.dumps(rows), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        assert status in (202, 503)
        return status == 202

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(60)
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.mark.parametrize("seed", range(2))
def test_kill_9_loses_nothing(tmp_path: Path, seed: int) -> None:
    """Pushed in any order, in any pieces, some twice, the job killed again and again: as files.

    What was answered is not pushed again; what was not, is.
    """
    rng = random.Random(seed)
    predictions, labels = records(random.Random(0))
    for name, rows in (("predictions", predictions), ("labels", labels)):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in rows))
    files = {
        name: {"type": "jsonl", "path": f"../{name}.jsonl"} for name in ("predictions", "labels")
    }
    expected = evaluated(configure(tmp_path / "files", **files))
    waiting = [("predictions", row) for row in predictions] + [("labels", row) for row in labels]
    waiting += rng.sample(waiting, 100)
    rng.shuffle(waiting)
    path = configure(tmp_path / "pushed", predictions={"type": "push"}, labels={"type": "push"})
    kills = 0
    while waiting:
        job = Job(path)
        try:
            remaining = rng.randrange(2, 15)
            killer = threading.Timer(rng.uniform(0, 0.3), job.process.kill)
            while waiting and job.process.poll() is None:
                remaining -= 1
                if remaining == 0 and kills < 5:
                    killer.start()  # somewhere among the next pushes and turns
                source = waiting[-1][0]
                size = rng.choice([1, 3, 20])
                batch = [pair for pair in waiting[-size:] if pair[0] == source]
                if job.push(source, [row for _, row in batch]):
                    for pair in batch:
                        waiting.remove(pair)
            killer.cancel()
        finally:
            job.end(signal.SIGKILL)
        kills += 1
    assert kills >= 3
    assert evaluated(path) == expected
