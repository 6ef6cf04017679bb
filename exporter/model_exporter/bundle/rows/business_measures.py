"""Measures: what the business counts."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import BOUND_STYLE
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.rows.worth import NO_COUNT, NO_MEASURE, means, top
from model_exporter.bundle.selectors import VERSION

ROW = Row(
    "Measures of the business",
    [
        timeseries(
            "Measure of a prediction",
            "Mean of each measure over the labelled predictions that have it, and dotted the ends"
            " of its 95 % confidence interval.",
            unit="short",
            queries=means(
                (
                    "model_business_mean",
                    "model_business_mean_lower",
                    "model_business_mean_upper",
                ),
                by="model_version, measure",
                legend="{{model_version}} {{measure}}",
            ),
            empty=NO_MEASURE,
            lowest=None,
            overrides=[BOUND_STYLE],
        ),
        timeseries(
            "Measures of the window",
            "Sum of each measure over the labelled predictions in the window, in its own unit.",
            unit="short",
            queries=top(
                "model_window_business",
                by="model_version, measure",
                legend="{{model_version}} {{measure}}",
            ),
            empty=NO_MEASURE,
            lowest=None,
        ),
        timeseries(
            "Counted at the model",
            "What the model's process counted with monitor.business(...), per second, in the unit"
            " of each measure; needs neither log nor labels.",
            unit="short",
            queries=[
                Query(
                    queries.top_rate(
                        f"model_business_total{{{VERSION}}}", by="model_version, measure"
                    ),
                    "{{model_version}} {{measure}}",
                )
            ],
            empty=NO_COUNT,
        ),
    ],
)
