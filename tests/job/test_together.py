"""Everything that a model may be configured for at once: still the records alone decide.

Versions that shadow each other, corrections, late labels, maturity by coverage, cohorts, retention,
segments, estimates: each is tested by itself elsewhere, and here against the others.
"""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.job.test_order import deliver, write

from model_exporter.baseline import Baseline
from model_exporter.cli import main
from model_exporter.job.config import load
from model_exporter.job.once import once

DAY = 86_400
NOW = 1_700_000_000
IDS = 120
CLASSES = ("sun", "rain", "snow")
AGES = {
    "windows": ["6h", "1d", "30d"],
    "maturity": {"coverage": 0.8, "max": "5d"},
    "cohorts": ["6h", "7d", "30d"],
    "retention": "36d",
    "max_label_delay": "3d",
    "segments": ["country"],
}
MODELS: dict[str, dict[str, Any]] = {
    "binary": {
        "thresholds": [0.3, 0.7],
        "value": {"tp": 12, "fp": -3},
        "expectations": {"accuracy": {"min": 0.9}, "roc_auc": {"min": 0.4}},
        "label_policy": "latest",
    },
    "multiclass": {
        "value": {"rain": {"rain": 5, "sun": -20}},
        "expectations": {"f1": {"min": 0.9}},
        "label_policy": "first",
    },
    "regression": {"expectations": {"mae": {"max": 0.1}}, "label_policy": "latest"},
}
LEDGER = (
    *("model_labels_total", "model_labels_waiting"),
    *("model_label_delay_seconds", "model_confusion_total"),
)
"""Counted as things come: what was forgotten by then is counted late."""
HEADS = {
    "predictions": [
        *("prediction_id", "timestamp", "model_version", "prediction", "age", "country", "request"),
        *("score", "score_sun", "score_rain", "score_snow", "p10", "p90"),
    ],
    "labels": ["prediction_id", "label", "label_timestamp", "amount"],
}
Rows = dict[str, list[list[Any]]]


def records(task: str) -> Rows:
    """Return ids that up to three versions predict, logged twice at times; labels of all kinds."""
    rng = random.Random(7)
    found: Rows = {"predictions": [], "labels": []}
    for i in range(IDS):
        age = rng.uniform(0, 40 * DAY)
        truth = outcome(rng, task)
        country = rng.choice(["DE", "FR", "", f"country {rng.randrange(60)}"])
        for version in rng.sample(["1", "2", "3"], rng.choice([1, 2, 3])):
            predicted = truth if rng.random() < 0.7 else outcome(rng, task)
            born = NOW - age + rng.choice([0, 0, 0.5, -40])
            parts = [rng.random() for _ in CLASSES]
            scores = [rng.random(), *(part / sum(parts) for part in parts), -1.0, 1.0]
            place = [f"id{i}", born, version, predicted, rng.choice([rng.gauss(40, 9), ""])]
            found["predictions"].append([*place, country, f"request {i % 40}", *scores])
            if rng.random() < 0.1:
                later = [f"id{i}", born + 7, version, outcome(rng, task), 1]
                found["predictions"].append([*later, "IT", "another", *scores])
        for _ in range(rng.choice([0, 1, 1, 2, 3])):  # corrections, and some that are too late
            delay = rng.expovariate(1 / DAY)
            label = truth if rng.random() < 0.8 else outcome(rng, task)
            found["labels"].append([f"id{i}", label, NOW - age + delay, rng.choice([3.5, ""])])
    found["labels"] += [[f"nobody{i}", outcome(rng, task), NOW - i * DAY, 1] for i in range(40)]
    found["labels"] += [["id1", "", NOW - 5, 1], ["", truth, NOW - 5, 1], ["id2", truth, "soon", 1]]
    return found


def outcome(rng: random.Random, task: str) -> Any:
    if task == "regression":
        return rng.gauss(0, 1)
    return rng.choice(CLASSES) if task == "multiclass" else rng.randrange(2)


