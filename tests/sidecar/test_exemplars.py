"""A scrape in OpenMetrics leads from the latency to a trace, if OpenTelemetry is there."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from prometheus_client.exposition import generate_latest as text
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from model_exporter import ModelMonitor
from model_exporter.sidecar.exemplars import TRACE, TRIES

Make = Callable[..., ModelMonitor]
TRACER = TracerProvider(sampler=ALWAYS_ON).get_tracer("test")
UNSAMPLED = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")


def exemplars(monitor: ModelMonitor) -> list[Any]:
    """Scrape; return the buckets' labels and exemplars."""
    families = text_string_to_metric_families(openmetrics(monitor.registry).decode())
    return [
        (sample.labels, sample.exemplar)
        for f in families
        for sample in f.samples
        if sample.exemplar
    ]


@pytest.mark.parametrize("batch", [False, True])
def test_the_latency_has_the_trace_of_a_call(make: Make, clock: Any, batch: bool) -> None:
    """In the bucket of that call, of its model only; of one call a scrape, the first traced."""
    monitor = make(task="binary")
    make("other", task="binary", registry=monitor.registry)

    @monitor(batch=batch)
    def predict(rows: Any) -> Any:
        clock.advance(0.3)
        return [1] if batch else 1

    assert exemplars(monitor) == []  # the first scrape arms
    predict([1])
    with TRACER.start_as_current_span("first") as span:
        predict([1])
    with TRACER.start_as_current_span("second"):
        predict([1])
    ((labels, exemplar),) = exemplars(monitor)
    assert (labels["model_name"], labels["le"]) == ("m", "0.5")
    assert exemplar.value == pytest.approx(0.3)
    assert exemplar.labels == {
        "trace_id": format(span.get_span_context().trace_id, "032x"),
        "span_id": format(span.get_span_context().span_id, "016x"),
    }
    assert b"trace_id" not in text(monitor.registry)


def test_only_sampled_spans_of_the_first_calls(make: Make) -> None:
    """A span that is kept nowhere is no exemplar, and looking for others ends."""
    monitor = make(task="binary")
    predict = monitor(lambda row: 1)
    exemplars(monitor)
    for _ in range(TRIES):
        with UNSAMPLED.start_as_current_span("unsampled"):
            predict(1)
    with TRACER.start_as_current_span("late"):
        predict(1)
    assert exemplars(monitor) == []
    with TRACER.start_as_current_span("after the next scrape"):
        predict(1)
    assert len(exemplars(monitor)) == 1


def test_without_opentelemetry_no_call_looks(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder is not armed: calls go their usual way."""
    monkeypatch.delitem(sys.modules, TRACE)
    monitor = make(task="binary")
    predict = monitor(lambda row: 1)
    predict(1)
    limit = monitor._pipeline.recorder.limit
    exemplars(monitor)
    assert monitor._pipeline.recorder.limit == limit > 0
    with trace.use_span(TRACER.start_span("span")):
        predict(1)
    assert exemplars(monitor) == []


def test_a_span_that_fails_costs_no_prediction(
    make: Make, monkeypatch: pytest.MonkeyPatch, reader: Callable[..., Any]
) -> None:
    """It is counted as an error of ours, and the next call is recorded."""
    monitor = make(task="binary", strict=False)
    predict = monitor(lambda row: 1)
    exemplars(monitor)
    monkeypatch.setattr(trace, "get_current_span", lambda: None)
    for _ in range(TRIES + 1):
        assert predict(1) == 1
    assert reader(monitor)("model_prediction_requests_total") == TRIES + 1
