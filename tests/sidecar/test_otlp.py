"""What goes over OpenTelemetry's protocol comes out of Prometheus under the names it has here."""

import gzip
import http.server
import math
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary

from model_exporter import Baseline, ConfigError, DeliveryError, ModelMonitor
from model_exporter.catalogue import SIDECAR_FAMILIES

CUMULATIVE = 2
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Receiver(http.server.ThreadingHTTPServer):
    """Decodes what it gets, and answers with `status`."""

    status = 200

    def __init__(self) -> None:
        self.received: list[tuple[str, Any, ExportMetricsServiceRequest]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/metrics"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        unpack: dict[Any, Callable[[bytes], bytes]] = {
            "gzip": gzip.decompress,
            "deflate": zlib.decompress,
        }
        body = unpack.get(self.headers["Content-Encoding"], bytes)(body)
        request = ExportMetricsServiceRequest.FromString(body)
        self.server.received.append((self.path, self.headers, request))
        answer = ExportMetricsServiceResponse().SerializeToString()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def translated(name: str, *, unit: str, only_grows: bool) -> str:
    """Name a metric as Prometheus's receiver does, with its default strategy.

    By OpenTelemetry's specification of compatibility with Prometheus: the unit is a suffix, and
    what only grows ends in `_total`, once.
    """
    assert unit == "", "a unit would be appended"
    words = [word for word in name.split("_") if word]
    if only_grows:
        words = [*(word for word in words if word != "total"), "total"]
    return "_".join(words)


