"""Drift: how far inputs and outputs have moved from the baseline."""

from model_exporter.bundle import thresholds
from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import (
    COLOURED_TEXT,
    FEATURE_LEGEND,
    NO_DRIFT,
    PSI_HELP,
    PSI_STEPS,
    SUBJECT_LEGEND,
    merged,
    override,
)
from model_exporter.bundle.panels import table, timeseries
from model_exporter.bundle.selectors import FEATURE_DRIFT, PER_MODEL, RECORDED, WINDOWED

TOP = f"topk(20, max by ({PER_MODEL}, feature) (model_drift_psi{{{FEATURE_DRIFT}}}))"
ROWS = f"max by ({PER_MODEL}, feature) (model_drift_rows{{{FEATURE_DRIFT}}})"

MOST_DRIFTED = table(
    "Most drifted features",
    "The twenty features with the largest PSI, and the rows it rests on.",
    unit="none",
    queries=[Query(TOP), Query(f"{ROWS} and {TOP}")],
    empty=NO_DRIFT,
    width=8,
    transformations=[
        *merged(
            rename={
                "feature": "Feature",
                "Value #A": "PSI",
                "Value #B": "Rows",
                "model_name": "Model",
                "model_version": "Version",
            }
        ),
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"desc": True, "field": "PSI"}]}},
    ],
    overrides=[
        override("PSI", {"decimals": 3, "thresholds": PSI_STEPS, **COLOURED_TEXT}),
        override("Rows", {"unit": "short"}),
    ],
)

FROM_SERVERS = timeseries(
    "PSI from the model servers, last hour",
    "Recorded by Prometheus from the counters of the model servers, summed over replicas; needs no"
    f" exporter job. Absent below {thresholds.DRIFT_ROWS} rows an hour.",
    unit="none",
    queries=[Query(f"model_version_feature:model_drift_psi:1h{{{RECORDED}}}", SUBJECT_LEGEND)],
    empty="no baseline in the model servers, or too few rows",
    width=24,
    marks=PSI_STEPS,
)


def _lines(title: str, description: str, *, query: Query, psi: bool = False) -> Panel:
    return timeseries(
        title,
        description,
        unit="none",
        queries=[query],
        empty=NO_DRIFT,
        marks=PSI_STEPS if psi else None,
    )


ROW = Row(
    "Drift",
    [
        timeseries(
            "PSI by feature",
            "Population stability index of each feature against the baseline, from the prediction"
            " log." + PSI_HELP,
            unit="none",
            queries=[Query(f"model_drift_psi{{{FEATURE_DRIFT}}}", FEATURE_LEGEND)],
            empty=NO_DRIFT,
            width=16,
            marks=PSI_STEPS,
        ),
        MOST_DRIFTED,
        _lines(
            "PSI of predictions and labels",
            "Population stability index of predictions, scores and labels against the baseline."
            " Predictions that move while the features stay point at the model itself.",
            query=Query(f'model_drift_psi{{{WINDOWED}, subject!="feature"}}', SUBJECT_LEGEND),
            psi=True,
        ),
        _lines(
            "Kolmogorov-Smirnov statistic",
            "Largest distance of the distribution functions of window and baseline, 0 to 1.",
            query=Query(f"model_drift_ks{{{FEATURE_DRIFT}}}", FEATURE_LEGEND),
        ),
        _lines(
            "Jensen-Shannon distance",
            "Distance of window and baseline on the baseline's bins, base 2, 0 to 1.",
            query=Query(f"model_drift_js_distance{{{FEATURE_DRIFT}}}", FEATURE_LEGEND),
        ),
        FROM_SERVERS,
    ],
)
