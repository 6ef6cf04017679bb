"""What scores are called, and that nothing gets lost or mixed up."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from model_exporter import Baseline
from model_exporter.catalogue import ESTIMATES, FAMILIES, SCORES, Kind
from model_exporter.errors import ConfigError
from model_exporter.records import Estimate, Task
from model_exporter.tracking import baseline_record, gate_record, score_metrics
from model_exporter.tracking.names import metrics, short_name, slug
from model_exporter.tracking.windows import point

TAKEN_BY_MLFLOW = re.compile(r"[\w./-]{1,250}")


@given(st.text(), st.text())
def test_a_part_of_a_name_can_be_one(first: str, second: str) -> None:
    """It is taken everywhere, is no path, and says which text it was, but for our own code."""
    made = slug(first)
    assert re.fullmatch(r"[\w.-]+", made)
    assert made.strip(".")
    if first != second and "_" not in first + second:
        assert made != slug(second)


def test_every_score_has_its_name_in_expectations() -> None:
    for score in SCORES:
        assert short_name(score.name) == score.key
        assert short_name(score.lower) == f"{score.key}_lower"
        assert short_name(score.upper) == f"{score.key}_upper"
    for estimated in ESTIMATES:
        assert short_name(estimated.name) == f"estimated_{estimated.key}"


def test_no_two_families_share_a_name() -> None:
    windowed = [f.name for f in FAMILIES if f.labels[2:3] == ("window",)]
    assert len({short_name(name) for name in windowed}) == len(windowed)


def test_a_class_does_not_pass_for_a_bound() -> None:
    """A class may be called anything."""
    found = {(name,): Estimate(0.5, 0.4, 0.6) for name in ("a", "a_lower", "lower", "A/B", "..")}
    named = metrics({"model_class_f1_ratio": found}, Task.MULTICLASS)
    assert len(named) == 3 * len(found)
    assert named["class_f1/a_lower"] == 0.5
    assert named["class_f1_lower/a"] == 0.4
    assert all(TAKEN_BY_MLFLOW.fullmatch(name) for name in named)


def test_a_baseline_is_told_whole(baseline: Baseline) -> None:
    """As many metrics as it has values and bounds."""
    estimates = [e for found in baseline.quality.values() for e in found.values()]
    known = sum(x is not None for e in estimates for x in (e.value, e.lower, e.upper))
    record = baseline_record(baseline)
    assert len(record.metrics) == known > 30
    (accuracy,) = baseline.quality["model_accuracy_ratio"].values()
    assert record.metrics["accuracy"] == accuracy.value
    assert record.metrics["accuracy_upper"] == accuracy.upper
    assert record.tags == {"model_exporter.baseline_checksum": baseline.checksum}


def test_training_and_baseline_agree(baseline: Baseline, table: dict) -> None:
    """The same rows have the same numbers, and scikit-learn has them too."""
    found = score_metrics(table["label"], table["prediction"], scores=table["score"], task="binary")
    assert found == baseline_record(baseline).metrics
    assert found["f1"] == pytest.approx(oracle.f1_score(table["label"], table["prediction"]))
    macro = oracle.f1_score(table["label"], table["prediction"], average="macro")
    assert found["f1_macro"] == pytest.approx(macro)
    auc = oracle.roc_auc_score(table["label"], table["score"])
    assert found["roc_auc"] == pytest.approx(auc)


def test_training_of_other_tasks() -> None:
    found = score_metrics([3.0, 5.0], [2.0, 7.0], task="regression")
    assert (found["mae"], found["bias"]) == (1.5, 0.5)
    found = score_metrics(
        ["sunny", "rain"], ["sunny", "sunny"], task="multiclass", classes=["sunny", "rain", "snow"],
        scores={"sunny": [0.9, 0.6], "rain": [0.1, 0.4], "snow": [0.0, 0.0]},
    )  # fmt: skip
    assert found["accuracy"] == 0.5
    assert found["class_recall/rain"] == 0.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": "binry"}, "'binary'"),
        ({"task": "binary", "scores": {"1": [0.5]}}, "one probability a row"),
        ({"task": "multiclass", "scores": [0.5]}, "probabilities by class"),
        ({"task": "regression", "scores": [0.5]}, "has none"),
    ],
)
def test_what_training_refuses(options: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        score_metrics([1], [1], **options)


def test_a_gate_is_told() -> None:
    """Values that a criterion does not have are left out, and a failed one is not fit."""
    finding = {
        "criterion": "quality", "subject": "roc_auc", "decision": "fail", "reason": "worse",
        "candidate": 0.81, "reference": 0.84, "difference": -0.03, "lower": -0.05, "upper": -0.01,
        "margin": 0.01, "rows": 900, "rows_needed": None,
    }  # fmt: skip
    drift = {"criterion": "prediction drift", "subject": "score", "candidate": 0.2, "lower": None}
    record = gate_record({"decision": "fail", "rows": 900, "findings": [finding, drift]})
    assert record.metrics == {
        "gate/rows": 900,
        "roc_auc": 0.81,
        "gate/quality/roc_auc_candidate": 0.81,
        "gate/quality/roc_auc_reference": 0.84,
        "gate/quality/roc_auc_difference": -0.03,
        "gate/quality/roc_auc_difference_lower": -0.05,
        "gate/quality/roc_auc_difference_upper": -0.01,
        "gate/quality/roc_auc_margin": 0.01,
        "gate/quality/roc_auc_rows": 900,
        "gate/prediction_20drift/score_candidate": 0.2,
    }
    assert record.tags == {"model_exporter.gate_decision": "fail"}
    assert not record.fit


def test_every_series_of_a_window_has_its_own_tag() -> None:
    """All gauges with a window, but bins, and no two alike."""
    tags = []
    for family in FAMILIES:
        labels = tuple(f"{i}{name}" for i, name in enumerate(family.labels))
        made = point(family.name, labels, 1.0, at=0, tasks={})
        windowed = family.labels[:3] == ("model_name", "model_version", "window")
        told = windowed and family.kind is Kind.GAUGE and "bin" not in family.labels
        assert (made is not None) == told, family.name
        tags += [made.tag] if made else []
    assert len(set(tags)) == len(tags) > 100
    assert all(TAKEN_BY_MLFLOW.fullmatch(tag) for tag in tags)
