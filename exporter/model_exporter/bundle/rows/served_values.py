"""Values in the model servers: missing, invalid, of another shape."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import FEATURE_LEGEND, NOTHING_WRONG
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.rows.logged_values import CHOOSE
from model_exporter.bundle.rows.quality_of_data import NO_VALUES
from model_exporter.bundle.selectors import VERSION

_MISSING = f"model_feature_missing_total{{{VERSION}}}"
_VALUES = f"model_feature_values_total{{{VERSION}}}"

ROW = Row(
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
