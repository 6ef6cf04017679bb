"""Drift over time, beside what often explains it: missing values, new values, volume."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    CRITICAL_HELP,
    CRITICAL_STEPS,
    FEATURE_LEGEND,
    NO_DRIFT,
    NO_JOB,
    PSI_HELP,
    PSI_STEPS,
)
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import FEATURE_DRIFT, OUTPUT_DRIFT, WHOLE, WINDOWED

RATIOS = timeseries(
    "Drift by feature over time",
    "The ten features that have moved most by the end of the time range." + CRITICAL_HELP,
    unit="none",
    queries=[
        Query(
            queries.top_now(queries.DRIFT_BY_FEATURE, by="model_name, model_version, feature"),
            FEATURE_LEGEND,
        )
    ],
    empty=NO_DRIFT,
    width=12,
    marks=CRITICAL_STEPS,
)
OUTPUTS = timeseries(
    "PSI of predictions, scores and labels",
    "Population stability index against the baseline." + PSI_HELP,
    unit="none",
    queries=[Query(f"max by (subject) (model_drift_psi{{{OUTPUT_DRIFT}}})", "{{subject}}")],
    empty=NO_DRIFT,
    width=12,
    marks=PSI_STEPS,
)
MISSING = timeseries(
    "Most missing features",
    "Share of the window's predictions whose feature is missing, of the ten features with most."
    " Missing values are no bin: drift does not see them.",
    unit="percentunit",
    queries=[
        Query(queries.top_gauge(f"model_missing_ratio{{{WINDOWED}}}", by="feature"), FEATURE_LEGEND)
    ],
    empty=NO_JOB,
)
UNSEEN = timeseries(
    "Unseen or out of range",
    "Share of the window's values whose category the baseline has not seen, or that are beyond its"
    " minimum or maximum, of the ten features with most.",
    unit="percentunit",
    queries=[
        Query(
            queries.top_gauge(f"model_unseen_ratio{{{WINDOWED}}}", by="feature"),
            "{{feature}} unseen",
        ),
        Query(
            queries.top_gauge(f"model_out_of_range_ratio{{{WINDOWED}}}", by="feature"),
            "{{feature}} out of range",
        ),
    ],
    empty=NO_DRIFT,
)
VOLUME = timeseries(
    "Volume",
    "Predictions in the window, and the values of the feature with the fewest among them.",
    unit="short",
    queries=[
        Query(f"max(model_window_predictions{{{WHOLE}}})", "predictions"),
        Query(f"min(model_drift_rows{{{FEATURE_DRIFT}}})", "values of the rarest feature"),
    ],
    empty=NO_JOB,
)

ROW = Row("Over time", [RATIOS, OUTPUTS, MISSING, UNSEEN, VOLUME])
