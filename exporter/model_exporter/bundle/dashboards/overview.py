"""Models overview: which models need somebody, and why."""

from model_exporter.bundle import links
from model_exporter.bundle.annotations import ANNOTATIONS
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import attention, fleet, judgement, traffic
from model_exporter.bundle.variables import ALL_MODELS

DASHBOARD = dashboard(
    links.OVERVIEW,
    "Models overview",
    description="Every monitored model: traffic, errors, latency, quality, drift, labels, alerts.",
    variables=ALL_MODELS,
    annotations=ANNOTATIONS,
    rows=[fleet.ROW, attention.ROW, traffic.ROW, judgement.ROW],
)
