"""The output depends on the records alone, not on how they were ordered, split or repeated."""

import contextlib
import csv
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from model_exporter.baseline import Baseline
from model_exporter.job.config import load
from model_exporter.job.once import once

NOW = 1_700_000_000_000_000
ROWS = 400
CONFIG = {
    "name": "churn",
    "task": "binary",
    "baseline": "baseline.json",
    "predictions": {"type": "csv", "path": "predictions/*.csv", "columns": {"score": "score"}},
    "labels": {"type": "csv", "path": "labels/*.csv"},
    "features": {"numeric": ["age"], "categorical": ["country"]},
    "segments": ["country"],
    "windows": ["1h", "1d", "30d"],
    "maturity": {"coverage": 0.8, "max": "5d"},
    "cohorts": ["6h", "7d", "30d"],
}
PREDICTION = [
    "prediction_id", "timestamp", "model_version", "prediction", "score", "age", "country",
]  # fmt: skip
LABEL = ["prediction_id", "label", "label_timestamp"]


def seconds_ago(seconds: float) -> str:
    return str((NOW - round(seconds * 1_000_000)) / 1e6)


def records(seed: int) -> tuple[list[list], list[list]]:
    """Predictions, and labels with corrections, re-sends, ties, orphans, late and future ones."""
    rng = random.Random(seed)
    predictions, labels = [], []
    for i in range(ROWS):
        age = rng.uniform(0, 40 * 86_400)
        score = rng.choice([rng.random(), 0, 1, 0.5])
        country = rng.choice(["DE", "FR", "", "IT", f"country {rng.randrange(40)}"])
        predictions.append(
            [f"id{i}", seconds_ago(age), rng.choice("12"), int(score > 0.5), score,
             rng.choice([rng.gauss(40, 9), ""]), country]
        )  # fmt: skip
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
            labels.append([f"id{i}", rng.choice("01"), seconds_ago(age - rng.uniform(0, 86_400))])
    labels += [[f"nobody{i}", "1", seconds_ago(i)] for i in range(9)]
    labels += [["id1", "maybe", seconds_ago(5)], ["", "1", seconds_ago(5)], ["id2", "1", "soon"]]
    labels += [["id3", "0", seconds_ago(77)], ["id3", "1", seconds_ago(77)]]  # a tie in time
    predictions.append(["id4", seconds_ago(0), "2", 1, 0.9, 1, "DE"])  # logged twice, unlike
    return predictions, labels


def write(path: Path, header: list[str], rows: list[list]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def deliver(directory: Path, name: str, header: list[str], rows: list[list], parts: int) -> None:
    for part in range(parts):
        write(directory / name / f"{part:03}.csv", header, rows[part::parts])


def configure(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    for name in ("predictions", "labels"):
        (directory / name).mkdir(exist_ok=True)
    reference = random.Random(0)
    Baseline.from_table(
        {
            "prediction": [reference.randrange(2) for _ in range(500)],
            "score": [reference.random() for _ in range(500)],
            "age": [reference.gauss(38, 9) for _ in range(500)],
            "country": [f"country {reference.randrange(30)}" for _ in range(500)],
        },
        task="binary",
        features=CONFIG["features"],
        score="score",
    ).save(directory / "baseline.json")
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [CONFIG]}), "utf-8")
    return path


def evaluate(path: Path) -> str:
    text, failures = once(load(path), now=NOW)
    assert failures == []
    return text


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> str:
    """One pass over everything, in order."""
    directory = tmp_path_factory.mktemp("reference")
    path = configure(directory)
    predictions, labels = records(seed=1)
    deliver(directory, "predictions", PREDICTION, predictions, 1)
    deliver(directory, "labels", LABEL, labels, 1)
    return evaluate(path)


@pytest.mark.parametrize("seed", range(4))
def test_any_order_split_and_repetition(tmp_path: Path, reference: str, seed: int) -> None:
    """Shuffled, delivered twice, split over files that arrive between evaluations."""
    rng = random.Random(seed)
    path = configure(tmp_path)
    predictions, labels = (2 * rows for rows in records(seed=1))
    rng.shuffle(predictions)
    rng.shuffle(labels)
    steps = [("predictions", PREDICTION, predictions), ("labels", LABEL, labels)]
    rng.shuffle(steps)
    parts = rng.randint(2, 5)
    for name, header, rows in steps:
        for part in range(parts):
            write(tmp_path / name / f"{part:03}.csv", header, rows[part::parts])
            evaluate(path)
    assert evaluate(path) == reference


def test_growing_files(tmp_path: Path, reference: str) -> None:
    """A file that grows between evaluations is read on, not again and not around."""
    path = configure(tmp_path)
    predictions, labels = records(seed=1)
    deliver(tmp_path, "all", PREDICTION, predictions, 1)
    content = (tmp_path / "all" / "000.csv").read_bytes()
    deliver(tmp_path, "labels", LABEL, labels, 1)
    grown = tmp_path / "predictions" / "log.csv"
    cuts = [content.index(b"\n", len(content) * i // 3) + 1 for i in (1, 2)]
    for cut in (*cuts, len(content)):
        grown.write_bytes(content[:cut])
        evaluate(path)
    assert evaluate(path) == reference


def test_time_passes_and_turns_back(tmp_path: Path, reference: str) -> None:
    """Evaluating at earlier and later instants in between leaves no trace."""
    path = configure(tmp_path)
    predictions, labels = records(seed=1)
    deliver(tmp_path, "predictions", PREDICTION, predictions, 1)
    deliver(tmp_path, "labels", LABEL, labels, 1)
    config = load(path)
    seen = {}
    for days in (30, 10, 20, 0, 25, 10, 0):
        now = NOW - days * 86_400_000_000
        text, _ = once(config, now=now)
        assert seen.setdefault(days, text) == text
    assert seen[0] == reference


RUN = """
import os, signal, sys
from pathlib import Path
from model_exporter.job import store
from model_exporter.baseline import Baseline
from model_exporter.job.config import load
from model_exporter.job.once import once

path, now, left = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
execute = store.Store._execute

def execute_or_die(self, *arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    execute(self, *arguments)

store.Store._execute = execute_or_die
print("ready", flush=True)
text, failures = once(load(path), now=now)
assert failures == []
sys.stdout.write(text)
"""
KILLS = 12
"""With --runslow, 500."""
STATEMENTS = 90
"""About as many as a run has that begins with nothing."""


def test_kill_9_between(tmp_path: Path, reference: str, request: pytest.FixtureRequest) -> None:
    """Killed at random moments and at random statements of its transactions, and run again.

    Whenever a run comes to its end its output is right, and the next begins with nothing.
    """
    path = configure(tmp_path)
    predictions, labels = records(seed=1)
    deliver(tmp_path, "predictions", PREDICTION, predictions, 2)
    deliver(tmp_path, "labels", LABEL, labels, 2)
    rng = random.Random(0)
    wanted = 500 if request.config.getoption("--runslow") else KILLS
    killed = 0
    while killed < wanted:
        statement = rng.randrange(1, STATEMENTS) if killed % 2 else -1
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, str(path), str(NOW), str(statement)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        if statement < 0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(rng.uniform(0, 1))
            run.kill()
        text, _ = run.communicate(timeout=60)
        if run.returncode == -signal.SIGKILL:
            killed += 1
            continue
        assert run.returncode == 0
        assert text == reference
        shutil.rmtree(tmp_path / "state")
    assert evaluate(path) == reference
