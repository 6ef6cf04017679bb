"""The drift test within the job: who is judged, at which level, and what is served."""

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from model_exporter.baseline import Baseline
from model_exporter.drift.looks import significance
from model_exporter.job.config import load
from model_exporter.job.once import once

NOW = round(datetime(2026, 1, 8, tzinfo=UTC).timestamp() * 1_000_000)
ROWS = 600


@pytest.fixture
def served(tmp_path: Path):
    """Return a function that evaluates a model whose feature `moved` drifts, and no other."""
    rng = np.random.default_rng(0)
    reference = {
        "moved": rng.normal(size=4_000),
        "still": rng.normal(size=4_000),
        "prediction": rng.normal(size=4_000),
    }
    reference["timestamp"] = np.arange(4_000) * 60
    features = {"numeric": ["moved", "still"]}
    baseline = Baseline.from_table(
        reference, task="regression", features=features, timestamp="timestamp"
    )
    baseline.save(tmp_path / "b.json")
    lines = ["prediction_id,timestamp,model_version,prediction,moved,still"]
    for i, (moved, still, prediction) in enumerate(rng.normal([1, 0, 0], 1, size=(ROWS, 3))):
        place = f"p{i},2026-01-07T12:{i // 10:02}:00Z,v1"
        lines.append(f"{place},{prediction},{moved},{still}")
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")

    def evaluate(**drift) -> dict[str, dict[str, float]]:
        model = {
            "name": "m",
            "task": "regression",
            "baseline": "b.json",
            "predictions": {"type": "csv", "path": "p.csv"},
            "features": features,
            "windows": ["1d", "7d"],
            "drift": drift,
        }
        path = tmp_path / "exporter.yml"
        path.write_text(yaml.safe_dump({"models": [model]}))
        samples: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(once(load(path), now=NOW)[0]):
            for sample in family.samples:
                labels = sample.labels
                if labels.get("window") == "1d" and labels.get("model_version") == "v1":
                    subject = labels.get("feature") or labels.get("subject", "")
                    samples.setdefault(sample.name, {})[subject] = sample.value
        return samples

    return evaluate


def test_the_feature_that_moved_is_found_and_the_others_are_not(served) -> None:
    found = served()
    assert found["model_drift_detected"] == {"moved": 1, "still": 0, "prediction": 0}
    psi, critical = found["model_drift_psi"], found["model_drift_psi_critical"]
    assert {name for name in psi if psi[name] > critical[name]} == {"moved"}


def test_the_design_effect_is_that_of_the_baseline_unless_one_is_given(served, tmp_path) -> None:
    minimum = served()["model_drift_minimum_rows"]
    effects = Baseline.load(tmp_path / "b.json").design_effects
    assert minimum["still"] == math.ceil(100 * effects["feature", "still"]) > 100
    assert set(served(design_effect=1)["model_drift_minimum_rows"].values()) == {100}


def test_more_tolerance_is_less_drift(served) -> None:
    assert served(tolerance=5)["model_drift_detected"]["moved"] == 0


def test_below_the_minimum_nothing_is_said(served) -> None:
    """Clusters of seven alike leave fewer than a hundred rows that say something of their own."""
    found = served(design_effect=7)
    assert set(found["model_drift_minimum_rows"].values()) == {700}
    assert "model_drift_detected" not in found
    assert "model_drift_psi_critical" not in found
    assert set(found["model_drift_rows"].values()) == {ROWS}
    assert "model_drift_detected" in served(minimum_rows=ROWS, design_effect=1)


def test_a_month_of_looks_adds_up_to_what_was_asked_for() -> None:
    """Series and windows share it evenly, and a longer window has fewer looks."""
    hour, day = (
        significance(false_alarms_per_month=2, series=10, window_seconds=seconds)
        for seconds in (3600, 86_400)
    )
    assert day == pytest.approx(24 * hour)
    assert hour * 10 * 720 * 32 == pytest.approx(2)
    assert significance(false_alarms_per_month=99, series=1, window_seconds=86_400) == 0.05
