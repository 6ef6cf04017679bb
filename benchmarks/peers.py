"""Peers of the hot path that need not be installed: FULL telemetry of one call with each."""

import importlib
import time
from collections.abc import Callable
from typing import Any

from model_exporter import Baseline

Call = Callable[[Any], Any]


def opentelemetry(function: Call, baseline: Baseline) -> Call:
    """Return `function` with instruments of OpenTelemetry, collected in memory only."""
    sdk = importlib.import_module("opentelemetry.sdk.metrics")
    export = importlib.import_module("opentelemetry.sdk.metrics.export")
    provider = sdk.MeterProvider(metric_readers=[export.InMemoryMetricReader()])
    meter = provider.get_meter("benchmark")
    labels = {"model_name": "m", "model_version": "1"}
    calls = meter.create_counter("calls")
    latency, prediction, *features = (
        meter.create_histogram(name) for name in ("latency", "prediction", *baseline.features)
    )
    clock = time.perf_counter_ns

    def wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        latency.record((clock() - start) * 1e-9, labels)
        calls.add(1, labels)
        prediction.record(result, labels)
        for feature, value in zip(features, row, strict=False):
            feature.record(abs(value), labels)  # it takes no negative values
        return result

    return wrapper


def whylogs(function: Call, baseline: Baseline) -> Call:
    """Return `function` with a profile of whylogs that tracks every call."""
    why = importlib.import_module("whylogs.core")
    profile = why.DatasetProfile()
    names = tuple(baseline.features)
    clock = time.perf_counter_ns

    def wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        values = {"latency": (clock() - start) * 1e-9, "prediction": result}
        profile.track({**values, **dict(zip(names, row, strict=True))})
        return result

    return wrapper


PEERS = {"OpenTelemetry": opentelemetry, "whylogs": whylogs}


def installed(function: Call, baseline: Baseline) -> tuple[dict[str, Call], list[str]]:
    """Return `function` monitored by each peer that is there, and the names of the others."""
    found, absent = {}, []
    for name, make in PEERS.items():
        try:
            found[name] = make(function, baseline)
        except ImportError:
            absent.append(name)
    return found, absent