def series(name: str, labels: Mapping[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return what tells a series; an edge is a number, which every server writes in its own way."""
    edge = {"le": str(float(labels["le"]))} if "le" in labels else {}
    return name, frozenset({**labels, **edge}.items())


def served_by_prometheus(request: ExportMetricsServiceRequest) -> Samples:
    """Return the samples that the receiver makes of a request."""
    found: Samples = {}

    def add(name: str, point: Any, value: float, **more: str) -> None:
        labels = {a.key: a.value.string_value for a in point.attributes}
        key = series(name, {**labels, **more})
        assert key not in found
        found[key] = value

    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        kind = metric.WhichOneof("data")
        only_grows = kind == "sum" and metric.sum.is_monotonic
        name = translated(metric.name, unit=metric.unit, only_grows=only_grows)
        if kind in ("sum", "histogram"):
            assert getattr(metric, kind).aggregation_temporality == CUMULATIVE
        for point in getattr(metric, kind).data_points:
            assert point.time_unix_nano > 0
            if kind != "histogram":
                add(name, point, point.as_double)
                continue
            total = 0
            edges = [*point.explicit_bounds, math.inf]
            for edge, count in zip(edges, point.bucket_counts, strict=True):
                total += count
                add(f"{name}_bucket", point, total, le=str(edge))
            assert total == point.count
            add(f"{name}_count", point, point.count)
            if point.HasField("sum"):
                add(f"{name}_sum", point, point.sum)
    return found


def scraped(registry: CollectorRegistry) -> Samples:
    return {
        series(sample.name, sample.labels): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def their_own(registry: CollectorRegistry) -> None:
    """Add a metric of each type of the user's."""
    Counter("orders", "of a shop", ["city"], registry=registry).labels("Bonn").inc(3)
    Gauge("queue_ratio", "how full", registry=registry).set(0.5)
    Histogram("wait_seconds", "in line", ["city"], registry=registry).labels("Ulm").observe(2)
    Summary("size_bytes", "of an order", registry=registry).observe(7)
    Info("build", "of the shop", registry=registry).info({"version": "1"})
    Enum("state", "of the shop", states=["open", "closed"], registry=registry).state("open")


def test_names_labels_and_values_are_those_of_a_scrape(
    make: Callable[..., ModelMonitor], task: str, baseline: Baseline, receiver: Receiver
) -> None:
    """Every family of ours that has a series, and a registry's other metrics."""
    monitor = make(baseline=baseline)
    output: Any = {"binary": (1, 0.75), "multiclass": ("sun", 0.75), "regression": 101.5}[task]
    monitor(lambda row: output)({"age": 30.0, "country": "xx"})
    monitor(batch=True)(lambda rows: [output, output])([{"age": None, "country": "de"}] * 2)
    list(monitor(lambda row: iter([output]))({"age": 30.0, "country": "de", "more": 1}))
    their_own(monitor.registry)
    assert monitor.push_otlp(receiver.endpoint, check=True)
    ((path, _, request),) = receiver.received
    assert path == "/v1/metrics"
    assert served_by_prometheus(request) == scraped(monitor.registry)


def test_a_histogram_without_a_sum_has_none_there(
    make: Callable[..., ModelMonitor], receiver: Receiver
) -> None:
    """With negative edges a sum could fall; the count is a field that the protocol insists on."""
    monitor = make(task="regression")
    monitor(lambda row: -5.0)(1)
    monitor.push_otlp(receiver.endpoint, check=True)
    found, expected = served_by_prometheus(receiver.received[0][2]), scraped(monitor.registry)
    more = {name for name, _ in found.keys() - expected.keys()}
    assert more == {"model_prediction_value_count"}
    assert expected.items() <= found.items()


@pytest.mark.parametrize("family", SIDECAR_FAMILIES, ids=lambda family: family.name)
def test_no_family_is_renamed(family: Any) -> None:
    """Those, too, that no test here makes appear."""
    only_grows = family.name.endswith("_total")
    assert translated(family.name, unit="", only_grows=only_grows) == family.name


def test_who_sends_and_how(make: Callable[..., ModelMonitor], receiver: Receiver) -> None:
    """The resource makes the labels `job` and `instance`; headers go along, a password as one."""
    monitor = make("churn", task="binary")
    monitor.push_otlp(receiver.endpoint)
    monitor.push_otlp(
        receiver.endpoint.replace("//", "//me:secret@"),
        job="nightly",
        instance="eu-1",
        headers={"X-Scope-OrgID": "shop"},
        check=True,
    )
    resources = [
        {a.key: a.value.string_value for a in request.resource_metrics[0].resource.attributes}
        for _, _, request in receiver.received
    ]
    assert resources == [
        {"service.name": "churn"},
        {"service.name": "nightly", "service.instance.id": "eu-1"},
    ]
    headers = receiver.received[1][1]
    assert headers["Content-Type"] == "application/x-protobuf"
    assert (headers["X-Scope-OrgID"], headers["Authorization"]) == ("shop", "Basic bWU6c2VjcmV0")


@pytest.mark.parametrize("status", [400, 503])
def test_a_receiver_that_refuses_is_counted_and_raises_only_if_asked(
    make: Callable[..., ModelMonitor],
    receiver: Receiver,
    reader: Callable[..., Callable[..., float]],
    status: int,
) -> None:
    """The message names the address, never the password."""
    receiver.status = status
    monitor = make(task="binary", strict=False)
    endpoint = receiver.endpoint.replace("//", "//me:hidden@")
    assert not monitor.push_otlp(endpoint, timeout=0.3)
    with pytest.raises(DeliveryError, match=f"at {receiver.endpoint} did not take") as refused:
        monitor.push_otlp(endpoint, timeout=0.3, check=True)
    assert "hidden" not in str(refused.value)
    assert reader(monitor)("model_exporter_internal_errors_total", stage="delivery") == 1


def test_one_that_is_not_there_costs_no_prediction(make: Callable[..., ModelMonitor]) -> None:
    monitor = make(task="binary", strict=False)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert not monitor.push_otlp(f"http://127.0.0.1:{port}/v1/metrics", timeout=0.3)


def test_a_collector_that_fails_leaves_the_others(
    make: Callable[..., ModelMonitor], receiver: Receiver
) -> None:
    """As in a scrape: one broken gauge of the user's does not blind the model's alerts."""

    class Broken:
        def collect(self) -> Any:
            raise RuntimeError

    monitor = make(task="binary", strict=False)
    monitor.registry._collector_to_names[Broken()] = []  # type: ignore[index]
    assert monitor.push_otlp(receiver.endpoint, check=True)
    names = {name for name, _ in served_by_prometheus(receiver.received[0][2])}
    assert "model_predictions_total" in names


def test_mistakes_are_refused(
    make: Callable[..., ModelMonitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = make(task="binary")
    with pytest.raises(ConfigError, match="endpoint: expected the address of a receiver"):
        monitor.push_otlp("ftp://prometheus", check=True)
    module = "opentelemetry.exporter.otlp.proto.http.metric_exporter"
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=r"pip install model-exporter\[otlp\]"):
        monitor.push_otlp("http://prometheus:9090", check=True)
