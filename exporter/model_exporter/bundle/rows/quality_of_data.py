"""Data quality now: the worst of each kind."""

from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import NO_DRIFT, NO_JOB
from model_exporter.bundle.panels import stat
from model_exporter.bundle.selectors import MODEL, VERSION, WINDOWED

NO_VALUES = "No baseline: without ModelMonitor(..., baseline=...) no feature is watched"
NO_RANGE = "No values: numeric features of the baseline need log_features=[...] of ModelMonitor"
NONE_REFUSED = "None refused: every record could be used"
NO_TIME = "No event time: name it by ModelMonitor(..., event_time=...)"


def _worst(title: str, what: str, *, family: str, empty: str) -> Panel:
    return stat(
        title,
        f"Of all features, the largest share of the window's values that are {what}.",
        unit="percentunit",
        query=Query(f"max({family}{{{WINDOWED}}})"),
        empty=empty,
    )


ROW = Row(
    "Now",
    [
        _worst("Worst missing", "missing", family="model_missing_ratio", empty=NO_JOB),
        _worst(
            "Worst unseen",
            "of a category that the baseline has not seen",
            family="model_unseen_ratio",
            empty=NO_DRIFT,
        ),
        _worst(
            "Worst out of range",
            "beyond the baseline's minimum or maximum",
            family="model_out_of_range_ratio",
            empty=NO_RANGE,
        ),
        stat(
            "Invalid values",
            "Values per second that the model servers found out of range, unseen, of another type,"
            " infinite, or against a declared constraint.",
            unit="cps",
            query=Query(f"sum(rate(model_feature_invalid_total{{{VERSION}}}[$__rate_interval]))"),
            empty=NO_VALUES,
        ),
        stat(
            "Refused records",
            "Records of predictions and labels that the exporter job could not use, in the time"
            " range.",
            unit="short",
            query=Query(f"sum(increase(model_source_invalid_total{{{MODEL}}}[$__range]))"),
            empty=NONE_REFUSED,
        ),
        stat(
            "Age of newest input",
            "Time since the event time of the newest input: how stale what the model is fed is.",
            unit="s",
            query=Query(f"time() - max(model_input_timestamp_seconds{{{VERSION}}})"),
            empty=NO_TIME,
        ),
    ],
)
