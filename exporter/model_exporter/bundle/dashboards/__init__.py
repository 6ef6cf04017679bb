"""The dashboards, one file each; listed here, not registered by import."""

from model_exporter.bundle.dashboards import (
    business,
    data_quality,
    drift,
    monitoring_health,
    overview,
    quality,
    serving,
    versions,
)
from model_exporter.bundle.grafana import Json

DASHBOARDS: dict[str, Json] = {
    "models-overview.json": overview.DASHBOARD,
    "model-quality.json": quality.DASHBOARD,
    "model-drift.json": drift.DASHBOARD,
    "model-serving.json": serving.DASHBOARD,
    "model-data-quality.json": data_quality.DASHBOARD,
    "model-versions.json": versions.DASHBOARD,
    "model-business.json": business.DASHBOARD,
    "model-monitoring-health.json": monitoring_health.DASHBOARD,
}
"""Dashboard by file name under dashboards/."""