def configure(directory: Path, task: str, *, shadow: bool) -> Path:
    for source in HEADS:
        (directory / source).mkdir(parents=True, exist_ok=True)
    baseline(task).save(directory / "baseline.json")
    columns: dict[str, dict[str, Any]] = {
        "binary": {"score": "score", "group": "request"},
        "multiclass": {"scores": {name: f"score_{name}" for name in CLASSES}},
        "regression": {"quantiles": {"0.1": "p10", "0.9": "p90"}, "group": "request"},
    }
    predictions = {"type": "csv", "path": "predictions/*.csv", "columns": columns[task]}
    amounts = {"business": {"revenue_eur": "amount"}}
    model = {
        "name": "m",
        "task": task,
        "baseline": "baseline.json",
        "features": {"numeric": ["age"], "categorical": ["country"]},
        "predictions": predictions,
        "labels": {"type": "csv", "path": "labels/*.csv", "columns": amounts},
        "shadow": shadow,
        "comparison": {"champion": "1"},
        **AGES,
        **MODELS[task],
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [model]}), "utf-8")
    return path


def baseline(task: str) -> Baseline:
    rng = random.Random(0)
    label = [outcome(rng, task) for _ in range(500)]
    table: dict[str, list[Any]] = {
        "age": [rng.gauss(38, 9) for _ in label],
        "country": [rng.choice(["DE", "FR", "IT"]) for _ in label],
        "prediction": [truth if rng.random() < 0.8 else outcome(rng, task) for truth in label],
        "label": label,
        "score": [rng.random() for _ in label],
    }
    more: dict[str, Any] = {"score": "score"} if task == "binary" else {}
    if task == "multiclass":
        parts = [[rng.random() for _ in CLASSES] for _ in label]
        for i, name in enumerate(CLASSES):
            table[name] = [row[i] / sum(row) for row in parts]
        more = {"scores": {name: name for name in CLASSES}}
    features = {"numeric": ["age"], "categorical": ["country"]}
    return Baseline.from_table(table, task=task, features=features, label="label", **more)


def evaluate(path: Path, *, now: float = NOW) -> str:
    text, failures = once(load(path), now=round(now * 1_000_000))
    assert failures == []
    return text


def shuffled(path: Path, rows: Rows, rng: random.Random) -> Iterator[None]:
    """Deliver everything twice, shuffled and in parts, with a pause after each part."""
    for source in rng.sample(list(HEADS), len(HEADS)):
        twice = rng.sample(2 * rows[source], 2 * len(rows[source]))
        parts = 2
        for part in range(parts):
            write(path.parent / source / f"{part}.csv", HEADS[source], twice[part::parts])
            yield


@pytest.mark.parametrize(
    ("task", "shadow"),
    [("binary", True), ("multiclass", False), ("regression", True)],
)
def test_everything_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, shadow: bool
) -> None:
    """Twice, shuffled, in parts, and as time goes on: the same text, and a state that verifies."""
    rows = records(task)
    path = configure(tmp_path / "sorted", task, shadow=shadow)
    for source, header in HEADS.items():
        deliver(path.parent, source, header, rows[source], 1)
    wanted = evaluate(path)
    assert evaluate(path) == wanted
    verified(path, capsys)
    rng = random.Random(1)

    path = configure(tmp_path / "shuffled", task, shadow=shadow)
    for _ in shuffled(path, rows, rng):
        evaluate(path)
    assert evaluate(path) == wanted
    verified(path, capsys)

    path = configure(tmp_path / "in time", task, shadow=shadow)
    instants = sorted(rng.uniform(NOW - 5 * DAY, NOW) for _ in range(5))
    for _, (now, _) in zip(shuffled(path, rows, rng), pairwise(instants), strict=False):
        evaluate(path, now=now)
    assert without(evaluate(path), LEDGER) == without(wanted, LEDGER)
    verified(path, capsys)


def without(text: str, names: tuple[str, ...]) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(names)]


def verified(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["state", "verify", "--config", str(path)]) == 0
    assert "m: ok" in capsys.readouterr().out
