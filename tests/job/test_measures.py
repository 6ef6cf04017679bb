"""What the configuration asks for beyond scores, from files to /metrics, against plain numpy."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics as oracle
import yaml
from scipy import stats
from tests.job.measuring import NOW, Served, serve, write

from model_exporter.errors import ConfigError
from model_exporter.job import windows
from model_exporter.job.collector import exposition
from model_exporter.job.config import load
from model_exporter.job.once import once
from model_exporter.job.runner import Runner

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
    "top k without requests": ({"task": "binary", "top_k": [5]}, "predictions.columns.group"),
    "value of a regression": ({"task": "regression", "value": {"tp": 1}}, "no classes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(tmp_path: Path, case: str) -> None:
    model, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message):
        serve(tmp_path, model, {"prediction": [1]}, {"label": [1]})


def test_business_sums(tmp_path: Path) -> None:
    """Sum and mean of the amounts of labelled rows; what is no amount is left out."""
    rng = np.random.default_rng(2)
    score, predicted, label = binary(300)
    land = rng.choice(["DE", "FR"], 300)
    amount = np.round(rng.normal(5, 40, 200), 2)
    written = [str(a) for a in amount]
    written[:4] = ["", "much", "inf", "1e200"]
    served = serve(
        tmp_path,
        {"task": "binary", "segments": ["land"]},
        {"prediction": predicted, "score": score, "land": land},
        {"label": label[:200], "amount": written, "units": [2] * 200},
        named=({}, {"business": {"revenue_eur": "amount", "units": "units"}}),
    )
    known = np.arange(200) >= 4
    total = served.get("model_window_business", measure="revenue_eur")
    assert total == pytest.approx(amount[known].sum(), rel=1e-12)
    lower, mean, upper = served.estimate("model_business_mean", measure="revenue_eur")
    assert mean == pytest.approx(amount[known].mean(), rel=1e-12)
    t = stats.t.interval(0.95, 195, mean, stats.sem(amount[known]))
    assert (lower, upper) == pytest.approx(t, rel=1e-4)
    assert served.estimate("model_business_mean", measure="units") == (2, 2, 2)
    for name in ("DE", "FR"):
        place = {"segment": "land", "segment_value": name, "measure": "revenue_eur"}
        expected = amount[known & (land[:200] == name)].sum()
        assert served.get("model_window_business", **place) == pytest.approx(expected, rel=1e-12)


def labels_in_parts(directory: Path, model: dict, parts: list[dict], policy: str) -> str:
    """Return what is served after label files came one by one."""
    directory.mkdir()
    predictions = {"prediction_id": ["a", "b", "c"], "timestamp": [(NOW - 9_000_000) / 1e6] * 3}
    write(directory / "predictions.csv", predictions | {"prediction": [1, 0, 1]})
    (directory / "labels").mkdir()
    source = {"type": "csv", "path": "labels/*.csv", "columns": {"business": {"eur": "amount"}}}
    config = {
        "name": "m",
        "predictions": {"type": "csv", "path": "predictions.csv"},
        "labels": source,
        "windows": ["30d"],
        "label_policy": policy,
        **model,
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [config]}), "utf-8")
    text = ""
    for i, part in enumerate(parts):
        write(directory / "labels" / f"{i}.csv", part)
        text, failures = once(load(path), now=NOW)
        assert failures == []
    return text


@pytest.mark.parametrize(("policy", "total"), [("latest", 40 + 7 + 3), ("first", 10 + 7 + 3)])
def test_amounts_of_corrected_labels(tmp_path: Path, policy: str, total: float) -> None:
    """The amount is that of the record that counts, in any order, however often it is read.

    A record with another amount is another record; of two at the same time and with the same
    label, the greater amount counts, and any amount rather than none.
    """
    seconds = NOW / 1e6
    records = [
        ("a", 1, seconds - 8, 10.0),
        ("a", 1, seconds - 7, 40.0),
        ("b", 0, seconds - 8, ""),
        ("b", 0, seconds - 8, 7.0),
        ("b", 0, seconds - 8, -2.0),
        ("c", 1, seconds - 5, 3.0),
    ]
    header = ("prediction_id", "label", "label_timestamp", "amount")

    def part(rows: list[tuple]) -> dict:
        return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))

    for number, model in enumerate(({"task": "binary"}, {"task": "regression"})):
        orders = [[records], [records, records[::-1]], [[r] for r in reversed(records)]]
        texts = {
            labels_in_parts(tmp_path / f"{number}{i}", model, list(map(part, order)), policy)
            for i, order in enumerate(orders)
        }
        assert len(texts) == 1
        served = Served(texts.pop())
        assert served.get("model_window_business", measure="eur") == total
        assert served.get("model_window_labeled_predictions") == 3
        outcomes = ("matched", "corrected", "superseded", "duplicate")
        assert sum(served.get("model_labels_total", outcome=o) for o in outcomes) == len(records)


def test_quantiles(tmp_path: Path) -> None:
    """Pinball loss is scikit-learn's; coverage and width are those of the rows that have both."""
    rng = np.random.default_rng(3)
    label = np.round(rng.normal(20, 5, 250), 1)
    centre = np.round(label + rng.normal(0, 3, 250), 1)
    quantiles = {0.1: centre - 3, 0.5: centre, 0.9: centre + 4}
    columns = {f"p{level}": list(map(str, column)) for level, column in quantiles.items()}
    columns["p0.9"][:5] = ["", "nan", "inf", "1e200", "high"]
    label[5], label[6] = quantiles[0.1][5], quantiles[0.9][6]  # the ends belong to the interval
    served = serve(
        tmp_path,
        {"task": "regression"},
        {"prediction": centre, **columns},
        {"label": label},
        named=({"quantiles": {0.9: "p0.9", 0.1: "p0.1", 0.5: "p0.5"}}, {}),
    )
    for level, column in quantiles.items():
        known = slice(5 if level == 0.9 else 0, None)
        y, q = label[known], column[known]
        place = {"level": str(level)}
        loss = oracle.mean_pinball_loss(y, q, alpha=level)
        lower, found, upper = served.estimate("model_quantile_loss", **place)
        assert found == pytest.approx(loss)
        assert lower < found < upper
        covered = served.estimate("model_quantile_coverage_ratio", **place)
        wilson = stats.binomtest(int((y <= q).sum()), y.size).proportion_ci(method="wilson")
        assert covered == pytest.approx((wilson.low, (y <= q).mean(), wilson.high))
    inside = (quantiles[0.1] <= label) & (label <= quantiles[0.9])
    _, coverage, _ = served.estimate("model_interval_coverage_ratio", level="0.8")
    assert coverage == pytest.approx(inside[5:].mean())
    assert served.estimate("model_interval_width", level="0.8")[1] == pytest.approx(7)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_ranking(tmp_path: Path, task: str) -> None:
    """NDCG of each request is scikit-learn's; rows without request, score or label are left out."""
    rng = np.random.default_rng(4)
    score, predicted, label = binary(400)
    request = rng.integers(0, 40, 400)
    names = ["" if i < 5 else f"request {r}" for i, r in enumerate(request)]
    columns = {"request": names, "prediction": predicted, "score": score.astype(object)}
    columns["score"][5:8] = ""
    if task == "regression":
        label = np.where(label, rng.integers(-1, 4, 400), 0)
        columns = {"request": names, "prediction": score}
    served = serve(
        tmp_path,
        {"task": task, "top_k": [1, 5]},
        columns,
        {"label": label[:350]},
        named=({"group": "request"}, {}),
    )
    known = (np.arange(400) >= (8 if task == "binary" else 5)) & (np.arange(400) < 350)
    for k in (1, 5):
        ndcg = []
        for r in np.unique(request):
            inside = known & (request == r)
            gain = np.maximum(label[inside], 0)
            if gain.any():
                ndcg.append(oracle.ndcg_score([gain], [score[inside]], k=k))
        lower, value, upper = served.estimate("model_ndcg_at_k", k=str(k))
        assert value == pytest.approx(np.mean(ndcg))
        assert lower < value < upper
        assert 0 < served.get("model_precision_at_k_ratio", k=str(k)) < 1


