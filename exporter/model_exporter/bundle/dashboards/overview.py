"""Models overview: which models are up, used, quick, right, and fed as they were trained."""

from model_exporter.bundle import links
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import attention, judgement, now, serving
from model_exporter.bundle.variables import COMMON

DASHBOARD = dashboard(
    links.OVERVIEW,
    "Models overview",
    description="Every monitored model: traffic, errors, latency, quality, drift and alerts.",
    variables=COMMON,
    rows=[now.ROW, attention.ROW, serving.ROW, judgement.ROW],
)
