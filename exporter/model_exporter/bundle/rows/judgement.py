"""Judgement: quality, coverage and drift of every model over time, one line each."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    BOUND_STYLE,
    NO_DRIFT,
    NO_LABELS,
    PSI_HELP,
    PSI_STEPS,
    VERSION_LEGEND,
)
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import WHOLE

ROW = Row(
    "Quality and drift",
    [
        timeseries(
            "Accuracy of classifiers",
            "Share of labelled predictions that were right, in the chosen window. Dotted: the ends"
            " of the 95 % confidence interval.",
            unit="percentunit",
            queries=[
                Query(f"model_accuracy_ratio{{{WHOLE}}}", VERSION_LEGEND),
                Query(f"model_accuracy_ratio_lower{{{WHOLE}}}", f"{VERSION_LEGEND} lower"),
                Query(f"model_accuracy_ratio_upper{{{WHOLE}}}", f"{VERSION_LEGEND} upper"),
            ],
            empty=NO_LABELS,
            overrides=[BOUND_STYLE],
        ),
        timeseries(
            "Label coverage over time",
            "Share of the window's predictions that have a label by now.",
            unit="percentunit",
            queries=[Query(queries.COVERAGE, VERSION_LEGEND)],
            empty=NO_LABELS,
            top=1,
        ),
        timeseries(
            "Worst feature drift over time",
            "Largest population stability index of any feature, in the chosen window." + PSI_HELP,
            unit="none",
            queries=[Query(queries.WORST_PSI, VERSION_LEGEND)],
            empty=NO_DRIFT,
            marks=PSI_STEPS,
        ),
    ],
)
