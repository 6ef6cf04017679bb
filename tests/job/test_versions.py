"""Differences of versions as they are served: of the right rows, with the right champion."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from model_exporter.comparison import Outputs, paired_differences
from model_exporter.errors import ConfigError
from model_exporter.job import pairs
from model_exporter.job.config import load
from model_exporter.job.evaluate import evaluate
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowReader
from model_exporter.records import Task

HOUR = 3_600_000_000
NOW = 472_000 * HOUR
CLASSES = {"binary": ("0", "1"), "multiclass": ("a", "b", "c"), "regression": ()}
Samples = dict[str, dict[tuple[str, ...], float]]


def predicted(task: str, ids: np.ndarray, version: str, noise: float) -> tuple[dict, np.ndarray]:
    """Return the columns of one version's predictions, and the labels of the ids, by index."""
    rng = np.random.default_rng(0)
    k, size = max(1, len(CLASSES[task])), 3000
    truth = rng.integers(0, k, size) if k > 1 else rng.normal(30, 5, size)
    shared = rng.normal(size=(size, k))
    own = np.random.default_rng(int(version)).normal(size=(size, k))
    columns = {
        "prediction_id": [f"id{i}" for i in ids],
        "timestamp": (NOW - 20 * HOUR + ids * 1_000_000).tolist(),
        "model_version": [version] * ids.size,
    }
    if k == 1:
        values = (truth + shared[:, 0] + noise * own[:, 0])[ids]
        return columns | {"prediction": values.tolist()}, truth[ids]
    logits = shared + noise * own + 1.5 * (truth[:, None] == np.arange(k))
    p = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[ids]
    columns["prediction"] = [CLASSES[task][i] for i in p.argmax(axis=1)]
    if task == "binary":
        return columns | {"score": p[:, 1].tolist()}, truth[ids]
    return columns | {f"scores.{c}": p[:, i].tolist() for i, c in enumerate("abc")}, truth[ids]


def served(
    directory: Path,
    task: str,
    versions: dict[str, np.ndarray],
    *,
    step: float = 0.5,
    scored: bool = True,
    **more,
) -> Samples:
    """Return what is served of versions that predicted some ids, each with more noise."""
    columns = {"score": "score"} if task == "binary" and scored else {}
    if task == "multiclass" and scored:
        columns = {"scores": {c: f"scores.{c}" for c in "abc"}}
    config = {
        "name": "m",
        "task": task,
        "predictions": {"type": "csv", "path": "p.csv", "columns": columns},
        "labels": {"type": "csv", "path": "l.csv"},
        "windows": ["1d", "3d"],
        **more,
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [config]}), "utf-8")
    with Store(directory / "state", load(path).models[0]) as store:
        store.advance(NOW)
        for number, (version, ids) in enumerate(versions.items()):
            rows, truth = predicted(task, ids, version, 0.3 + step * number)
            if not scored:
                rows = {name: rows[name] for name in rows if not name.startswith("score")}
            labels = [CLASSES[task][i] for i in truth] if CLASSES[task] else truth.tolist()
            marks = {"prediction_id": rows["prediction_id"], "label": labels}
            marks["label_timestamp"] = [NOW - HOUR] * len(labels)
            for source, table in (("predictions", rows), ("labels", marks)):
                store.ingest(source, [Batch(f"{version}", pa.table(table), Cursor(1, "x"))])
        return evaluate(WindowReader(store)).values


def differences(samples: Samples, version: str, champion: str, pairing: str) -> dict[str, float]:
    found = samples.get("model_version_difference", {})
    wanted = ("m", version, champion, "1d", pairing)
    return {labels[-1]: value for labels, value in found.items() if labels[:-1] == wanted}


@pytest.mark.parametrize("task", CLASSES)
def test_shadow_is_compared_row_by_row(tmp_path: Path, task: str) -> None:
    """On the ids that both predicted, as computed from the rows themselves."""
    versions = {"3": np.arange(400), "4": np.arange(150, 500)}
    samples = served(tmp_path, task, versions, shadow=True, comparison={"champion": "3"})
    labels = ("m", "4", "3", "1d", "paired")
    assert samples["model_version_difference_rows"][labels] == 250
    both, sides = np.arange(150, 400), []
    for number, version in enumerate(versions):
        rows, truth = predicted(task, both, version, 0.3 + 0.5 * number)
        names = [name for name in rows if name.startswith("score")]
        scores = np.array([rows[name] for name in names]).T.reshape(both.size, -1)
        values = np.array(
            [CLASSES[task].index(p) for p in rows["prediction"]] if names else rows["prediction"]
        )
        sides.append(Outputs(values, scores))
    places = {"binary": (1,), "multiclass": (0, 1, 2), "regression": ()}[task]
    expected = paired_differences(
        truth, *sides, task=Task(task), classes=len(CLASSES[task]), places=places
    )
    found = {
        f: samples[f"model_version_difference{f}"] for f in ("", "_lower", "_upper", "_p_value")
    }
    names = {"accuracy": "model_accuracy_ratio", "rmse": "model_rmse", "roc_auc": "model_roc_auc"}
    compared = 0
    for score, family in names.items():
        difference = expected.get((family,))
        if difference is None:
            continue
        compared += 1
        place = (*labels, score)
        assert found[""][place] == pytest.approx(difference.value)
        assert found["_lower"][place] == pytest.approx(difference.lower)
        assert found["_upper"][place] == pytest.approx(difference.upper)
        assert found["_p_value"][place] == pytest.approx(difference.p_value)
    assert compared == len(expected.keys() & {(family,) for family in names.values()}) >= 1
    assert len(differences(samples, "4", "3", "paired")) == len(expected)


