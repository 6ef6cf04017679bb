"""Segments: where a model is worst, beyond chance."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import merged, override
from model_exporter.bundle.panels import table, timeseries
from model_exporter.bundle.selectors import SEGMENTS

WORST = 10
BY = "segment, segment_value"
NO_SEGMENTS = "No `segments:` of this model in exporter.yml, or no labels yet"


def _worst(title: str, families: tuple[str, str, str], *, best_end: int, only: str) -> Panel:
    """Return the table of segments by the end of the interval that chance cannot explain."""
    choose = "bottomk" if best_end == 2 else "topk"
    chosen = f"{choose}({WORST}, max by ({BY}) ({families[best_end]}{{{SEGMENTS}}}))"
    value, lower, upper = (
        Query(f"max by ({BY}) ({family}{{{SEGMENTS}}}) and on ({BY}) {chosen}")
        for family in families
    )
    rows = Query(
        f"max by ({BY}) (model_window_labeled_predictions{{{SEGMENTS}}}) and on ({BY}) {chosen}"
    )
    return table(
        title,
        f"The {WORST} segments that are worst even at the better end of their 95 % confidence"
        " interval. By the value itself the smallest segments would always be among the worst.",
        unit="none",
        queries=[value, lower, upper, rows],
        empty=f"{NO_SEGMENTS}; {only}",
        width=8,
        height=9,
        sort="Upper" if best_end == 2 else "Lower",
        ascending=best_end == 2,
        transformations=merged(
            rename={
                "segment": "Segment",
                "segment_value": "Value",
                "Value #A": "Score",
                "Value #B": "Lower",
                "Value #C": "Upper",
                "Value #D": "Labelled",
            }
        ),
        overrides=[override("/^(Score|Lower|Upper)$/", {"decimals": 3}, regexp=True)],
    )


ACCURACY = _worst(
    "Worst segments by accuracy",
    ("model_accuracy_ratio", "model_accuracy_ratio_lower", "model_accuracy_ratio_upper"),
    best_end=2,
    only="classification only",
)
ERROR = _worst(
    "Worst segments by mean absolute error",
    ("model_mae", "model_mae_lower", "model_mae_upper"),
    best_end=1,
    only="regression only",
)
SIZE = timeseries(
    "Predictions by segment",
    "Predictions in the window of the ten largest segments: a score of all rows changes when this"
    " mix does, though no segment did.",
    unit="short",
    queries=[
        Query(
            queries.top_gauge(f"model_window_predictions{{{SEGMENTS}}}", by=BY),
            "{{segment}} {{segment_value}}",
        )
    ],
    empty="No `segments:` of this model in exporter.yml",
    height=9,
)

ROW = Row("Segments", [ACCURACY, ERROR, SIZE])
