"""Values in the prediction log: missing, unseen, out of range."""

from model_exporter.bundle import links, queries
from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import FEATURE_LEGEND, NO_JOB, linked
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.rows.quality_of_data import NO_RANGE
from model_exporter.bundle.selectors import WINDOWED

CHOOSE = linked(
    [links.link("This feature", links.DATA_QUALITY, links.SAME_MODEL + links.FEATURE_OF_SERIES)]
)


def _log(title: str, description: str, *, family: str, empty: str) -> Panel:
    return timeseries(
        title,
        f"{description} The ten features with most in the time range.",
        unit="percentunit",
        queries=[Query(queries.top_gauge(f"{family}{{{WINDOWED}}}", by="feature"), FEATURE_LEGEND)],
        empty=empty,
        overrides=[CHOOSE],
    )


ROW = Row(
    "In the prediction log",
    [
        _log(
            "Missing values",
            "Share of the window's predictions whose feature is missing.",
            family="model_missing_ratio",
            empty=NO_JOB,
        ),
        _log(
            "Unseen categories",
            "Share of the window's values whose category the baseline has not seen.",
            family="model_unseen_ratio",
            empty="No categorical features in exporter.yml and the baseline",
        ),
        _log(
            "Out of range",
            "Share of the window's values beyond the baseline's minimum or maximum; a baseline of"
            " few rows is soon left.",
            family="model_out_of_range_ratio",
            empty=NO_RANGE,
        ),
    ],
)
