"""Histograms as model servers serve them, against the values that were counted."""

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from model_exporter.gate import Criteria, Latency
from model_exporter.gate.live import LATENCY, Live, evidence_of
from model_exporter.gate.series import Series
from model_exporter.records import Task

LABELS = {"model_name": "churn", "model_version": "4"}
BOUNDS = np.geomspace(0.001, 1, 40).tolist()


def series(**versions: np.ndarray) -> Series:
    registry = CollectorRegistry()
    histogram = Histogram(LATENCY, "x", list(LABELS), buckets=BOUNDS, registry=registry)
    for version, values in versions.items():
        for value in values:
            histogram.labels("churn", version.removeprefix("v")).observe(value)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return Series(
        {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}
    )


def test_quantiles_and_means_are_those_of_the_values() -> None:
    """Within the width of a bucket; and the ends hold the truth."""
    values = np.random.default_rng(0).lognormal(-4, 0.5, 5000)
    found = series(v4=values).histogram(LATENCY, LABELS)
    assert found.rows == 5000
    for quantile in (0.5, 0.9, 0.99):
        estimate = found.quantile(quantile)
        assert estimate is not None
        assert estimate.value == pytest.approx(np.quantile(values, quantile), rel=0.2)
        assert estimate.lower <= estimate.value <= estimate.upper
        assert (
            estimate.lower < np.exp(-4 + 0.5 * {0.5: 0, 0.9: 1.2816, 0.99: 2.3263}[quantile]) * 1.2
        )
    mean = found.mean()
    assert mean is not None
    assert mean.value == pytest.approx(values.mean())
    assert (mean.upper - mean.lower) / 3.92 == pytest.approx(values.std() / 5000**0.5, rel=0.1)


def test_beyond_the_last_bound_nothing_is_known() -> None:
    found = series(v4=np.full(200, 5.0)).histogram(LATENCY, LABELS)
    assert found.quantile(0.5) is None
    assert series().histogram(LATENCY, LABELS).quantile(0.5) is None
    assert series().histogram(LATENCY, LABELS).mean() is None


def test_two_live_versions_are_compared() -> None:
    rng = np.random.default_rng(1)
    served = series(v4=rng.lognormal(-3, 0.5, 3000), v3=rng.lognormal(-4, 0.5, 2000))
    live = Live("churn", Task.BINARY, "7d", "4", "3")
    found = evidence_of(served, live, Criteria(latency=Latency(margin=0.01))).latency
    assert found is not None
    assert found.rows == 2000
    assert found.candidate is not None
    assert found.reference is not None
    assert found.candidate / found.reference == pytest.approx(np.e, rel=0.2)
