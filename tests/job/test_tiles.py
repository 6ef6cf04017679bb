"""Tiles: exact sums, and the same statistics as a second implementation in numpy."""

import math
import random
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from model_exporter.job import decode
from model_exporter.job.config import load
from model_exporter.job.losses import EXPONENT_BITS, MANTISSA_BITS, exact
from model_exporter.job.store import Store
from model_exporter.job.totals import Group
from model_exporter.job.windows import WindowReader, windows_of
from model_exporter.records import Task
from model_exporter.scores import SCORES
from model_exporter.scores.statistics import statistics_from_rows

NOW = 1_700_000_000_000_000
GRID_ERROR = {"model_roc_auc": 5e-5, "model_average_precision": 1e-3}


def parts_of(value: float) -> tuple[int, int]:
    """Split a float as the tile expression does."""
    band = math.floor(math.log2(abs(value)) / EXPONENT_BITS) if value else 0
    exponent = EXPONENT_BITS * band - MANTISSA_BITS
    whole = Fraction(value) * Fraction(2) ** -exponent
    assert whole.denominator == 1
    return exponent, int(whole)


@given(st.lists(st.floats(-1e200, 1e200, allow_nan=False, allow_subnormal=False)))
def test_sums_are_exact(values: list[float]) -> None:
    """A sum of parts is the correctly rounded sum of the floats, in any order."""
    values = [v for v in values if v == 0 or abs(v) > 1e-200]
    assert float(exact(map(parts_of, values))) == math.fsum(values)


def evaluate(directory: Path, model: dict, predictions: dict, labels: dict) -> dict:
    """Return the statistics of the whole model over everything."""
    for name, columns in (("predictions", predictions), ("labels", labels)):
        arrow = duckdb.connect()
        arrow.execute(
            "CREATE TABLE t AS SELECT * FROM read_json_auto(?)", [write(directory, name, columns)]
        )
        arrow.execute(f"COPY t TO '{directory}/{name}.parquet'")
    config = {
        "predictions": {"type": "parquet", "path": "predictions.parquet"},
        "labels": {"type": "parquet", "path": "labels.parquet"},
        "windows": ["1000d"],
        **model,
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [config]}), "utf-8")
    loaded = load(path)
    with Store(loaded.state, loaded.models[0]) as store:
        store.advance(NOW)
        for source in (store.model.predictions, store.model.labels):
            for batch in source.open().read({}, final=True):
                store.ingest(source.name, [batch])
        windows = windows_of(store.model, NOW, maturity=0)
        window = next(WindowReader(store).read(windows))
        return decode.statistics(window.groups[Group("all")], store.model)


def write(directory: Path, name: str, columns: dict) -> str:
    import json

    path = directory / f"{name}.json"
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return str(path)


def frame(count: int) -> tuple[dict, dict]:
    ids = [f"id{i}" for i in range(count)]
    times = [NOW - i * 7_000_000 - 1 for i in range(count)]
    return (
        {"prediction_id": ids, "timestamp": times},
        {"prediction_id": ids, "label_timestamp": [NOW] * count},
    )


@pytest.mark.parametrize("seed", range(3))
def test_binary(tmp_path: Path, seed: int) -> None:
    """Confusion, log loss, Brier score, calibration and ranking of random binary rows."""
    rng = np.random.default_rng(seed)
    count = 300
    predictions, labels = frame(count)
    score = np.round(rng.beta(0.4, 0.6, count), 4)
    score[:3] = 0, 1, 0.3
    label = (rng.random(count) < score).astype(int)
    label[0], label[1] = 1, 0
    predicted = (score > 0.4).astype(int)
    predictions |= {"prediction": predicted.tolist(), "score": score.tolist()}
    labels |= {"label": label.tolist()}
    model = {"name": "m", "task": "binary"}
    found = evaluate(tmp_path, model, predictions, labels)
    check(found, Task.BINARY, label, predicted, {"": score}, ("0", "1"), "1")


@pytest.mark.parametrize("seed", range(2))
def test_multiclass(tmp_path: Path, seed: int) -> None:
    """The same of three classes, one of which never occurs among the labels."""
    rng = np.random.default_rng(seed)
    count = 240
    predictions, labels = frame(count)
    scores = np.round(rng.dirichlet([0.5, 0.8, 0.3], count), 6)
    classes = ("ant", "bee", "cat")
    predicted = np.array(classes)[scores.argmax(axis=1)]
    label = np.array(classes[:2])[rng.integers(0, 2, count)]
    predictions |= {"prediction": predicted.tolist()}
    predictions |= {f"p_{c}": scores[:, i].tolist() for i, c in enumerate(classes)}
    labels |= {"label": label.tolist()}
    columns = {"scores": {c: f"p_{c}" for c in classes}}
    source = {"type": "parquet", "path": "predictions.parquet", "columns": columns}
    model = {"name": "m", "task": "multiclass", "predictions": source}
    found = evaluate(tmp_path, model, predictions, labels)
    by_class = {c: scores[:, i] for i, c in enumerate(classes)}
    check(found, Task.MULTICLASS, label, predicted, by_class, classes, None)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_regression(tmp_path: Path, scale: float) -> None:
    """Every moment, whatever the magnitude of the labels; some labels are 0."""
    rng = random.Random(scale)
    count = 200
    predictions, labels = frame(count)
    label = [rng.choice([0.0, scale * rng.gauss(3, 2)]) for _ in range(count)]
    predicted = [y + scale * rng.gauss(0.1, 1) for y in label]
    predictions |= {"prediction": predicted}
    labels |= {"label": label}
    found = evaluate(tmp_path, {"name": "m", "task": "regression"}, predictions, labels)
    check(found, Task.REGRESSION, label, predicted, {}, (), None)


@pytest.mark.parametrize("shape", [(2.0, 2.0), (0.05, 8.0), (0.08, 0.1)])
def test_large_windows_rank_on_a_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[float, float]
) -> None:
    """ROC AUC and average precision: scores spread, rare and near 0, and saturated."""
    monkeypatch.setattr("model_exporter.job.windows.EXACT_ROWS", 0)
    rng = np.random.default_rng(5)
    count = 40_000
    predictions, labels = frame(count)
    score = rng.beta(*shape, count)
    label = (rng.random(count) < score).astype(int)
    predictions |= {"prediction": (score > 0.5).astype(int).tolist(), "score": score.tolist()}
    labels |= {"label": label.tolist()}
    found = evaluate(tmp_path, {"name": "m", "task": "binary"}, predictions, labels)
    by_key = {s.name: s for s in SCORES}
    for name, oracle in (
        ("model_roc_auc", roc_auc_score),
        ("model_average_precision", average_precision_score),
    ):
        (value,) = by_key[name].compute(found).values()
        assert value.value == pytest.approx(oracle(label, score), abs=GRID_ERROR[name])


def check(found, task, label, predicted, scores, classes, positive) -> None:
    expected = statistics_from_rows(
        task=task,
        labels=label,
        predictions=predicted,
        scores=scores,
        classes=classes,
        positive_label=positive,
    )
    compared = 0
    for score in SCORES:
        if task not in score.tasks:
            continue
        ours, theirs = score.compute(found), score.compute(expected)
        assert ours.keys() == theirs.keys(), score.name
        for key, estimate in theirs.items():
            for name in ("value", "lower", "upper"):
                assert getattr(ours[key], name) == pytest.approx(
                    getattr(estimate, name), rel=1e-6, abs=1e-30
                ), (score.name, key, name)
                compared += 1
    assert compared > 15
