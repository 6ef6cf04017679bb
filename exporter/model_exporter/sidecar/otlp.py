"""Hands the metrics of a batch job to a receiver of OpenTelemetry's protocol (OTLP over HTTP).

Prometheus's receiver makes names of its own: it appends the unit, and `_total` to what only grows
and lacks it. Under their full names and without a unit ours stay as they are.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.samples import Sample

from model_exporter.errors import ConfigError, DeliveryError
from model_exporter.sidecar.deliver import address_of
from model_exporter.sidecar.gather import collected

SCOPE = "model_exporter"
RECEIVER = "a receiver, such as http://prometheus:9090/api/v1/otlp/v1/metrics"
UNKNOWN_START = 0
"""Nobody has written down when counting began; 0 says so."""

Attributes = Mapping[str, str]


def push(
    registry: CollectorRegistry,
    endpoint: str,
    *,
    resource: Attributes,
    headers: Mapping[str, str],
    timeout: float,
    now_ns: int,
) -> None:
    """Send the metrics of a registry once, by OpenTelemetry's own exporter.

    Raises
    ------
    ConfigError
        If the address is refused, or the exporter is not installed.
    DeliveryError
        If the receiver does not take them.
    """
    address, authorization = address_of("endpoint", endpoint, of=RECEIVER)
    exporter = _exporter()(endpoint=address, headers={**authorization, **headers}, timeout=timeout)
    try:
        data = metrics_data(collected(registry), resource=resource, now_ns=now_ns)
        result = exporter.export(data)
    finally:
        exporter.shutdown()
    if result.name != "SUCCESS":
        raise DeliveryError(
            f"the receiver at {address} did not take the metrics; the logger "
            "'opentelemetry.exporter' has what it said; is it up, and is this its address?"
        )


def _exporter() -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    except ImportError as error:
        raise ConfigError(
            "push_otlp needs OpenTelemetry's exporter, which is not installed; "
            "`pip install model-exporter[otlp]`"
        ) from error
    return OTLPMetricExporter


def metrics_data(families: Iterable[Metric], *, resource: Attributes, now_ns: int) -> Any:
    """Return families in OpenTelemetry's terms, each series under its name in Prometheus.

    Counters become cumulative sums, histograms stay histograms; every other sample, such as those
    of a summary, is a gauge. `_created` is left out.
    """
    from opentelemetry.sdk.metrics import export as otel
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    metrics = [metric for family in families for metric in _metrics(family, now_ns)]
    scope = otel.ScopeMetrics(InstrumentationScope(SCOPE), metrics, schema_url="")
    return otel.MetricsData([otel.ResourceMetrics(Resource(dict(resource)), [scope], "")])


def _metrics(family: Metric, now_ns: int) -> list[Any]:
    from opentelemetry.sdk.metrics import export as otel

    cumulative = otel.AggregationTemporality.CUMULATIVE
    if family.type == "histogram":
        points = [_histogram(*series, now_ns) for series in _series(family.samples)]
        data: Any = otel.Histogram(points, cumulative)
        return [otel.Metric(family.name, family.documentation, "", data)]
    by_name: dict[str, list[Any]] = {}
    for sample in family.samples:
        if not sample.name.endswith("_created"):
            point = otel.NumberDataPoint(sample.labels, UNKNOWN_START, now_ns, float(sample.value))
            by_name.setdefault(sample.name, []).append(point)
    make: Callable[[Any], Any] = otel.Gauge
    if family.type == "counter":
        make = lambda points: otel.Sum(points, cumulative, is_monotonic=True)  # noqa: E731
    return [
        otel.Metric(name, family.documentation, "", make(points))
        for name, points in by_name.items()
    ]


def _series(samples: Iterable[Sample]) -> Iterable[tuple[Attributes, dict[str, float], Any]]:
    """Return labels, cumulative counts by edge, and the sum or None, of each histogram."""
    found: dict[tuple[tuple[str, str], ...], tuple[dict[str, float], list[float]]] = {}
    for sample in samples:
        labels = tuple((name, text) for name, text in sample.labels.items() if name != "le")
        buckets, total = found.setdefault(labels, ({}, []))
        if sample.name.endswith("_bucket"):
            buckets[sample.labels["le"]] = sample.value
        elif sample.name.endswith("_sum"):
            total.append(sample.value)
    for labels, (buckets, total) in found.items():
        yield dict(labels), buckets, total[0] if total else None


def _histogram(labels: Attributes, buckets: Mapping[str, float], total: Any, now_ns: int) -> Any:
    from opentelemetry.sdk.metrics import export as otel

    reached = [int(count) for count in buckets.values()]
    unknown: Any = None
    return otel.HistogramDataPoint(
        attributes=labels,
        start_time_unix_nano=UNKNOWN_START,
        time_unix_nano=now_ns,
        count=reached[-1],
        sum=total,
        bucket_counts=[n - below for n, below in zip(reached, [0, *reached], strict=False)],
        explicit_bounds=[float(edge) for edge in buckets if edge != "+Inf"],
        min=unknown,
        max=unknown,
    )
