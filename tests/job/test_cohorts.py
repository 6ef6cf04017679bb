"""Cohorts, label delays and selection, against a pass over all records by the definitions."""

import math
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
import yaml
from sklearn import metrics

from model_exporter.baseline import Baseline
from model_exporter.job.config import ModelConfig, load
from model_exporter.job.evaluate import evaluate
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowReader

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
NOW = 19_000 * DAY + 5 * HOUR + 1_234_567
COHORTS = {"0-6h": (0, 6), "6h-1d": (6, 24), "1d-7d": (24, 7 * 24)}
"""Ages in hours."""
WINDOWS = {"12h": 12, "3d": 72}
MATURITY = 3
Row = dict[str, float]


def rows_of(seed: int, *, task: str) -> list[Row]:
    """Predictions of ten days, of which those with a high prediction are labelled more often."""
    rng = random.Random(seed)
    rows = []
    for i in range(900):
        # Some lie on the very ends of the cohorts and windows, and a microsecond beside.
        age = rng.choice([rng.randrange(10 * DAY), rng.choice([0, 3, 6, 15, 24, 168]) * HOUR])
        score = rng.random()
        predicted = rng.gauss(10, 3) if task == "regression" else int(score > 0.4)
        truth = predicted + rng.gauss(0, 1) if task == "regression" else int(rng.random() < score)
        first = round(math.exp(rng.gauss(9, 2)) * SECOND) - 2 * SECOND
        lucky = rng.random() < (0.9 if predicted > (10 if task == "regression" else 0) else 0.5)
        row = {"id": i, "ts": NOW - age + rng.choice([0, 0, 1, -1]), "version": rng.choice("12"),
               "score": score, "predicted": predicted, "label": truth,
               "first": first if lucky else -1, "again": rng.choice([0, DAY])}  # fmt: skip
        rows.append(row)
    return rows


def configured(directory: Path, rows: list[Row], *, task: str) -> ModelConfig:
    score = {"score": "score"} if task == "binary" else {}
    reference = {"prediction": [r["predicted"] for r in rows[::3]]}
    if score:
        reference["score"] = [r["score"] for r in rows[::3]]
    Baseline.from_table(reference, task=task, **score).save(directory / "baseline.json")
    model = {
        "name": "m",
        "task": task,
        "baseline": "baseline.json",
        "predictions": {"type": "csv", "path": "p.csv", "columns": score},
        "labels": {"type": "csv", "path": "l.csv"},
        "windows": list(WINDOWS),
        "cohorts": ["1d", "6h", "7d"],
        "maturity": f"{MATURITY}h",
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [model]}), "utf-8")
    return load(path).models[0]


def fill(store: Store, rows: list[Row], rng: random.Random) -> None:
    """Predictions and labels, in pieces and out of order; some labels are repeated later."""
    predictions = [
        (f"id{r['id']}", r["ts"], r["version"], r["predicted"], r["score"]) for r in rows
    ]
    labels = [
        (f"id{r['id']}", r["ts"] + r["first"] + more, r["label"])
        for r in rows
        if r["first"] >= 0
        for more in {0, r["again"]}
    ]
    names = ("prediction_id", "timestamp", "model_version", "prediction", "score")
    pieces = [("predictions", names, predictions[i::2]) for i in range(2)]
    rng.shuffle(labels)
    names = ("prediction_id", "label_timestamp", "label")
    pieces += [("labels", names, labels[i::2]) for i in range(2)]
    rng.shuffle(pieces)
    for source, names, part in pieces:
        columns = dict(zip(names, map(pa.array, zip(*part, strict=True)), strict=True))
        store.ingest(source, [Batch("file", pa.table(columns), Cursor(1, "x"))])


def inside(rows: list[Row], now: int, young: float, old: float, version: str) -> list[Row]:
    """Those between two ages in hours, with whether they are labelled by now."""
    return [
        r | {"labeled": r["first"] >= 0 and r["ts"] + r["first"] <= now}
        for r in rows
        if now - old * HOUR < r["ts"] <= now - young * HOUR
        if version in ("all", r["version"])
    ]


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_every_number_of_one_pass(tmp_path: Path, task: str) -> None:
    """As of several instants, forwards and back, and after a restart."""
    rows = rows_of(5, task=task)
    model = configured(tmp_path, rows, task=task)
    compared = 0
    for restart in range(2):
        with Store(tmp_path / "state", model) as store:
            reader = WindowReader(store)
            if not restart:
                store.advance(NOW - DAY)
                fill(store, rows, random.Random(1))
            for now in (NOW - DAY, NOW - HOUR, NOW, NOW + 5, NOW - 9 * HOUR):
                store.advance(now)
                values = evaluate(reader).values
                for version in ("all", "1", "2"):
                    for text, ages in COHORTS.items():
                        check_cohort(values, version, text, inside(rows, now, *ages, version), task)
                    for text, length in WINDOWS.items():
                        ages = (MATURITY, MATURITY + length)
                        check_delays(values, version, text, inside(rows, now, *ages, version))
                        found = inside(rows, now, *ages, version)
                        compared += check_selection(values, model, version, text, found)
    assert compared > 50
    assert values["model_maturity_seconds"] == {("m",): MATURITY * 3600}


