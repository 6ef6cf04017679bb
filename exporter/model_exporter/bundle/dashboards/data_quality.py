"""Data quality: whether what one model is fed is whole, known and fresh."""

from model_exporter.bundle import links
from model_exporter.bundle.annotations import ANNOTATIONS
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import data_quality, feature_quality
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
        data_quality.NOW,
        data_quality.LOG,
        data_quality.SERVERS,
        feature_quality.ROW,
        data_quality.FRESHNESS,
    ],
)
