"""Business: what the model's predictions are worth, and what the business counts."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import BOUND_STYLE, NO_LABELS, merged, override
from model_exporter.bundle.panels import stat, table, timeseries
from model_exporter.bundle.selectors import SEGMENTS, VERSION, WHOLE

NO_VALUE = "No value: name `value` of this model in exporter.yml, or wait for labels"
NO_MEASURE = "No measure: name columns of labels in `business` of exporter.yml, or wait for labels"
NO_COUNT = "Nothing counted: monitor.business(...) was not called yet"
VERSION_ONLY = "{{model_version}}"


def _means(families: tuple[str, str, str], *, by: str, legend: str) -> list[Query]:
    """Return mean and ends of the interval, of those with the largest mean."""
    mean = families[0]
    rank = f"max by ({by}) (max_over_time({mean}{{{WHOLE}}}[$__range] @ end()))"
    return [
        Query(
            queries.top(f"max by ({by}) ({family}{{{WHOLE}}})", rank, by=by, lines=5),
            f"{legend}{end}",
        )
        for family, end in zip(families, ("", " lower", " upper"), strict=True)
    ]


def _top(family: str, *, by: str, legend: str) -> list[Query]:
    return [Query(queries.top_gauge(f"{family}{{{WHOLE}}}", by=by), legend)]


VALUE = Row(
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
            queries=_means(
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
            queries=_top("model_window_value", by="model_version", legend=VERSION_ONLY),
            empty=NO_VALUE,
            width=12,
            lowest=None,
        ),
    ],
)

MEASURES = Row(
    "Measures of the business",
    [
        timeseries(
            "Measure of a prediction",
            "Mean of each measure over the labelled predictions that have it, and dotted the ends"
            " of its 95 % confidence interval.",
            unit="short",
            queries=_means(
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
            queries=_top(
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

BY = "segment, segment_value"


def _segments(title: str, description: str, *, sums: str, means: str, empty: str, by: str) -> Panel:
    chosen = f"bottomk(20, sum by ({by}) ({sums}{{{SEGMENTS}}}))"
    return table(
        title,
        description,
        unit="short",
        queries=[
            Query(chosen),
            Query(f"avg by ({by}) ({means}{{{SEGMENTS}}}) and on ({by}) {chosen}"),
        ],
        empty=empty,
        width=12,
        height=9,
        sort="Sum",
        ascending=True,
        transformations=merged(
            rename={
                "measure": "Measure",
                "segment": "Segment",
                "segment_value": "Value",
                "Value #A": "Sum",
                "Value #B": "Mean",
            }
        ),
        overrides=[override("/^(Sum|Mean)$/", {"decimals": 2}, regexp=True)],
    )


SEGMENT = Row(
    "By segment",
    [
        _segments(
            "Segments worth least",
            "The twenty segments whose labelled predictions in the window are worth least: where"
            " the model loses.",
            sums="model_window_value",
            means="model_value_mean",
            empty=f"{NO_VALUE}, or name `segments`",
            by=BY,
        ),
        _segments(
            "Segments that measure least",
            "The twenty segments with the smallest sums of a measure in the window.",
            sums="model_window_business",
            means="model_business_mean",
            empty=f"{NO_MEASURE}, or name `segments`",
            by=f"{BY}, measure",
        ),
    ],
)
