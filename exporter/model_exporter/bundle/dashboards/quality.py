"""Model quality and drift: how good a model is, and whether its data has moved."""

from model_exporter.bundle import links
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import drift, feature, inputs, labels, outputs, scores
from model_exporter.bundle.variables import COMMON, FEATURE

DASHBOARD = dashboard(
    links.QUALITY,
    "Model quality and drift",
    description="Labels, scores with their confidence intervals, drift and data quality.",
    variables=[*COMMON, FEATURE],
    rows=[labels.ROW, scores.ROW, drift.ROW, inputs.ROW, outputs.ROW, feature.ROW],
)