def test_kept_windows_are_those_that_are_read_anew(tmp_path: Path) -> None:
    """Amounts and quantiles that come, are corrected and leave the window, turn by turn."""
    rng = np.random.default_rng(5)
    hour, count = 3_600_000_000, 120
    ids = [f"id{i}" for i in range(count)]
    times = (NOW - rng.integers(0, 12 * hour, count)) / 1e6
    label = rng.normal(10, 2, count)
    columns = {"p10": label - rng.exponential(2, count), "p90": label + rng.exponential(2, count)}
    write(
        tmp_path / "predictions.csv",
        {"prediction_id": ids, "timestamp": times, "prediction": label + 1, **columns},
    )
    (tmp_path / "labels").mkdir()
    quantiles = {"quantiles": {0.1: "p10", 0.9: "p90"}, "group": "p10"}
    config = {
        "name": "m",
        "task": "regression",
        "predictions": {"type": "csv", "path": "predictions.csv", "columns": quantiles},
        "labels": {"type": "csv", "path": "labels/*.csv", "columns": {"business": {"eur": "eur"}}},
        "windows": ["90m", "5h"],
    }
    path = tmp_path / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [config]}), "utf-8")
    model = load(path).models[0]
    with Runner(model, tmp_path / "kept") as kept:
        for turn in range(5):
            chosen = rng.choice(count, 50, replace=False)
            part = {
                "prediction_id": [ids[i] for i in chosen],
                "label": label[chosen] + rng.integers(0, 2, 50),
                "label_timestamp": times[chosen] + turn,
                "eur": np.round(rng.normal(0, 30, 50), 2),
            }
            write(tmp_path / "labels" / f"{turn}.csv", part)
            now = NOW - (4 - turn) * hour + 7 * turn
            found = kept.turn(now, final=True)
            with Runner(model, tmp_path / f"anew{turn}") as anew:
                expected = anew.turn(now, final=True)
            assert exposition([found]) == exposition([expected])
            for name in ("model_business_mean", "model_interval_width", "model_ndcg_at_k"):
                assert found.values[name]


def test_extreme_numbers_break_nothing(tmp_path: Path) -> None:
    """What would overflow is invalid or left out; what would vanish counts as next to nothing."""
    label = [3.0, 1e-80, -5e-324, 1e-300, 1e75, 1e100, -1e308, 4.0]
    served = serve(
        tmp_path,
        {"task": "regression"},
        {"prediction": [4.0, 1.0, 1.0, 1e75, -1e75, 1.0, 1.0, 1e200]},
        {"label": label},
    )
    assert served.get("model_window_labeled_predictions") == 5
    invalid = {"source": "labels", "reason": "label"}
    assert served.get("model_source_invalid_total", **invalid) == 2
    assert served.get("model_mae") == pytest.approx(3e75 / 5)
    assert served.get("model_mape_ratio") == pytest.approx((1 / 3 + 2) / 2)
