"""The trace of a call now and then, as the exemplar of its latency: from a graph to a trace.

Without OpenTelemetry in the process this costs nothing, and with it nothing in most calls: a
scrape arms the recorder, whose next few calls go the way of a full buffer, and there the span is
looked at. So there is a new exemplar a scrape at most, which is all that Prometheus keeps.
"""

import sys
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.samples import Exemplar

from model_exporter.sidecar.clock import Clock
from model_exporter.sidecar.faults import Stage
from model_exporter.sidecar.recorder import Recorder

TRACE = "opentelemetry.trace"
"""Looked up among the imported modules and never imported: whoever has spans has imported it."""
TRIES = 16
"""Calls looked at after a scrape, for most may not be sampled by the tracer."""
NS = 1e-9


class Traced(NamedTuple):
    """A call within a sampled span."""

    seconds: float
    labels: dict[str, str]
    unix_seconds: float


class Exemplars:
    """Takes exemplars from a recorder's calls.

    Attributes
    ----------
    newest
        The last call that had a span; None before the first.
    """

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self.reset()
        recorder.sample = self.sample

    def reset(self) -> None:
        """Forget everything."""
        self.newest: Traced | None = None
        self._tries = 0

    def arm(self) -> None:
        """Look for a new exemplar among the next calls."""
        if TRACE in sys.modules:
            self._tries = TRIES
            self._recorder.ask_always()

    def sample(self, latency_ns: int) -> bool:
        """Look at the span that the ending call is in; return whether to look at the next, too."""
        if self._tries <= 0:
            return False
        self._tries -= 1
        try:
            labels = _span()
        except Exception as error:  # the call itself is still to be recorded
            self._recorder.faults.error(Stage.RECORD, error)
            labels = None
        if labels is None:
            return self._tries > 0
        self.newest = Traced(latency_ns * NS, labels, self._clock.wall_ns() * NS)
        self._tries = 0
        return False


def _span() -> dict[str, str] | None:
    """Return the ids of the current span, if it is sampled: others are kept nowhere."""
    trace = sys.modules.get(TRACE)
    if trace is None:
        return None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid or not context.trace_flags.sampled:
        return None
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def attach(metric: Metric, traced: Traced, labels: dict[str, str]) -> None:
    """Attach an exemplar to the bucket, of a histogram with these labels, that it is in."""
    exemplar = Exemplar(traced.labels, traced.seconds, traced.unix_seconds)
    for i, sample in enumerate(metric.samples):
        edge = sample.labels.get("le")
        if edge is None or not labels.items() <= sample.labels.items():
            continue
        if traced.seconds <= float(edge):
            metric.samples[i] = sample._replace(exemplar=exemplar)
            return
