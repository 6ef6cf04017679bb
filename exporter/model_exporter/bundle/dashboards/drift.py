"""Drift: whether what one model reads and says has moved from its baseline."""

from model_exporter.bundle import links
from model_exporter.bundle.annotations import ANNOTATIONS
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import (
    drift_now,
    drift_of_servers,
    drift_over_time,
    drift_statistics,
    drifted,
    feature,
)
from model_exporter.bundle.variables import FEATURE, ONE_VERSION

DASHBOARD = dashboard(
    links.DRIFT,
    "Drift",
    description=(
        "Whether what one model reads and says has moved from its baseline, and which feature."
    ),
    variables=[*ONE_VERSION, FEATURE],
    annotations=ANNOTATIONS,
    since="now-7d",
    rows=[
        drift_now.ROW,
        drifted.ROW,
        feature.ROW,
        drift_over_time.ROW,
        drift_statistics.ROW,
        drift_of_servers.ROW,
    ],
)