@pytest.mark.parametrize("task", CLASSES)
def test_canary_is_compared_by_scores(tmp_path: Path, task: str) -> None:
    """The difference is that of the two scores that are served; of every score but one."""
    versions = {"3": np.arange(600), "4": np.arange(600, 800)}
    samples = served(tmp_path, task, versions, comparison={})
    assert samples["model_version_difference_rows"]["m", "4", "3", "1d", "unpaired"] == 200
    found = differences(samples, "4", "3", "unpaired")
    score = "mae" if task == "regression" else "accuracy"
    family = {"mae": "model_mae", "accuracy": "model_accuracy_ratio"}[score]
    before, after = (samples[family]["m", version, "1d", "", ""] for version in "34")
    assert found[score] == after - before
    assert len(found) == {"binary": 11, "multiclass": 10, "regression": 7}[task]
    assert "calibration_error" not in found


def test_worse_is_said_of_a_worse_version_only(tmp_path: Path) -> None:
    """The challenger has more noise; seen from it, the champion is not worse."""
    versions = {"3": np.arange(3000), "4": np.arange(3000)}
    for champion, other, worse in (("3", "4", 1), ("4", "3", 0)):
        directory = tmp_path / champion
        directory.mkdir()
        samples = served(
            directory, "binary", versions, shadow=True, comparison={"champion": champion}
        )
        said = samples["model_version_worse"]
        assert said["m", other, champion, "1d", "paired", "brier_score"] == worse
        assert said["m", other, champion, "1d", "paired", "accuracy"] == worse


def test_few_rows_convict_nobody(tmp_path: Path) -> None:
    versions = {"3": np.arange(90), "4": np.arange(90)}
    samples = served(tmp_path, "regression", versions, step=3, shadow=True)
    p_values = samples["model_version_difference_p_value"].values()
    assert min(p_values) < 1e-4
    assert set(samples["model_version_worse"].values()) == {0}


def test_the_champion_is_the_commonest_of_the_longest_window(tmp_path: Path) -> None:
    """Of several, the first; the challengers are those that are listed, else all others."""
    versions = {"2": np.arange(50), "1": np.arange(50, 100), "3": np.arange(100, 140)}
    samples = served(tmp_path, "binary", versions, comparison={})
    assert {labels[1:3] for labels in samples["model_version_difference"]} == {
        ("2", "1"),
        ("3", "1"),
    }
    (tmp_path / "listed").mkdir()
    listed = {"challengers": ["3", "1", "9"]}
    samples = served(tmp_path / "listed", "binary", versions, comparison=listed)
    assert {labels[1:3] for labels in samples["model_version_difference"]} == {("3", "1")}


def test_a_version_that_was_replaced_is_compared_if_listed(tmp_path: Path) -> None:
    """The rows lie 20 hours back: beyond an hour, nobody predicts any more."""
    versions = {"3": np.arange(90), "4": np.arange(90, 150)}
    for number, listed in enumerate(([], ["4"])):
        directory = tmp_path / str(number)
        directory.mkdir()
        comparison = {"challengers": listed}
        samples = served(directory, "binary", versions, windows=["1h", "1d"], comparison=comparison)
        assert ("model_version_difference" in samples) == bool(listed)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_versions_without_probabilities_are_compared_by_class(tmp_path: Path, task: str) -> None:
    """A log without scores gives what a confusion matrix gives, and no more."""
    versions = {"3": np.arange(90), "4": np.arange(90)}
    samples = served(tmp_path, task, versions, scored=False, shadow=True)
    found = differences(samples, "4", "3", "paired")
    assert {"accuracy", "f1", "mcc"} <= found.keys()
    assert not {"brier_score", "roc_auc"} & found.keys()


def test_nothing_is_compared_unless_asked_for(tmp_path: Path) -> None:
    samples = served(tmp_path, "binary", {"3": np.arange(90), "4": np.arange(90, 180)})
    assert not [name for name in samples if name.startswith("model_version_")]


def test_versions_that_share_no_id_are_compared_by_scores(tmp_path: Path) -> None:
    versions = {"3": np.arange(90), "4": np.arange(90, 180)}
    samples = served(tmp_path, "binary", versions, shadow=True)
    assert {labels[4] for labels in samples["model_version_difference"]} == {"unpaired"}


def test_shadows_are_not_pooled(tmp_path: Path) -> None:
    samples = served(tmp_path, "binary", {"3": np.arange(90), "4": np.arange(90)}, shadow=True)
    assert {labels[1] for labels in samples["model_window_predictions"]} == {"3", "4"}
    assert samples["model_window_labeled_predictions"]["m", "3", "1d", "", ""] == 90


def test_large_windows_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the hash of the id, so that it is the same pairs each time; a seventh of 2,000."""
    monkeypatch.setattr(pairs, "MAX_PAIRS", 300)
    versions = {"3": np.arange(2000), "4": np.arange(2000)}
    samples = served(tmp_path, "binary", versions, shadow=True)
    rows = samples["model_version_difference_rows"]["m", "4", "3", "1d", "paired"]
    assert 200 < rows < 400


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"shadow": "yes, please"}, "expected true or false, found 'yes, please'"),
        ({"comparison": {"champoin": "3"}}, "did you mean 'champion'"),
        ({"comparison": {"champion": "3", "challengers": ["3"]}}, "leave it out"),
    ],
)
def test_bad_configuration(tmp_path: Path, more: dict, expected: str) -> None:
    with pytest.raises(ConfigError, match=r"models\[m\]") as error:
        served(tmp_path, "binary", {}, **more)
    assert expected in str(error.value)
