"""Inputs: feature values that are missing, unseen or out of range."""

from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import FEATURE_LEGEND, NO_PREDICTIONS
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import WINDOWED


def _ratio(title: str, description: str, *, family: str) -> Panel:
    return timeseries(
        title,
        description,
        unit="percentunit",
        queries=[Query(f"{family}{{{WINDOWED}}}", FEATURE_LEGEND)],
        empty=NO_PREDICTIONS,
    )


ROW = Row(
    "Data quality",
    [
        _ratio(
            "Missing values",
            "Share of the window's predictions whose feature is missing.",
            family="model_missing_ratio",
        ),
        _ratio(
            "Unseen categories",
            "Share of the window's feature values whose category the baseline has not seen.",
            family="model_unseen_ratio",
        ),
        _ratio(
            "Out of range",
            "Share of the window's feature values below the baseline's minimum or above its"
            " maximum.",
            family="model_out_of_range_ratio",
        ),
    ],
)
