"""One feature: when it is missing or invalid, and why."""

from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_JOB, NOTHING_WRONG
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import VERSION

ONE = f'{VERSION}, feature="$feature"'
VALUES = f"sum(rate(model_feature_values_total{{{ONE}}}[$__rate_interval])) > 0"

ROW = Row(
    "Feature: $feature",
    [
        timeseries(
            "Missing by window",
            "Share of the window's predictions whose chosen feature is missing, in every window: a"
            " short one that is above the long ones has just begun.",
            unit="percentunit",
            queries=[Query(f"max by (window) (model_missing_ratio{{{ONE}}})", "{{window}}")],
            empty=NO_JOB,
            width=12,
        ),
        timeseries(
            "Invalid by reason",
            "Share of the chosen feature's values that the model servers found invalid.",
            unit="percentunit",
            queries=[
                Query(
                    "sum by (reason)"
                    f" (rate(model_feature_invalid_total{{{ONE}}}[$__rate_interval]))"
                    f" / on () group_left () ({VALUES})",
                    "{{reason}}",
                )
            ],
            empty=NOTHING_WRONG,
            width=12,
        ),
    ],
)
