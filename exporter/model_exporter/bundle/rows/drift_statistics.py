"""Other drift statistics, for those who are used to them."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import FEATURE_LEGEND, NO_DRIFT
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import FEATURE_DRIFT


def _statistic(title: str, description: str, *, family: str) -> Panel:
    return timeseries(
        title,
        f"{description} The ten features with the largest in the time range.",
        unit="none",
        queries=[
            Query(queries.top_gauge(f"{family}{{{FEATURE_DRIFT}}}", by="feature"), FEATURE_LEGEND)
        ],
        empty=NO_DRIFT,
    )


ROW = Row(
    "Other statistics",
    [
        _statistic(
            "Kolmogorov-Smirnov statistic",
            "Largest distance of the distribution functions of window and baseline, 0 to 1.",
            family="model_drift_ks",
        ),
        _statistic(
            "Jensen-Shannon distance",
            "Distance of window and baseline on the baseline's bins, base 2, 0 to 1.",
            family="model_drift_js_distance",
        ),
        _statistic(
            "Wasserstein distance",
            "How far values had to be moved on average, in each feature's own unit: features"
            " cannot be compared with each other by it.",
            family="model_drift_wasserstein",
        ),
    ],
    collapsed=True,
)
