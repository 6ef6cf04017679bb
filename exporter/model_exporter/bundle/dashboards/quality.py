"""Model quality: how good one model is, and how sure that is."""

from model_exporter.bundle import links
from model_exporter.bundle.annotations import ANNOTATIONS
from model_exporter.bundle.grafana import dashboard
from model_exporter.bundle.rows import (
    classification,
    estimates,
    labels,
    mistakes,
    own_scores,
    regression,
    scorecard,
    segments,
)
from model_exporter.bundle.variables import ONE_VERSION, SEGMENT

DASHBOARD = dashboard(
    links.QUALITY,
    "Model quality",
    description=(
        "How good one model is: scores with intervals, labels, mistakes, segments, estimates."
    ),
    variables=[*ONE_VERSION, SEGMENT],
    annotations=ANNOTATIONS,
    since="now-7d",
    rows=[
        scorecard.ROW,
        classification.ROW,
        regression.ROW,
        mistakes.ROW,
        labels.ROW,
        segments.ROW,
        estimates.ROW,
        own_scores.ROW,
    ],
)
