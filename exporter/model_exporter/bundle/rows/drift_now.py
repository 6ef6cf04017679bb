"""Drift now: how much of what the model reads and says has moved."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    ANY,
    CRITICAL_HELP,
    CRITICAL_STEPS,
    DRIFTED,
    NO_DRIFT,
    NOT_TESTED,
)
from model_exporter.bundle.panels import stat
from model_exporter.bundle.selectors import FEATURE_DRIFT, OUTPUT_DRIFT

ROW = Row(
    "Now",
    [
        stat(
            "Drifted features",
            "Features that the drift test takes for moved, in the chosen window: beyond tolerance"
            " and chance, at the configured rate of false alarms.",
            unit="short",
            query=Query(f"sum({queries.DRIFTED_FEATURES})"),
            empty=NOT_TESTED,
            marks=ANY,
        ),
        stat(
            "Tested features",
            "Features with enough values in the window for the test to say anything.",
            unit="short",
            query=Query(f"count({queries.DRIFTED_FEATURES})"),
            empty=NOT_TESTED,
        ),
        stat(
            "Worst feature",
            "Of all features, the largest" + CRITICAL_HELP,
            unit="none",
            query=Query(f"max({queries.DRIFT_BY_FEATURE})"),
            empty=NOT_TESTED,
            marks=CRITICAL_STEPS,
            decimals=2,
        ),
        stat(
            "Predictions",
            "Whether predictions, scores or labels have moved. Predictions that move while the"
            " features stay point at the model itself, or at a feature nobody watches.",
            unit="none",
            query=Query(f"max(model_drift_detected{{{OUTPUT_DRIFT}}})"),
            empty=NOT_TESTED,
            marks=ANY,
            mappings=[DRIFTED],
        ),
        stat(
            "Values in window",
            "Values of the feature with the fewest, in the chosen window.",
            unit="short",
            query=Query(f"min(model_drift_rows{{{FEATURE_DRIFT}}})"),
            empty=NO_DRIFT,
        ),
        stat(
            "Minimum of values",
            "Values that a window must hold before the drift test says anything"
            " (`drift: minimum_rows`).",
            unit="short",
            query=Query(f"max(model_drift_minimum_rows{{{FEATURE_DRIFT}}})"),
            empty=NO_DRIFT,
        ),
    ],
)
