"""Candidates made of the public cases: equal to the champion, or worse by a known amount.

The champion is what the log of a case says was predicted, with the labels that came in the end.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from model_exporter.baseline import Baseline

DATA = Path(__file__).parents[2] / "exporter" / "model_exporter" / "demo" / "data"
CASES = ("car_loan", "seattle_weather", "bike_2011")
TASKS = {"car_loan": "binary", "seattle_weather": "multiclass", "bike_2011": "regression"}
SCORES = {"car_loan": "accuracy", "seattle_weather": "accuracy", "bike_2011": "mae"}
MARGINS = {"car_loan": 0.01, "seattle_weather": 0.015, "bike_2011": 0.3}
"""What the rows of a case can show of an equal candidate in nearly every draw."""


def labelled(name: str) -> dict[str, np.ndarray]:
    """Return the predictions of a case that have a label; of several, the latest counts."""
    predictions = pq.read_table(DATA / name / "predictions.parquet").to_pandas()
    labels = pq.read_table(DATA / name / "labels.parquet").to_pandas()
    latest = labels.sort_values("label_timestamp").drop_duplicates("prediction_id", keep="last")
    joined = predictions.merge(latest, on="prediction_id")
    return {column: joined[column].to_numpy() for column in joined.columns}


def disturbed(name: str, table: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return other predictions: of a fiftieth of the rows, or by noise of 5 % of their spread."""
    given = table["prediction"]
    if TASKS[name] == "regression":
        return given + rng.normal(0, 0.05 * given.std(), given.size)
    return np.where(rng.random(given.size) < 0.02, rng.choice(np.unique(given), given.size), given)


def equal(name: str, table: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Return a champion and a candidate that differ, yet are equally good.

    Which of two predictions of a row is whose is drawn: their scores have the same expectation.
    """
    rng = np.random.default_rng(seed)
    other, mine = disturbed(name, table, rng), rng.random(table["label"].size) < 0.5
    candidate = np.where(mine, table["prediction"], other)
    champion = np.where(mine, other, table["prediction"])
    return {**table, "candidate": candidate, "champion": champion}


def worse(name: str, table: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Return a candidate that is worse by 3 points: of accuracy, or of the mean absolute error."""
    found, rng = equal(name, table, seed), np.random.default_rng([seed, 1])
    label, candidate = found["label"], found["candidate"]
    if TASKS[name] == "regression":
        away = np.where(candidate >= label, 1, -1) * rng.exponential(3, label.size)
        return {**found, "candidate": candidate + away}
    right = candidate == label
    spoilt = right & (rng.random(label.size) < 0.03 / right.mean())
    classes = np.unique(label)
    wrong = classes[(np.searchsorted(classes, label) + 1) % classes.size]
    return {**found, "candidate": np.where(spoilt, wrong, candidate)}


def take(table: dict[str, np.ndarray], rows: int, seed: int) -> dict[str, np.ndarray]:
    """Return some of the rows, drawn without replacement."""
    chosen = np.random.default_rng([seed, 2]).permutation(table["label"].size)[:rows]
    return {name: column[chosen] for name, column in table.items()}


def baseline(name: str) -> Baseline:
    """Return the baseline of a case, with its features."""
    features = {
        "car_loan": {
            "numeric": ["car_value", "debt_to_income_ratio", "loan_length", "driver_tenure"],
            "categorical": ["salary_range", "repaid_loan_on_prev_car", "size_of_downpayment"],
        }
    }.get(name, {})
    return Baseline.from_table(
        pq.read_table(DATA / name / "reference.parquet"),
        task=TASKS[name],
        features=features,
        score="score" if name == "car_loan" else None,
        label="label",
    )
