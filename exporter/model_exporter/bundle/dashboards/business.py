"""Business: what one model is worth."""

from model_exporter.bundle import links
from model_exporter.bundle.annotations import ANNOTATIONS
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import business_measures, business_segments, business_value
from model_exporter.bundle.variables import ONE_MODEL, SEGMENT

DASHBOARD = dashboard(
    links.BUSINESS,
    "Business",
    description="What the predictions of one model are worth, and what the business counts.",
    variables=[*ONE_MODEL, SEGMENT],
    annotations=ANNOTATIONS,
    since="now-7d",
    rows=[business_value.ROW, business_measures.ROW, business_segments.ROW],
)
