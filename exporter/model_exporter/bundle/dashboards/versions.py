"""Versions: whether a challenger is better than the champion, beyond chance."""

from model_exporter.bundle import links
from model_exporter.bundle.annotations import ANNOTATIONS
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import version_difference, version_outputs, version_traffic
from model_exporter.bundle.variables import ONE_MODEL, SCORE

DASHBOARD = dashboard(
    links.VERSIONS,
    "Versions",
    description=(
        "The versions of one model beside each other: traffic, quality, inputs and outputs."
    ),
    variables=[*ONE_MODEL, SCORE],
    annotations=ANNOTATIONS,
    since="now-7d",
    rows=[version_traffic.ROW, version_difference.ROW, version_outputs.ROW],
)
