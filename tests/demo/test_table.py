"""The table says what the two expositions say."""

import io

import pytest
from rich.console import Console

from model_exporter.demo.alerts import Alert
from model_exporter.demo.datasets import BIKES, DATASETS, LOANS
from model_exporter.demo.readings import Exposition, quantile, read
from model_exporter.demo.table import table

MODEL = 'model_name="bike-demand",model_version="v1"'
WHOLE = f'{MODEL},segment="",segment_value=""'
SERVER = """\
model_predictions_total{{{model}}} {rows}
model_prediction_latency_seconds_bucket{{{model},le="0.001"}} {fast}
model_prediction_latency_seconds_bucket{{{model},le="0.01"}} {all}
model_prediction_latency_seconds_bucket{{{model},le="+Inf"}} {all}
"""
JOB = f"""\
model_window_predictions{{{WHOLE},window="5m"}} 1234
model_window_predictions{{{WHOLE},window="30s"}} 400
model_window_predictions{{{MODEL},segment="weathersit",segment_value="clear",window="5m"}} 7
model_label_coverage_ratio{{{WHOLE},window="5m"}} 0.875
model_mae{{{WHOLE},window="30s"}} 47.25
model_mae_lower{{{WHOLE},window="30s"}} 45.5
model_mae_upper{{{WHOLE},window="30s"}} 49
model_baseline_mae{{{MODEL}}} 40.06
model_drift_psi{{{MODEL},window="30s",subject="feature",feature="temp"}} 0.125
model_drift_psi{{{MODEL},window="30s",subject="feature",feature="season"}} 2.5
model_drift_psi{{{MODEL},window="30s",subject="prediction",feature=""}} 9
model_drift_psi{{{MODEL},window="5m",subject="feature",feature="hum"}} 8
"""


def server(*, rows, fast, calls, at):
    return Exposition(SERVER.format(model=MODEL, rows=rows, fast=fast, all=calls), at=at)


@pytest.fixture
def reading():
    before = server(rows=100, fast=10, calls=10, at=10)
    now = server(rows=350, fast=10, calls=110, at=15)
    return read(BIKES, now, before, Exposition(JOB), windows=("30s", "5m"))


def rendered(readings, firing=(), *, width=132):
    out = io.StringIO()
    made = table(readings, firing, title="", dates={"bike-demand": "01 Jun 2011"})
    Console(file=out, width=width).print(made)
    return out.getvalue()


def test_reading(reading):
    """Each number is that of the right window and of the whole model."""
    assert (reading.rows, reading.labeled_share) == (1234, 0.875)
    assert (reading.score.value, reading.score.lower, reading.score.upper) == (47.25, 45.5, 49)
    assert reading.score.baseline == 40.06
    assert (reading.drifted, reading.psi) == ("season", 2.5)


def test_rate_and_latency_are_of_late(reading):
    """What came before the earlier exposition does not count: those calls were fast."""
    assert reading.per_second == 50
    assert reading.p99_seconds == pytest.approx(0.001 + 0.99 * 0.009)


def test_text(reading):
    """All of it is in the table."""
    firing = [
        Alert("bike-demand", "ModelFeatureDrift", "temp", "warning"),
        Alert("bike-demand", "ModelFeatureDrift", "season", "warning"),
        Alert("bike-demand", "ModelDriftWidespread", "", "critical"),
        Alert("car-loan", "ModelLabelsStale", "", "warning"),
    ]
    text = rendered([reading], firing)
    for part in ("bike-demand", "01 Jun 2011", "50/s", "9.9 ms", "1234", "88%", "MAE 47.2"):
        assert part in text
    for part in ("[45.5, 49.0]", "40.1", "season", "2.50", "FeatureDrift x2"):
        assert part in text
    assert text.index("DriftWidespread") < text.index("FeatureDrift x2"), "critical ones lead"
    assert "LabelsStale" not in text


def test_nothing_known_yet():
    """Before the first scrape there is a row, without invented numbers."""
    empty = [
        read(d, Exposition(), Exposition(), Exposition(), windows=("30s", "5m")) for d in DATASETS
    ]
    text = rendered(empty)
    assert text.count("no label yet") == len(DATASETS)
    assert "nan" not in text
    assert "None" not in text


def test_fits_a_common_terminal(reading):
    """No line is wider than 80 columns, and no score is cut."""
    text = rendered([reading], width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "[45.5, 49.0]" in text


def test_worse_than_the_baseline():
    """An interval convicts by its near end, in the direction that is bad for the score."""
    job = """
        model_accuracy_ratio{L} 0.9
        model_accuracy_ratio_lower{L} 0.88
        model_accuracy_ratio_upper{L} U
        model_baseline_accuracy_ratio{M} 0.93
    """
    model = '{model_name="car-loan",model_version="v1"'
    labels = f'{model},segment="",segment_value="",window="30s"}}'
    for upper, worse in (("0.92", True), ("0.94", False)):
        lines = job.replace("{L}", labels).replace("{M}", f"{model}}}").replace("U", upper)
        text = "\n".join(map(str.strip, lines.strip().splitlines())) + "\n"
        found = read(LOANS, Exposition(), Exposition(), Exposition(text), windows=("30s", "5m"))
        assert found.score.worse is worse


def test_quantile_of_an_open_bucket():
    """Beyond the last edge nothing is known but the edge."""
    assert quantile(0.99, [(0.1, 1), (float("inf"), 100)]) == 0.1
    assert quantile(0.99, []) is None
    assert quantile(0.99, [(0.1, 0), (float("inf"), 0)]) is None
