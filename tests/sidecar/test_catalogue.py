"""What the sidecar serves is the catalogue, both ways."""

import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import Metric, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from model_exporter import Baseline, ModelMonitor
from model_exporter.catalogue import SIDECAR_FAMILIES, Kind
from model_exporter.sidecar.families import SAMPLES

OUTPUTS: dict[str, Any] = {
    "binary": {"prediction": 1, "score": 0.7},
    "multiclass": {"prediction": "sun", "scores": {"sun": 0.7, "rain": 0.3}},
    "regression": 101.5,
}
NOT_OF = {
    "binary": {"model_prediction_value"},
    "multiclass": {"model_prediction_value"},
    "regression": {
        "model_prediction_score",
        "model_predicted_class_total",
        "model_predicted_class_ratio",
    },
}
"""The families that do not apply to a task."""
SHARED = {
    "model_exporter_shards",
    "model_exporter_shards_skipped",
    "model_exporter_shards_degraded",
}
"""The families that speak of a directory shared by several processes."""
NOT_OF = {task: {*families, *SHARED} for task, families in NOT_OF.items()}


def with_traffic(make: Callable[..., ModelMonitor], task: str, baseline: Baseline) -> ModelMonitor:
    """Return a monitor that has seen a row, a batch, a stream and an error, and a sale."""
    monitor = make(baseline=baseline, version="1", event_time="at")
    predict = monitor(lambda row: OUTPUTS[task])
    predict({"age": 30, "country": "de", "at": 1_700_000_000})
    predict_all = monitor(batch=True)(lambda rows: [OUTPUTS[task]] * len(rows))
    predict_all([{"age": None, "country": "xx"}, {"age": math.inf, "country": ""}])

    @monitor
    def stream(row: object) -> Any:
        yield OUTPUTS[task]

    list(stream({"age": 30, "country": "de"}))

    @monitor
    def broken(row: object) -> None:
        raise ValueError(row)

    with pytest.raises(ValueError, match="age"):
        broken({"age": 1})
    monitor.business("revenue_eur", 12.5)
    return monitor


def families(monitor: ModelMonitor) -> dict[str, Metric]:
    return {
        metric.name + "_total" * (metric.type == "counter"): metric
        for metric in monitor.registry.collect()
    }


def test_every_family_of_the_catalogue_has_a_function() -> None:
    """The table of functions and the catalogue list the same families."""
    assert set(SAMPLES) == {family.name for family in SIDECAR_FAMILIES}


def test_a_monitor_serves_exactly_the_families_of_its_task(
    make: Callable[..., ModelMonitor], task: str, baseline: Baseline
) -> None:
    """With a baseline, rows, batches and errors, what applies is there and nothing else."""
    served = set(families(with_traffic(make, task, baseline)))
    assert served == {family.name for family in SIDECAR_FAMILIES} - NOT_OF[task]


def test_every_sample_has_the_labels_and_type_of_the_catalogue(
    make: Callable[..., ModelMonitor], task: str, baseline: Baseline
) -> None:
    """Labels, type and help are the catalogue's; no value is NaN; buckets add `le`."""
    served = families(with_traffic(make, task, baseline))
    for family in SIDECAR_FAMILIES:
        if family.name in NOT_OF[task]:
            continue
        metric = served[family.name]
        assert (metric.type, metric.documentation) == (family.kind.value, family.help)
        for sample in metric.samples:
            buckets = family.kind is Kind.HISTOGRAM and sample.name.endswith("_bucket")
            assert set(sample.labels) == {*family.labels, *(["le"] if buckets else [])}
            assert not math.isnan(sample.value)
            assert sample.timestamp is None


def test_with_a_shared_directory_what_speaks_of_it_is_served_too(
    make: Callable[..., ModelMonitor], task: str, tmp_path: Path
) -> None:
    """Its families have the labels and types of the catalogue, and only a directory has them."""
    served = families(make(task=task, multiprocess_dir=tmp_path))
    assert served.keys() >= SHARED
    for family in SIDECAR_FAMILIES:
        if family.name in SHARED:
            assert served[family.name].type == family.kind.value
            assert {frozenset(s.labels) for s in served[family.name].samples} == {
                frozenset(family.labels)
            }


def test_both_parsers_read_the_exposition(
    make: Callable[..., ModelMonitor], task: str, baseline: Baseline
) -> None:
    """The text and OpenMetrics formats parse, and say the same."""
    registry = with_traffic(make, task, baseline).registry
    text = list(parse_text(generate_latest(registry).decode()))
    open_metrics = list(parse_openmetrics(openmetrics_latest(registry).decode()))
    samples = [
        {(s.name, tuple(sorted(s.labels.items()))): s.value for m in parsed for s in m.samples}
        for parsed in (text, open_metrics)
    ]
    assert samples[0] == samples[1]


def test_promtool_finds_nothing_to_say(
    make: Callable[..., ModelMonitor],
    task: str,
    baseline: Baseline,
    require_tool: Callable[[str], str],
) -> None:
    """`promtool check metrics` passes without a word."""
    promtool = require_tool("promtool")
    exposition = generate_latest(with_traffic(make, task, baseline).registry)
    found = subprocess.run(
        [promtool, "check", "metrics"], input=exposition, capture_output=True, check=False
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


def test_known_series_exist_at_zero_before_the_first_call(
    make: Callable[..., ModelMonitor], task: str, baseline: Baseline
) -> None:
    """Counters of what is known start at 0; errors, gauges of nothing, batches, streams absent."""
    served = families(make(baseline=baseline))
    later = {
        "model_prediction_errors_total",
        "model_business_total",
        "model_prediction_batch_rows",
        "model_prediction_time_to_first_chunk_seconds",
        "model_prediction_chunks_total",
        "model_prediction_mean",
        "model_prediction_stddev",
        "model_prediction_quantile",
        "model_predicted_class_ratio",
        "model_last_prediction_timestamp_seconds",
        "model_input_timestamp_seconds",
    }
    assert set(served) == {f.name for f in SIDECAR_FAMILIES} - NOT_OF[task] - later
    counters = [m for m in served.values() if m.type == "counter"]
    assert {s.value for metric in counters for s in metric.samples} == {0.0}


def test_the_baseline_is_served_with_the_labels_of_the_live_counts(
    make: Callable[..., ModelMonitor], task: str, baseline: Baseline
) -> None:
    """`model_baseline_ratio` and `model_distribution_total` can be divided label by label."""
    served = families(with_traffic(make, task, baseline))
    live = served["model_distribution_total"].samples
    reference = served["model_baseline_ratio"].samples
    assert [s.labels for s in live] == [s.labels for s in reference]
    totals: dict[tuple[str, str], float] = {}
    for sample in reference:
        key = (sample.labels["subject"], sample.labels["feature"])
        totals[key] = totals.get(key, 0.0) + sample.value
    np.testing.assert_allclose(list(totals.values()), 1.0)


def test_without_a_baseline_there_are_no_feature_metrics(
    make: Callable[..., ModelMonitor], task: str
) -> None:
    """Features mean nothing without bins, so nothing is said of them."""
    monitor = make(task=task)
    monitor(lambda row: OUTPUTS[task])({"age": 1})
    named = {name for name in families(monitor) if "feature" in name or "distribution" in name}
    assert named == set()
    assert "model_baseline_rows" not in families(monitor)
