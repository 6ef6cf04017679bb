"""Data quality: whether what one model is fed is whole, known and fresh."""

from model_exporter.bundle import links
from model_exporter.bundle.annotations import ANNOTATIONS
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import (
    feature_quality,
    freshness,
    logged_values,
    quality_of_data,
    served_values,
)
from model_exporter.bundle.variables import FEATURE, ONE_VERSION

DASHBOARD = dashboard(
    links.DATA_QUALITY,
    "Data quality",
    description=(
        "Values that are missing, unseen, out of range or malformed, and how fresh they are."
    ),
    variables=[*ONE_VERSION, FEATURE],
    annotations=ANNOTATIONS,
    since="now-7d",
    rows=[
        quality_of_data.ROW,
        logged_values.ROW,
        served_values.ROW,
        feature_quality.ROW,
        freshness.ROW,
    ],
)
