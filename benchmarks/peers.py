"""The peers of the hot path, one function each: FULL telemetry of one call.

Each takes a function and returns it monitored, with labels, instruments and whatever else can be
resolved beforehand resolved. Each is used as its own documentation shows, and where there is a
choice the cheaper way was taken. Only prometheus_client need be installed: the others are imported
when they are made.
"""

import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families
from reference import FEATURES, Call, make_baseline, make_table

LABELS = {"model_name": "m", "model_version": "1"}
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
COUNTS = ("_total", "_count")


def nothing() -> None:
    pass


class Monitored(NamedTuple):
    """A monitored function.

    Attributes
    ----------
    totals
        Returns every count that must equal the number of calls.
    finish
        Does what is left to be done after some calls.
    scrape
        Does what `/metrics` would.
    """

    call: Call
    totals: Callable[[], list[float]] = list
    finish: Callable[[], None] = nothing
    scrape: Callable[[], object] = nothing


def prometheus_client(function: Call, stack: ExitStack, *, by_name: bool = False) -> Monitored:
    """Use bound metrics as a careful user does: labels bound once, no lookups in the call."""
    registry = CollectorRegistry()
    call = _bound(function, registry, by_name=by_name)
    return Monitored(
        call, lambda: _totals(registry.collect()), scrape=lambda: generate_latest(registry)
    )


def prometheus_client_multiprocess(function: Call, stack: ExitStack) -> Monitored:
    """Use bound metrics in the multiprocess mode: every value lives in a mapped file."""
    directory = stack.enter_context(tempfile.TemporaryDirectory())
    with _multiprocess_values(directory):
        call = _bound(function, CollectorRegistry())
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)
    return Monitored(
        call, lambda: _totals(registry.collect()), scrape=lambda: generate_latest(registry)
    )


@contextmanager
def _multiprocess_values(directory: str) -> Iterator[None]:
    """Make metrics of the multiprocess kind, which is otherwise chosen once, at import."""
    before = values.ValueClass
    os.environ[DIRECTORY] = directory
    values.ValueClass = values.MultiProcessValue()
    try:
        yield
    finally:
        values.ValueClass = before
        del os.environ[DIRECTORY]


def _bound(function: Call, registry: CollectorRegistry, *, by_name: bool = False) -> Call:
    def histogram(name: str, edges: Any) -> Histogram:
        family = Histogram(name, name, tuple(LABELS), buckets=edges, registry=registry)
        return family.labels(**LABELS)

    baseline = make_baseline()
    calls = Counter("calls", "calls", tuple(LABELS), registry=registry).labels(**LABELS)
    latency = histogram("latency", Histogram.DEFAULT_BUCKETS)
    prediction = histogram("prediction", baseline.prediction.edges.tolist())
    named = {n: histogram(n, d.edges.tolist()) for n, d in baseline.features.items()}
    features = list(named.values())
    clock = time.perf_counter_ns

    def wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        latency.observe((clock() - start) * 1e-9)
        calls.inc()
        prediction.observe(result)
        for feature, value in zip(features, row, strict=False):
            feature.observe(value)
        return result

    def named_wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        latency.observe((clock() - start) * 1e-9)
        calls.inc()
        prediction.observe(result)
        for name, feature in named.items():
            feature.observe(row[name])
        return result

    return named_wrapper if by_name else wrapper


def _totals(families: Any) -> list[float]:
    return [s.value for family in families for s in family.samples if s.name.endswith(COUNTS)]


def boxkite(function: Call, stack: ExitStack, *, with_log: bool = False) -> Monitored:
    """Use its service, with the bins it chose; latency and calls it leaves to prometheus_client.

    By default it logs every prediction to fluentd as well, which goes to a sink here `with_log`.
    Without, its documented extension point gets an exporter that does nothing.
    """
    collector = importlib.import_module("boxkite.monitoring.collector")
    service = importlib.import_module("boxkite.monitoring.service").ModelMonitoringService
    table = make_table()
    path = str(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "histogram.prom")
    service.export_text(
        features=[(name, table[name].tolist()) for name in FEATURES],
        inference=table["prediction"].tolist(),
        path=path,
    )
    monitor = service(
        log_exporter=_fluentd(stack) if with_log else _no_log(),
        baseline_collector=collector.BaselineMetricCollector(path=path),
    )
    registry = CollectorRegistry()
    calls = Counter("calls", "calls", tuple(LABELS), registry=registry).labels(**LABELS)
    latency = Histogram("latency", "latency", tuple(LABELS), registry=registry).labels(**LABELS)
    clock = time.perf_counter_ns

    def wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        latency.observe((clock() - start) * 1e-9)
        calls.inc()
        monitor.log_prediction(request_body="", features=row, output=result)
        return result

    def totals() -> list[float]:
        families = text_string_to_metric_families(monitor.export_http()[0].decode())
        live = [family for family in families if not family.name.endswith("_baseline")]
        return [*_totals(registry.collect()), *_totals(live)]

    return Monitored(wrapper, totals)


def _no_log() -> Any:
    class NoLog(importlib.import_module("boxkite.monitoring.exporter.type").LogExporter):
        def emit(self, prediction: object) -> None:
            pass

    return NoLog()


SINK = """import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    while connection.recv(65536):
        pass
"""


def _fluentd(stack: ExitStack) -> Any:
    """Return boxkite's own exporter, to a process that reads and forgets."""
    sink = subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True)
    stack.callback(sink.communicate)
    stack.callback(sink.kill)
    os.environ["BEDROCK_FLUENTD_ADDR"] = f"127.0.0.1:{int(sink.stdout.readline())}"
    exporter = importlib.import_module("boxkite.monitoring.exporter").FluentdExporter()
    stack.callback(exporter._sender.close)
    return exporter


def opentelemetry(function: Call, stack: ExitStack) -> Monitored:
    """Use instruments of its SDK, attributes made once, collected in memory."""
    sdk = importlib.import_module("opentelemetry.sdk.metrics")
    export = importlib.import_module("opentelemetry.sdk.metrics.export")
    reader = export.InMemoryMetricReader()
    provider = sdk.MeterProvider(metric_readers=[reader])
    stack.callback(provider.shutdown)
    meter = provider.get_meter("benchmark")
    calls = meter.create_counter("calls")
    latency, prediction, *features = (
        meter.create_histogram(name) for name in ("latency", "prediction", *FEATURES)
    )
    clock = time.perf_counter_ns

    def wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        latency.record((clock() - start) * 1e-9, LABELS)
        calls.add(1, LABELS)
        prediction.record(result, LABELS)
        for feature, value in zip(features, row, strict=False):
            feature.record(abs(value), LABELS)  # it takes no negative values
        return result

    def totals() -> list[float]:
        found = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        points = [metric.data.data_points[0] for metric in found]
        return [point.count if hasattr(point, "count") else point.value for point in points]

    return Monitored(wrapper, totals)


def whylogs(function: Call, stack: ExitStack) -> Monitored:
    """Track every call in a profile: what its rolling logger does, without the rolling."""
    profile = importlib.import_module("whylogs.core").DatasetProfile()
    clock = time.perf_counter_ns

    def wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        tracked = {"latency": (clock() - start) * 1e-9, "prediction": result}
        profile.track({**tracked, **dict(zip(FEATURES, row, strict=True))})
        return result

    def totals() -> list[float]:
        columns = profile.view().get_columns().values()
        return [column.get_metric("counts").n.value for column in columns]

    return Monitored(wrapper, totals)
