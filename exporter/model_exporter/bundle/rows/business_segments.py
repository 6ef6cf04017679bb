"""Segments: where a model is worth least."""

from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import merged, override
from model_exporter.bundle.panels import table
from model_exporter.bundle.rows.worth import NO_MEASURE, NO_VALUE
from model_exporter.bundle.selectors import SEGMENTS

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


ROW = Row(
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
