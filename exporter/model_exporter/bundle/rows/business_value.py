"""Value: what the predictions of a model are worth."""

from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import BOUND_STYLE, NO_LABELS
from model_exporter.bundle.panels import stat, timeseries
from model_exporter.bundle.rows.worth import NO_COUNT, NO_MEASURE, NO_VALUE, means, top
from model_exporter.bundle.selectors import VERSION, WHOLE

VERSION_ONLY = "{{model_version}}"

ROW = Row(
    "Value of predictions",
    [
        stat(
            "Value in window",
            "What the labelled predictions in the window are worth by the configured values, in"
            " their unit; of all chosen versions.",
            unit="short",
            query=Query(f"sum(max by (model_version) (model_window_value{{{WHOLE}}}))"),
            empty=NO_VALUE,
            width=6,
        ),
        stat(
            "Labelled predictions",
            "Labelled predictions in the window that it is the value of; predictions without a"
            " label are worth nothing yet.",
            unit="short",
            query=Query(
                f"sum(max by (model_version) (model_window_labeled_predictions{{{WHOLE}}}))"
            ),
            empty=NO_LABELS,
            width=6,
        ),
        stat(
            "Measured in window",
            "Sums of the measures of the business over the labelled predictions in the window;"
            " of several measures the one that is greatest.",
            unit="short",
            query=Query(f"max(sum by (measure) (model_window_business{{{WHOLE}}}))"),
            empty=NO_MEASURE,
            width=6,
        ),
        stat(
            "Counted in time range",
            "What was counted with monitor.business(...) in the time range; of several measures the"
            " one that is greatest.",
            unit="short",
            query=Query(
                f"max(sum by (measure) (increase(model_business_total{{{VERSION}}}[$__range])))"
            ),
            empty=NO_COUNT,
            width=6,
        ),
        timeseries(
            "Value of a prediction",
            "Mean of what a labelled prediction is worth, of each version, and dotted the ends of"
            " its 95 % confidence interval.",
            unit="short",
            queries=means(
                ("model_value_mean", "model_value_mean_lower", "model_value_mean_upper"),
                by="model_version",
                legend=VERSION_ONLY,
            ),
            empty=NO_VALUE,
            width=12,
            lowest=None,
            overrides=[BOUND_STYLE],
        ),
        timeseries(
            "Value of the window",
            "Sum of what the labelled predictions in the window are worth. It falls with traffic"
            " and with labels that are late, too: compare the mean.",
            unit="short",
            queries=top("model_window_value", by="model_version", legend=VERSION_ONLY),
            empty=NO_VALUE,
            width=12,
            lowest=None,
        ),
    ],
)
