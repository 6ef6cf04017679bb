"""Serving: whether models answer, how fast, and what that takes."""

from model_exporter.bundle import links
from model_exporter.bundle.annotations import ANNOTATIONS
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import calls, latency, process, slo
from model_exporter.bundle.variables import ALL_MODELS, LATENCY_TARGET, OBJECTIVE

DASHBOARD = dashboard(
    links.SERVING,
    "Serving",
    description=(
        "Rate, errors, duration, size of calls, the error budget, and what the processes take."
    ),
    variables=[*ALL_MODELS, OBJECTIVE, LATENCY_TARGET],
    annotations=ANNOTATIONS,
    rows=[calls.NOW, latency.ROW, calls.CALLS, slo.ROW, process.ROW],
)
