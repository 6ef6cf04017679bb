"""The frozen reference: fitted from any table, saved and read back bit for bit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model_exporter import Baseline, BaselineError, SchemaError
from model_exporter.baseline import MAX_VALUES
from model_exporter.records import Estimate, Task

ROWS = 60
OUTCOMES = ("prediction", "label")
FEATURES = {"numeric": ["age"], "categorical": ["country"]}


def table(seed: int = 0) -> dict[str, list]:
    rng = np.random.default_rng(seed)
    label = (rng.random(ROWS) < 0.4).astype(int)
    score = np.round(np.clip(rng.normal(0.3 + 0.4 * label, 0.2), 0, 1), 3)
    return {
        "age": [*rng.integers(18, 80, ROWS - 1).tolist(), None],
        "country": rng.choice(["CH", "DE", "FR"], ROWS).tolist(),
        "prediction": (score >= 0.5).astype(int).tolist(),
        "score": score.tolist(),
        "label": [*label[:-2].tolist(), None, None],
    }


def fitted(rows: object = None, **more: object) -> Baseline:
    given = {"task": "binary", "features": FEATURES, "score": "score", "label": "label"}
    return Baseline.from_table(table() if rows is None else rows, **(given | more))


def test_every_shape_of_table_gives_the_same_baseline() -> None:
    """A dict of columns, a list of rows, pandas and arrow: one checksum."""
    columns = table()
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    tables = [columns, rows, pd.DataFrame(columns)]
    tables.append(pytest.importorskip("pyarrow").table(columns))
    assert len({fitted(shape).checksum for shape in tables}) == 1


def test_what_was_saved_is_what_is_loaded(tmp_path) -> None:
    baseline = fitted(model_name="churn", model_version="3")
    baseline.save(tmp_path / "b.json")
    again = Baseline.load(tmp_path / "b.json")
    assert again.checksum == baseline.checksum
    assert again.quality == baseline.quality
    assert again.task is Task.BINARY
    assert (again.model_name, again.model_version, again.rows) == ("churn", "3", ROWS)
    assert again.scores[""].edges.tobytes() == baseline.scores[""].edges.tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_quality_is_that_of_the_labelled_rows() -> None:
    rows = table()
    right = [
        p == y for p, y in zip(rows["prediction"], rows["label"], strict=True) if y is not None
    ]
    accuracy = fitted(rows).quality["model_accuracy_ratio"][()]
    assert accuracy.value == np.mean(right)
    assert accuracy.lower < accuracy.value < accuracy.upper


def test_without_labels_there_is_no_quality() -> None:
    baseline = fitted(label=None)
    assert baseline.quality == {}
    assert baseline.label is None


def test_booleans_of_a_binary_model_are_its_classes() -> None:
    """A table that says True where the next says 1 gives the same baseline."""
    rows = table()
    named = {name: [None if v is None else bool(v) for v in rows[name]] for name in OUTCOMES}
    assert fitted(rows | named).checksum == fitted(rows).checksum


def test_multiclass_scores_are_by_class() -> None:
    rows = {
        "p": ["a", "b", "a"],
        "y": ["a", "b", "b"],
        "sa": [0.9, 0.2, 0.6],
        "sb": [0.1, 0.8, 0.4],
    }
    baseline = Baseline.from_table(
        rows, task="multiclass", prediction="p", label="y", scores={"a": "sa", "b": "sb"}
    )
    assert baseline.classes == ("a", "b")
    assert set(baseline.scores) == {"a", "b"}
    assert baseline.quality["model_class_recall_ratio"]["b",].value == 0.5


def test_regression_has_numeric_outcomes_and_no_classes() -> None:
    rows = {"prediction": [1.0, 2.0, 3.5], "label": [1.0, 2.5, 3.0]}
    baseline = Baseline.from_table(rows, task="regression", label="label")
    assert baseline.prediction.kind == baseline.label.kind == "numeric"
    assert baseline.classes == ()
    assert baseline.quality["model_mae"][()] == Estimate(pytest.approx(1 / 3))


def test_distribution_is_found_by_subject() -> None:
    baseline = fitted()
    assert baseline.distribution("feature", "age") is baseline.features["age"]
    assert baseline.distribution("score", "") is baseline.scores[""]
    assert baseline.distribution("prediction", "") is baseline.prediction
    assert baseline.distribution("label", "") is baseline.label
    assert baseline.distribution("feature", "height") is None


@pytest.mark.parametrize(
    ("rows", "more", "error", "message"),
    [
        ({"prediction": []}, {}, BaselineError, "no rows"),
        ({"prediction": [1]}, {"label": None}, SchemaError, "no column 'age'.*prediction"),
        ({"age": ["old"], "prediction": [1]}, {"label": None}, SchemaError, "'age'.*not numeric"),
        ({"age": [1, 2], "country": ["CH"]}, {}, SchemaError, "'age' has 2.*'country' has 1"),
        (3, {}, SchemaError, "got int"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(rows, more, error, message) -> None:
    with pytest.raises(error, match=rf"(?s){message}"):
        fitted(rows, **more)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "not a baseline"),
        ("[]", "schema version None"),
        ('{"schema_version": 99}', "schema version 99, expected 1"),
    ],
)
def test_files_that_are_no_baseline_are_refused(tmp_path, content: str, message: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(content)
    with pytest.raises(BaselineError, match=message):
        Baseline.load(path)
    with pytest.raises(BaselineError, match="cannot read"):
        Baseline.load(tmp_path / "absent.json")


def test_edited_file_is_refused(tmp_path) -> None:
    path = tmp_path / "b.json"
    fitted().save(path)
    document = json.loads(path.read_text())
    document["rows"] += 1
    path.write_text(json.dumps(document))
    with pytest.raises(BaselineError, match="checksum"):
        Baseline.load(path)


def test_scores_by_truth_are_kept(tmp_path: Path) -> None:
    """Every row once, by score, for the class that the score is of; also through the file."""
    table = {
        "prediction": [0, 1, 1, 0, 1],
        "score": [0.2, 0.7, 0.7, 0.2, 0.9],
        "label": [0, 1, 0, 0, 1],
    }
    fitted = Baseline.from_table(table, task="binary", score="score", label="label")
    fitted.save(tmp_path / "b.json")
    for baseline in (fitted, Baseline.load(tmp_path / "b.json")):
        found = baseline.score_labels[""]
        assert found.scores == (0.2, 0.7, 0.9)
        assert found.negatives == (2, 1, 0)
        assert found.positives == (0, 1, 1)


def test_many_scores_are_merged_with_their_neighbours() -> None:
    """No row is lost, and the file stays small."""
    count = 3 * MAX_VALUES
    table = {
        "prediction": [1] * count,
        "score": np.linspace(0, 1, count),
        "label": [0, 1] * (count // 2),
    }
    found = Baseline.from_table(table, task="binary", score="score", label="label").score_labels[""]
    assert len(found.scores) == MAX_VALUES
    assert list(found.scores) == sorted(found.scores)
    assert sum(found.negatives) == sum(found.positives) == count // 2


def regression() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    age, label = rng.integers(18, 80, 200), rng.normal(10, 3, 200)
    return {
        "age": age,
        "country": rng.choice(["CH", "DE"], 200),
        "prediction": label + age / 40 * rng.normal(size=200),
        "label": label,
    }


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_errors_of_the_reference_are_kept(tmp_path: Path, task: str) -> None:
    """What estimates rest on is the same from the file, bit for bit."""
    given = {} if task == "binary" else {"rows": regression(), "task": task, "score": None}
    baseline = fitted(**given)
    baseline.save(tmp_path / "b.json")
    assert baseline.errors is not None
    assert baseline.errors.deviations
    assert (baseline.errors.losses is not None) == (task == "regression")
    assert Baseline.load(tmp_path / "b.json").errors == baseline.errors


def test_a_file_without_errors_of_the_reference_is_still_a_baseline(tmp_path: Path) -> None:
    """Files of before have none, and keep their checksum when saved again."""
    older = fitted(label=None)
    assert older.errors is None
    older.save(tmp_path / "b.json")
    assert "errors" not in json.loads((tmp_path / "b.json").read_text())
    again = Baseline.load(tmp_path / "b.json")
    again.save(tmp_path / "c.json")
    assert (tmp_path / "c.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert Baseline.load(tmp_path / "c.json").errors is None


def test_many_distinct_scores_calibrate_in_bounded_blocks() -> None:
    """Two rows of a hundred thousand never tell more than the scores that are kept."""
    count = 100_000
    scores = np.linspace(0.001, 0.999, count)
    table = {
        "prediction": (scores > 0.5).astype(int),
        "score": scores,
        "label": np.random.default_rng(2).random(count) < scores**2,
    }
    baseline = Baseline.from_table(table, task="binary", score="score", label="label")
    assert baseline.errors is not None
    calibration = baseline.errors.calibrations[""]
    assert sum(calibration.rows) == count
    assert calibration.apply(np.array([0.5]))[0] == pytest.approx(0.25, abs=0.03)
