"""The job's estimates against the same sums over the rows of the data that the demo ships."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.job.test_cases import END, EVERYTHING, Case, Served, microseconds

from model_exporter.job import unlabelled
from model_exporter.job.config import load
from model_exporter.job.once import once

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> dict[str, tuple[Case, Served]]:
    made = {}
    for name in ("bike_2011", "car_loan", "seattle_weather"):
        case = Case(name, tmp_path_factory.mktemp(name))
        made[name] = case, case.serve(END, windows=[EVERYTHING])
    return made


def truth(case: Case):
    """Return v1's predictions with the label that counts, NaN where there is none."""
    predictions = pd.read_parquet(case.data / "predictions.parquet")
    labels = pd.read_parquet(case.data / "labels.parquet")
    last = (
        labels.sort_values("label_timestamp", kind="stable").groupby("prediction_id").label.last()
    )
    joined = predictions.set_index("prediction_id").join(last)
    return joined[joined.version == "v1"]


def chances(case: Case, rows) -> np.ndarray:
    """Return the calibrated probability of each row being positive."""
    assert case.baseline.errors is not None
    return case.baseline.errors.calibrations[""].apply(rows.score.to_numpy())


@pytest.mark.parametrize("segment", [("", ""), ("repaid_loan_on_prev_car", "True")])
def test_accuracy_is_expected_of_all_and_compared_on_the_labelled(cases, segment) -> None:
    """The estimate is over all rows, its error over those with a label; by segment too."""
    case, served = cases["car_loan"]
    rows = truth(case)
    if segment[0]:
        rows = rows[rows[segment[0]].astype(str) == segment[1]]
    p, predicted = chances(case, rows), rows.prediction.to_numpy()
    right = np.where(predicted == 1, p, 1 - p)
    labels = case.labels("v1", EVERYTHING, *segment)
    estimate = served.get("model_estimated_accuracy_ratio", labels)
    assert estimate == pytest.approx(right.mean(), abs=1e-9)
    lower = served.get("model_estimated_accuracy_ratio_lower", labels)
    upper = served.get("model_estimated_accuracy_ratio_upper", labels)
    assert lower < estimate < upper
    known = rows.label.notna().to_numpy()
    assert 0 < known.sum() < len(rows)
    realised = (rows.label[known].astype(int) == rows.prediction[known]).mean()
    assert served.get("model_accuracy_ratio", labels) == pytest.approx(realised)
    error = served.get("model_estimate_error", {**labels, "score": "accuracy"})
    assert error == pytest.approx(realised - right[known].mean(), abs=1e-9)


def test_losses_are_expected_by_bins(cases) -> None:
    """Of the whole model: the baseline's effects of each row's bins, averaged."""
    case, served = cases["bike_2011"]
    assert case.baseline.errors is not None
    losses = case.baseline.errors.losses
    assert losses is not None
    rows = truth(case)
    loss = losses.by_key["mae"]
    each = np.full(len(rows), loss.mean)
    for name, effects in loss.effects.items():
        distribution = case.baseline.features[name] if name else case.baseline.prediction
        places = distribution.bin_index(rows[name or "prediction"].to_numpy())
        each += np.where(places >= 0, np.asarray(effects)[places], 0.0)
    labels = case.labels("v1", EVERYTHING)
    assert served.get("model_estimated_mae", labels) == pytest.approx(each.mean())
    known = rows.label.notna().to_numpy()
    error = (rows.label[known] - rows.prediction[known]).abs().mean() - each[known].mean()
    assert served.get("model_estimate_error", {**labels, "score": "mae"}) == pytest.approx(error)


def test_versions_are_pooled(cases) -> None:
    """Rows of all versions are expected together, each by its own baseline."""
    case, served = cases["seattle_weather"]
    rows = {
        version: served.get("model_window_predictions", case.labels(version, EVERYTHING))
        for version in ("v1", "v2", "all")
    }
    name = "model_estimated_accuracy_ratio"
    found = {v: served.get(name, case.labels(v, EVERYTHING)) for v in rows}
    pooled = (rows["v1"] * found["v1"] + rows["v2"] * found["v2"]) / rows["all"]
    assert found["all"] == pytest.approx(pooled)


def test_estimates_come_before_labels(tmp_path: Path) -> None:
    """Without labels there is an estimate, raw where no baseline is given, and no error of it."""
    case = Case("car_loan", tmp_path)
    path = case.config(windows=[EVERYTHING])
    document = yaml.safe_load(path.read_text("utf-8"))
    del document["models"][0]["labels"], document["models"][0]["baseline"]
    path.write_text(yaml.safe_dump(document), "utf-8")
    served = Served(once(load(path), now=microseconds(END))[0])
    labels = case.labels("v1", EVERYTHING)
    rows = truth(case)
    right = np.where(rows.prediction == 1, rows.score, 1 - rows.score)
    estimate = served.get("model_estimated_accuracy_ratio", labels)
    assert estimate == pytest.approx(right.mean(), abs=1e-9)
    names = {name for name, _ in served.samples}
    assert "model_estimate_error" not in names
    assert "model_estimate_sampling_error" not in names


def test_large_windows_are_estimated_on_a_sample(cases, tmp_path, monkeypatch) -> None:
    """Of a window of more rows than the limit: close to the whole, with a wider band."""
    labels = cases["car_loan"][0].labels("v1", EVERYTHING)
    monkeypatch.setattr(unlabelled, "MAX_ROWS", 3_000)
    sampled = Case("car_loan", tmp_path).serve(END, windows=[EVERYTHING])
    whole = cases["car_loan"][1]
    name = "model_estimated_accuracy_ratio"
    value, known = sampled.get(name, labels), whole.get(name, labels)
    assert value != known
    assert value == pytest.approx(known, abs=0.01)
    widths = [
        served.get(f"{name}_upper", labels) - served.get(f"{name}_lower", labels)
        for served in (sampled, whole)
    ]
    assert widths[0] > widths[1]