def check_cohort(values: dict, version: str, text: str, rows: list[Row], task: str) -> None:
    labels = ("m", version, text)
    labeled = [r for r in rows if r["labeled"]]
    assert values["model_cohort_predictions"].get(labels, 0) == len(rows)
    assert values["model_cohort_labeled_predictions"].get(labels, 0) == len(labeled)
    coverage = values["model_cohort_label_coverage_ratio"].get(labels)
    assert coverage == (len(labeled) / len(rows) if rows else None)
    truth, predicted, score = ([r[n] for r in labeled] for n in ("label", "predicted", "score"))
    expected = {}
    if task == "regression" and labeled:
        expected = {"mae": metrics.mean_absolute_error(truth, predicted)}
    elif labeled:
        expected = {"accuracy": metrics.accuracy_score(truth, predicted)}
        if any(truth) and any(predicted):
            expected["precision"] = metrics.precision_score(truth, predicted)
        if len(set(truth)) > 1:
            expected["roc_auc"] = metrics.roc_auc_score(truth, score)
    for name, value in expected.items():
        place = (*labels, name)
        assert values["model_cohort_score"][place] == pytest.approx(value, rel=1e-9)
        if len(labeled) > 10:
            assert (
                values["model_cohort_score_lower"][place]
                <= value
                <= values["model_cohort_score_upper"][place]
            )
    if not labeled:
        assert not [k for k in values.get("model_cohort_score", {}) if k[:3] == labels]


def check_delays(values: dict, version: str, text: str, rows: list[Row]) -> None:
    """Between the exact quantile and 4.5 % more, or up to a second."""
    delays = sorted(r["first"] / SECOND for r in rows if r["labeled"])
    for level in (0.5, 0.9, 0.99):
        found = values["model_label_delay_quantile_seconds"].get(("m", version, text, str(level)))
        if not delays:
            assert found is None
            continue
        exact = delays[math.ceil(level * len(delays)) - 1]
        assert exact * (1 - 1e-12) <= found <= max(exact * 1.0443, 1)


def check_selection(
    values: dict, model: ModelConfig, version: str, text: str, rows: list[Row]
) -> int:
    compared = 0
    for subject, column in (("prediction", "predicted"), ("score", "score")):
        labels = ("m", version, text, subject, "")
        baseline = model.baseline("all").distribution(subject, "")
        if baseline is None:
            assert labels not in values["model_label_selection_psi"]
            continue
        bins = baseline.bin_index([r[column] for r in rows]) if rows else np.empty(0, np.int64)
        labeled = np.array([r["labeled"] for r in rows], dtype=bool)
        counts = [np.bincount(bins[w], minlength=10) for w in (slice(None), labeled, ~labeled)]
        if not counts[1].sum():
            assert labels not in values.get("model_label_selection_psi", {})
            continue
        used = counts[0] > 0
        share, of_labeled = (np.maximum(c[used] / c.sum(), 1e-4) for c in counts[:2])
        psi = ((of_labeled - share) * np.log(of_labeled / share)).sum()
        assert values["model_label_selection_psi"][labels] == pytest.approx(psi, abs=1e-12)
        if counts[2].sum() and used.sum() > 1:
            table = np.stack([counts[1][used], counts[2][used]])
            p_value = scipy.stats.chi2_contingency(table, correction=False).pvalue
            found = values["model_label_selection_p_value"][labels]
            assert found == pytest.approx(p_value, rel=1e-9, abs=1e-300)
            compared += 1
    return compared


def test_labels_by_chance_and_by_choice(tmp_path: Path) -> None:
    """Where the prediction decides who is labelled, the p-value is tiny; by chance it is not."""
    rng = np.random.default_rng(11)
    found = {}
    for name, share in (("chance", (0.5, 0.5)), ("choice", (0.4, 0.6))):
        directory = tmp_path / name
        directory.mkdir()
        rows = [
            {"id": i, "ts": NOW - 4 * HOUR - i * SECOND, "version": "1", "score": s,
             "predicted": int(s > 0.5), "label": 1, "again": 0,
             "first": HOUR if rng.random() < share[int(s > 0.5)] else -1}
            for i, s in enumerate(rng.random(3000).tolist())
        ]  # fmt: skip
        with Store(directory / "state", configured(directory, rows, task="binary")) as store:
            store.advance(NOW)
            fill(store, rows, random.Random(2))
            values = evaluate(WindowReader(store)).values
        where = ("m", "all", "12h", "score", "")
        found[name] = [values[f"model_label_selection_{n}"][where] for n in ("psi", "p_value")]
    assert found["chance"][0] < 0.01 < found["choice"][0]
    assert found["choice"][1] < 1e-6 < 0.01 < found["chance"][1]
