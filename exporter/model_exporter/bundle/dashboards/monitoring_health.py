"""Monitoring health: whether the other dashboards can be trusted."""

from model_exporter.bundle import links
from model_exporter.bundle.annotations import ANNOTATIONS
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import cost, health_now, health_of_job, health_of_servers
from model_exporter.bundle.variables import ALL_MODELS

DASHBOARD = dashboard(
    links.MONITORING_HEALTH,
    "Monitoring health",
    description="Whether the monitoring itself works: targets, sources, evaluation, labels, cost.",
    variables=ALL_MODELS,
    annotations=ANNOTATIONS,
    rows=[
        health_now.ROW,
        health_of_job.READING,
        health_of_job.EVALUATING,
        health_of_servers.ROW,
        cost.ROW,
        cost.SERIES,
    ],
)
