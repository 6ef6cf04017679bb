"""Data quality: values that are missing, unseen, out of range or of the wrong shape."""

from model_exporter.bundle import links, queries
from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import FEATURE_LEGEND, NO_DRIFT, NO_JOB, NOTHING_WRONG, linked
from model_exporter.bundle.panels import stat, timeseries
from model_exporter.bundle.selectors import MODEL, VERSION, WHOLE, WINDOWED

CHOOSE = linked(
    [links.link("This feature", links.DATA_QUALITY, links.SAME_MODEL + links.FEATURE_OF_SERIES)]
)
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


NOW = Row(
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


def _log(title: str, description: str, *, family: str, empty: str) -> Panel:
    return timeseries(
        title,
        f"{description} The ten features with most in the time range.",
        unit="percentunit",
        queries=[Query(queries.top_gauge(f"{family}{{{WINDOWED}}}", by="feature"), FEATURE_LEGEND)],
        empty=empty,
        overrides=[CHOOSE],
    )


LOG = Row(
    "In the prediction log",
    [
        _log(
            "Missing values",
            "Share of the window's predictions whose feature is missing.",
            family="model_missing_ratio",
            empty=NO_JOB,
        ),
        _log(
            "Unseen categories",
            "Share of the window's values whose category the baseline has not seen.",
            family="model_unseen_ratio",
            empty="No categorical features in exporter.yml and the baseline",
        ),
        _log(
            "Out of range",
            "Share of the window's values beyond the baseline's minimum or maximum; a baseline of"
            " few rows is soon left.",
            family="model_out_of_range_ratio",
            empty=NO_RANGE,
        ),
    ],
)

_MISSING = f"model_feature_missing_total{{{VERSION}}}"
_VALUES = f"model_feature_values_total{{{VERSION}}}"

SERVERS = Row(
    "In the model servers",
    [
        timeseries(
            "Missing, as served",
            "Share of the values that were None, NaN or absent, of the ten features with most: the"
            " newest values, without waiting for the log.",
            unit="percentunit",
            queries=[
                Query(
                    queries.top(
                        f"{queries.rate(_MISSING, by='feature')}"
                        f" / ({queries.rate(_VALUES, by='feature')} > 0)",
                        f"sum by (feature) (increase({_MISSING}[$__range] @ end()))",
                        by="feature",
                    ),
                    FEATURE_LEGEND,
                )
            ],
            empty=NO_VALUES,
            overrides=[CHOOSE],
        ),
        timeseries(
            "Invalid values by reason",
            "Values per second that the model servers found invalid, of the ten commonest pairs of"
            " feature and reason in the time range.",
            unit="cps",
            queries=[
                Query(
                    queries.top_rate(
                        f"model_feature_invalid_total{{{VERSION}}}", by="feature, reason"
                    ),
                    "{{feature}} {{reason}}",
                )
            ],
            empty=NOTHING_WRONG,
            overrides=[CHOOSE],
        ),
        timeseries(
            "Schema mismatches",
            "Rows per second that lacked a feature of the baseline, or had a column beyond it: the"
            " ten commonest in the time range.",
            unit="cps",
            queries=[
                Query(
                    queries.top_rate(
                        f"model_schema_mismatch_total{{{VERSION}}}", by="feature, reason"
                    ),
                    "{{feature}} {{reason}}",
                )
            ],
            empty=NOTHING_WRONG,
        ),
    ],
)

FRESHNESS = Row(
    "Freshness and volume",
    [
        timeseries(
            "Age of inputs and predictions",
            "Time since the event time of the newest input, the newest call, and the newest"
            " prediction in the log. They part where a pipe is blocked.",
            unit="s",
            queries=[
                Query(f"time() - max(model_input_timestamp_seconds{{{VERSION}}})", "input"),
                Query(
                    f"time() - max(model_last_prediction_timestamp_seconds{{{VERSION}}})", "call"
                ),
                Query(f"time() - max(model_newest_prediction_timestamp_seconds{{{MODEL}}})", "log"),
            ],
            empty=NO_JOB,
        ),
        timeseries(
            "Volume of the window",
            "Predictions in the chosen window, and a week before.",
            unit="short",
            queries=[
                Query(f"max(model_window_predictions{{{WHOLE}}})", "now"),
                Query(f"max(model_window_predictions{{{WHOLE}}} offset 1w)", "a week before"),
            ],
            empty=NO_JOB,
        ),
        timeseries(
            "Refused records by reason",
            "Records per second that the exporter job could not use: without the id, timestamp,"
            " prediction or label that is named, or with one of another type.",
            unit="cps",
            queries=[
                Query(
                    queries.top_rate(f"model_source_invalid_total{{{MODEL}}}", by="source, reason"),
                    "{{source}} {{reason}}",
                )
            ],
            empty=NONE_REFUSED,
        ),
    ],
)
