"""Labels: how many have come, and how late."""

from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_LABELS, NO_PREDICTIONS, VERSION_LEGEND
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import PER_MODEL, VERSION, WHOLE


def _delay(quantile: float, name: str) -> Query:
    return Query(
        f"histogram_quantile({quantile}, sum by ({PER_MODEL}, le) "
        f"(increase(model_label_delay_seconds_bucket{{{VERSION}}}[$__range])))",
        f"{VERSION_LEGEND} {name}",
    )


ROW = Row(
    "Labels",
    [
        timeseries(
            "Label coverage",
            "Share of the window's predictions that have a label by now. Every score below is over"
            " these only, and early labels are not a random sample.",
            unit="percentunit",
            queries=[Query(f"model_label_coverage_ratio{{{WHOLE}}}", VERSION_LEGEND)],
            empty=NO_LABELS,
            top=1,
        ),
        timeseries(
            "Predictions and labelled rows",
            "Predictions whose timestamp lies in the window, and those among them that have a"
            " label.",
            unit="short",
            queries=[
                Query(f"model_window_predictions{{{WHOLE}}}", f"{VERSION_LEGEND} predictions"),
                Query(f"model_window_labeled_predictions{{{WHOLE}}}", f"{VERSION_LEGEND} labelled"),
            ],
            empty=NO_PREDICTIONS,
        ),
        timeseries(
            "Label delay",
            "Time from a prediction to its first label: median and 95th percentile of the labels"
            " that came within the dashboard's time range.",
            unit="s",
            queries=[_delay(0.5, "median"), _delay(0.95, "p95")],
            empty=NO_LABELS,
        ),
    ],
)
