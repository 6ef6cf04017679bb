"""`detect_data_drift` and `plot_drift` compare what they are given with the right reference."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_exporter import Baseline, ConfigError, ModelMonitor, SchemaError
from model_exporter.drift.comparison import Comparison
from model_exporter.drift.psi import psi

SEED = 20261120
ROWS = 2_000


def table(shift: float = 0.0, country: str = "de", rows: int = ROWS) -> dict[str, Any]:
    random_state = np.random.default_rng(SEED + int(10 * shift))
    countries = np.where(random_state.random(rows) < 0.7, country, "fr")
    return {"age": random_state.normal(40 + shift, 10, rows), "country": countries}


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    columns = table()
    columns["prediction"] = (columns["age"] > 45).astype(int)
    return Baseline.from_table(
        columns, task="binary", features={"numeric": ["age"], "categorical": ["country"]}
    )


def test_a_table_is_compared_with_the_baseline(baseline: Baseline) -> None:
    """Feature by feature, as the statistic on the baseline's bins; the number is the greatest."""
    new = table(shift=5)
    with ModelMonitor("m", baseline=baseline) as monitor:
        drift = monitor.detect_data_drift(new)
    index = baseline.features["age"].bin_index(new["age"])
    comparison = Comparison.numeric(baseline.features["age"], np.bincount(index))
    expected = psi(comparison)
    assert expected is not None
    assert drift.psi["age"] == pytest.approx(expected.value)
    assert drift.psi.keys() == {"age", "country"}
    assert drift == max(drift.psi.values()) == drift.psi["age"]
    assert drift.detected() == {"age": True, "country": False}


@pytest.mark.parametrize("kind", [dict, pd.DataFrame, "rows"])
def test_tables_of_every_kind(baseline: Baseline, kind: Any) -> None:
    new = table(country="us")
    given = pd.DataFrame(new).to_dict("records") if kind == "rows" else kind(new)
    with ModelMonitor("m", baseline=baseline) as monitor:
        drift = monitor.detect_data_drift(given)
    assert drift.detected() == {"age": False, "country": True}


def test_without_data_it_is_what_was_counted(baseline: Baseline) -> None:
    """Calls and logged rows alike."""
    new = table(shift=5)
    rows = pd.DataFrame(new).to_dict("records")
    with ModelMonitor("m", baseline=baseline, strict=True) as monitor:
        predict = monitor(lambda row: 1)
        for row in rows[: ROWS // 2]:
            predict(row)
        half = {name: column[ROWS // 2 :] for name, column in new.items()}
        monitor.log_predictions(np.ones(ROWS // 2, dtype=int), features=half)
        counted = monitor.detect_data_drift()
        given = monitor.detect_data_drift(new)
        assert counted.psi["age"] == pytest.approx(given.psi["age"])
        assert counted.psi["country"] == pytest.approx(given.psi["country"])
        assert counted.psi[""] > 1  # all are 1


def test_predictions_are_compared_with_those_logged() -> None:
    with ModelMonitor("m", task="multiclass") as monitor:
        monitor.log_predictions(["sun"] * 50 + ["rain"] * 50)
        assert monitor.detect_data_drift(["rain", "sun"]) == 0
        assert monitor.detect_data_drift(["rain"] * 100) > 0.5


def test_a_reference_of_ones_own() -> None:
    with ModelMonitor("m", task="regression") as monitor:
        drift = monitor.detect_data_drift(table(shift=8), reference=table())
        assert drift.detected() == {"age": True, "country": False}


def test_no_drift_is_hardly_ever_detected() -> None:
    """At 1 % a look over all features; 200 looks at rows of the same origin, by seed 20261120."""
    random_state = np.random.default_rng(SEED)
    alarms = 0
    with ModelMonitor("m", task="regression") as monitor:
        for _ in range(200):
            reference, new = (
                {f"f{i}": random_state.normal(size=500) for i in range(5)} for _ in "ab"
            )
            found = monitor.detect_data_drift(new, reference=reference).detected(tolerance=0)
            alarms += any(found.values())
    assert alarms <= 7  # 2 expected; more than 7 have a chance of 0.1 %


@pytest.mark.parametrize(
    ("call", "error", "complaint"),
    [
        (lambda m: m.detect_data_drift({"x": [1]}), SchemaError, "columns \\['x'\\]"),
        (lambda m: m.plot_drift("x"), ConfigError, "expected one of 'age'"),
        (lambda m: m.plot_drift("age", new_data={"x": [1]}), SchemaError, "no column 'age'"),
    ],
)
def test_mistakes_are_told(baseline: Baseline, call: Any, error: Any, complaint: str) -> None:
    with ModelMonitor("m", baseline=baseline) as monitor, pytest.raises(error, match=complaint):
        call(monitor)


def test_without_anything_to_compare_with_it_says_so() -> None:
    with ModelMonitor("m", task="binary") as monitor:
        for arguments in ((), ([0, 1],), ({"age": [1]},)):
            with pytest.raises(
                ConfigError, match=r"nothing to compare with|no baseline to compare"
            ):
                monitor.detect_data_drift(*arguments)


def test_the_picture_shows_the_shares_of_both_sides(baseline: Baseline, tmp_path: Path) -> None:
    with ModelMonitor("m", baseline=baseline) as monitor:
        monitor.log_predictions([1] * ROWS, features=table(country="us"))
        axes = monitor.plot_drift("country")
    heights = [bar.get_height() for bar in axes.patches]
    names = [label.get_text() for label in axes.get_xticklabels()]
    reference, current = heights[: len(names)], heights[len(names) :]
    assert sum(reference) == pytest.approx(1)
    assert sum(current) == pytest.approx(1)
    assert current[names.index("__other__")] == pytest.approx(0.7, abs=0.05)
    axes.figure.savefig(tmp_path / "drift.png")
    assert (tmp_path / "drift.png").stat().st_size > 1_000
