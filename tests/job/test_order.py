"""The output depends on the records alone, not on how they were ordered, split or repeated."""

import csv
import random
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


KILLED = """
import os, random, shutil, signal, sys, time
from pathlib import Path
from model_exporter.job import store
from model_exporter.baseline import Baseline
from model_exporter.job.config import load
from model_exporter.job.once import once

path, now, kills, expected = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rng = random.Random(kills)
execute = store.Store._execute


def die_at(statement):
    left = [statement]

    def execute_or_die(self, *arguments):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        execute(self, *arguments)

    store.Store._execute = execute_or_die


def run():
    text, failures = once(load(path), now=now)
    os._exit(0 if text == Path(expected).read_text("utf-8") and not failures else 1)


killed = complete = 0
while killed < kills:
    pid = os.fork()  # of a process without threads: DuckDB is not open here
    if pid == 0:
        if killed % 2:
            die_at(rng.randrange(140))
        run()
    if not killed % 2:
        time.sleep(rng.uniform(0.05, 0.9))
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        killed += 1
        continue
    assert os.WEXITSTATUS(status) == 0, f"unlike output after {killed} kills"
    complete += 1
    shutil.rmtree(path.parent / "state")
assert complete
run()
"""
"""Runs and kills, until as many were killed as asked for; whatever ends must have been right."""
KILLS = 12
"""With --runslow, 500."""


def test_kill_9_between(tmp_path: Path, reference: str, request: pytest.FixtureRequest) -> None:
    """Killed at random moments and at random statements of its transactions, and run again."""
    path = configure(tmp_path)
    predictions, labels = records(seed=1)
    deliver(tmp_path, "predictions", PREDICTION, predictions, 2)
    deliver(tmp_path, "labels", LABEL, labels, 2)
    (tmp_path / "expected").write_text(reference, "utf-8")
    kills = 500 if request.config.getoption("--runslow") else KILLS
    arguments = [str(path), str(NOW), str(kills), str(tmp_path / "expected")]
    subprocess.run([sys.executable, "-c", KILLED, *arguments], check=True, timeout=1_500)
