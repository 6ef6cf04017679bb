"""Estimates beside NannyML's on real prediction logs, month by month.

`nannyml.json` holds what NannyML says; `make_reference.py` makes it.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_exporter.baseline import Baseline
from model_exporter.estimates import (
    classification_estimates,
    expected_rows,
    regression_estimates,
    sampling_error,
)

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow", reason="the exporter extra is not installed")

DATA = Path(__file__).parents[2] / "exporter" / "model_exporter" / "demo" / "data"
THEIRS = json.loads(Path(__file__).with_name("nannyml.json").read_text("utf-8"))
CLASSES = ("drizzle", "fog", "rain", "snow", "sun")
NUMERIC = ("hr", "temp", "atemp", "hum", "windspeed")
CATEGORICAL = ("season", "holiday", "weekday", "workingday", "weathersit")
WITHIN = 0.01


def rows(case: str) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield NannyML's months, and the predictions of the reference's version in each."""
    predictions = pd.read_parquet(DATA / case / "predictions.parquet")
    predictions = predictions[predictions.version == "v1"]
    month = predictions.timestamp.dt.strftime("%Y-%m")
    assert [row["month"] for row in THEIRS[case]] == sorted(set(month))
    for row in THEIRS[case]:
        yield row, predictions[month == row["month"]]


def classifier(case: str) -> tuple[Baseline, tuple[str, ...], dict[str, str]]:
    reference = pd.read_parquet(DATA / case / "reference.parquet")
    if case == "car_loan":
        baseline = Baseline.from_table(reference, task="binary", score="score", label="label")
        return baseline, ("0", "1"), {"": "score"}
    scores = {name: f"score_{name}" for name in CLASSES}
    baseline = Baseline.from_table(reference, task="multiclass", scores=scores, label="label")
    return baseline, CLASSES, scores


@pytest.mark.parametrize(
    ("case", "average"), [("car_loan", "binary"), ("seattle_weather", "macro")]
)
def test_estimates_and_bands_of_a_classifier_are_those_of_nannyml(case: str, average: str) -> None:
    """Values, sampling errors and bands of three of them, each within 0.01."""
    baseline, names, scores = classifier(case)
    assert baseline.errors is not None
    compared = set()
    for row, inside in rows(case):
        part = expected_rows(
            names,
            predicted=np.array([names.index(str(p)) for p in inside.prediction]),
            scores={name: inside[column].to_numpy() for name, column in scores.items()},
            calibrations=baseline.errors.calibrations,
        )
        found = classification_estimates([part])
        for key, theirs in row.items():
            # It has no area for a month in which it expects nobody of some class.
            if key == "month" or theirs["value"] is None:
                continue
            ours = found[key].get(()) or found[key][average,]
            assert ours.value == pytest.approx(theirs["value"], abs=WITHIN), (row["month"], key)
            error = sampling_error(baseline.errors, key, len(inside))
            # It has no error where the reference never predicted some class; nor have we.
            assert (error is None) == (theirs["sampling_error"] is None), key
            if error is None:
                continue
            lower, upper = max(0.0, ours.value - 3 * error), min(1.0, ours.value + 3 * error)
            assert lower == pytest.approx(theirs["lower"], abs=WITHIN), (row["month"], key)
            assert upper == pytest.approx(theirs["upper"], abs=WITHIN), (row["month"], key)
            compared.add(key)
    assert {"accuracy", "recall", "f1", "roc_auc"} <= compared


def test_losses_are_as_close_to_the_truth_as_those_of_nannyml() -> None:
    """Its gradient-boosted trees and our sums of effects differ, but neither is further off."""
    reference = pd.read_parquet(DATA / "bike_2011" / "reference.parquet")
    features = {"numeric": NUMERIC, "categorical": CATEGORICAL}
    baseline = Baseline.from_table(reference, task="regression", features=features, label="label")
    assert baseline.errors is not None
    assert baseline.errors.losses is not None
    labels = pd.read_parquet(DATA / "bike_2011" / "labels.parquet").sort_values("label_timestamp")
    truth = labels.groupby("prediction_id").label.last()
    ours, theirs = [], []
    for row, inside in rows("bike_2011"):
        bins = {}
        for name, distribution in {"": baseline.prediction, **baseline.features}.items():
            places = distribution.bin_index(inside[name or "prediction"].to_numpy())
            bins[name] = np.bincount(places, minlength=len(distribution.bins))
        found = regression_estimates([(len(inside), bins, baseline.errors.losses)])
        assert found["mae"][()].value == pytest.approx(row["mae"]["value"], rel=0.1)
        for key in ("mae", "mse", "rmse", "mape"):
            error = sampling_error(baseline.errors, key, len(inside))
            assert error == pytest.approx(row[key]["sampling_error"], rel=1e-6)
        known = inside.set_index("prediction_id").join(truth, how="inner")
        realised = float(np.abs(known.label - known.prediction).mean())
        ours.append(abs(found["mae"][()].value - realised))
        theirs.append(abs(row["mae"]["value"] - realised))
    assert np.mean(ours) < 1.1 * np.mean(theirs)
