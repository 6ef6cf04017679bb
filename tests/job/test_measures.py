"""What the configuration asks for beyond scores, from files to /metrics, against plain numpy."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as oracle
from tests.job.measuring import serve

from model_exporter.errors import ConfigError
from model_exporter.job import windows

CLASSES = ("ant", "bee", "cat")


def binary(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return score, prediction and label; a third of the scores are whole tenths."""
    rng = np.random.default_rng(seed)
    score = rng.beta(0.8, 1.2, count)
    score = np.where(rng.random(count) < 0.3, np.round(score, 1), score)
    return score, (score > 0.5).astype(int), (rng.random(count) < score).astype(int)


@pytest.mark.parametrize("exact", [True, False])
def test_thresholds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: bool) -> None:
    """Exact on scores; on the grid, off by the rows within a step of the threshold."""
    if not exact:
        monkeypatch.setattr(windows, "EXACT_ROWS", 100)
    score, predicted, label = binary(2_000)
    served = serve(
        tmp_path,
        {"task": "binary", "thresholds": [0.3, 0.7]},
        {"prediction": predicted, "score": score},
        {"label": label[:1_500]},
    )
    y, s = label[:1_500], score[:1_500]
    near = 1 / windows.STEPS_PER_LOG_ODDS
    for threshold in (0.3, 0.7):
        p = (s >= threshold).astype(int)
        odds = np.log(threshold / (1 - threshold))
        with np.errstate(divide="ignore"):
            doubtful = (np.abs(np.log(s / (1 - s)) - odds) < near).sum()
        expected = {
            "precision": oracle.precision_score(y, p),
            "recall": oracle.recall_score(y, p),
            "specificity": oracle.recall_score(y, p, pos_label=0),
            "f1": oracle.f1_score(y, p),
        }
        for name, value in expected.items():
            family = f"model_threshold_{name}_ratio"
            lower, found, upper = served.estimate(family, threshold=str(threshold))
            slack = 1e-12 if exact else doubtful / min(y.sum(), p.sum(), (1 - y).sum())
            assert found == pytest.approx(value, abs=slack)
            assert lower < found < upper
    if exact:
        assert served.get("model_precision_ratio", average="binary") == pytest.approx(
            oracle.precision_score(y, predicted[:1_500])
        )


def test_calibration_curve(tmp_path: Path) -> None:
    """Rows, mean score and share of positives of each tenth of the score."""
    score, predicted, label = binary(600)
    served = serve(
        tmp_path, {"task": "binary"}, {"prediction": predicted, "score": score}, {"label": label}
    )
    for k in range(10):
        name = f"{k / 10}-{(k + 1) / 10}"
        inside = np.floor(score * 10).clip(0, 9) == k
        assert served.get("model_calibration_bin_rows", bin=name) == inside.sum()
        mean = served.get("model_calibration_bin_score", bin=name)
        assert mean == pytest.approx(score[inside].mean())
        family = "model_calibration_bin_observed_ratio"
        lower, observed, upper = served.estimate(family, bin=name)
        assert observed == pytest.approx(label[inside].mean())
        assert lower <= observed <= upper


def test_value_of_a_binary_model(tmp_path: Path) -> None:
    score, predicted, label = binary(500)
    value = {"tp": 12, "fp": -3, "fn": -20.5}
    served = serve(
        tmp_path,
        {"task": "binary", "value": value},
        {"prediction": predicted, "score": score},
        {"label": label[:400]},
    )
    worth = np.array([[0, -3], [-20.5, 12]])[label[:400], predicted[:400]]
    assert served.get("model_window_value") == pytest.approx(worth.sum())
    lower, mean, upper = served.estimate("model_value_mean")
    assert mean == pytest.approx(worth.mean())
    assert lower < mean < upper


def test_value_of_a_multiclass_model_by_segment(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    predicted, label = rng.choice(CLASSES, (2, 300))
    land = rng.choice(["DE", "FR"], 300)
    value = {"ant": {"ant": 5, "bee": -1}, "bee": {"cat": -7.5}}
    served = serve(
        tmp_path,
        {"task": "multiclass", "value": value, "segments": ["land"]},
        {"prediction": predicted, "land": land},
        {"label": label},
    )
    worth = np.array([value.get(y, {}).get(p, 0) for y, p in zip(label, predicted, strict=True)])
    assert served.get("model_window_value") == pytest.approx(worth.sum())
    for name in ("DE", "FR"):
        place = {"segment": "land", "segment_value": name}
        assert served.get("model_value_mean", **place) == pytest.approx(worth[land == name].mean())


REFUSED = {
    "thresholds of a regression": ({"task": "regression", "thresholds": [0.5]}, "binary"),
    "threshold beyond 1": ({"task": "binary", "thresholds": [0.5, 1.2]}, "from 0 to 1"),
    "threshold of text": ({"task": "binary", "thresholds": ["half"]}, "from 0 to 1"),
    "value of no cell": ({"task": "binary", "value": {"tpp": 1}}, "did you mean 'tp'"),
    "value of text": ({"task": "binary", "value": {"tp": "much"}}, "expected a number"),
    "value of a regression": ({"task": "regression", "value": {"tp": 1}}, "no classes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(tmp_path: Path, case: str) -> None:
    model, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message):
        serve(tmp_path, model, {"prediction": [1]}, {"label": [1]})
