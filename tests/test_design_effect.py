"""Clusters are measured as they are, and a drift test that knows them keeps its level."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import binom, chi2, chi2_contingency

from model_exporter.baseline import Baseline
from model_exporter.design_effect import design_effect, hours
from model_exporter.drift import Comparison
from model_exporter.drift.detect import detect
from model_exporter.errors import SchemaError

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_is_scipys_chi_squared_by_its_degrees_of_freedom() -> None:
    rng = np.random.default_rng(0)
    periods, bins = np.repeat(rng.integers([[30], [8]], size=(2, 2_000)), 3, axis=1)
    table = np.zeros((30, 8))
    np.add.at(table, (periods, bins), 1)
    found = chi2_contingency(table, correction=False)
    expected = found.statistic / chi2.ppf(0.05, found.dof)
    assert design_effect(periods, bins) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_clusters_of_rows_alike_have_their_size(size) -> None:
    """The bound is above the truth in about 95 of 100 references, and near it."""
    rng = np.random.default_rng(size)
    found = []
    for _ in range(100):
        clusters = 10_000 // size
        periods = np.repeat(rng.integers(100, size=clusters), size)
        bins = np.repeat(rng.integers(10, size=clusters), size)
        found.append(design_effect(periods, bins))
    assert np.mean(np.array(found) >= size) >= 0.88
    assert max(found) < 1.3 * size


@pytest.mark.parametrize("bins", [[0, 0, 0], [-1, -1, -1], [-1, 0, 1]])
def test_nothing_to_compare_is_no_effect(bins) -> None:
    assert design_effect([1, 1, 1], bins) == 1


def test_timestamps_of_all_kinds_have_one_hour() -> None:
    kinds = [
        START,
        START.replace(tzinfo=None),
        START.isoformat(),
        "2026-01-01T00:30:00Z",
        START.timestamp(),
        np.datetime64("2026-01-01T00:59:59.5"),
    ]
    assert set(hours(kinds, "t").tolist()) == {int(START.timestamp()) // 3600}


@pytest.mark.parametrize("value", [None, "noon", float("nan"), float("inf"), np.datetime64("NaT")])
def test_what_is_no_timestamp_is_refused(value) -> None:
    with pytest.raises(SchemaError, match="column 't' of the reference holds"):
        hours([value], "t")


def clustered(rng, rows) -> np.ndarray:
    return np.repeat(rng.normal(size=rows // 5), 5)


def test_a_baseline_with_timestamps_keeps_the_test_quiet(tmp_path) -> None:
    """Windows of clustered rows, against a reference of them that was saved and loaded."""
    rng = np.random.default_rng(3)
    trials, found, blind = 400, 0, 0
    for _ in range(trials // 20):
        table = {
            "x": clustered(rng, 10_000),
            "prediction": np.zeros(10_000),
            "t": [START + timedelta(seconds=36 * i) for i in range(10_000)],
        }
        Baseline.from_table(
            table, task="regression", features={"numeric": ["x"]}, timestamp="t"
        ).save(tmp_path / "b.json")
        baseline = Baseline.load(tmp_path / "b.json")
        distribution = baseline.features["x"]
        effect = baseline.design_effects["feature", "x"]
        assert baseline.design_effects["prediction", ""] == 1
        for _ in range(20):
            index = distribution.bin_index(clustered(rng, 1_000))
            window = Comparison.numeric(distribution, np.bincount(index, minlength=10))
            options = {"tolerance": 0.0, "significance": 0.01}
            found += detect(window, design_effect=effect, **options).detected
            blind += detect(window, **options).detected
    assert found <= binom.isf(1e-3, trials, 0.01)
    assert blind > trials / 2
