"""The dashboards, one file each; listed here, not registered by import."""

from model_exporter.bundle.dashboards import overview, quality
from model_exporter.bundle.grafana import Json

DASHBOARDS: dict[str, Json] = {
    "models-overview.json": overview.DASHBOARD,
    "model-quality-drift.json": quality.DASHBOARD,
}
"""Dashboard by file name under dashboards/."""
