"""Traffic of the versions: who serves how much, and how well."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_PREDICTIONS
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import VERSION

LEGEND = "{{model_version}}"
BY = "model_version"

ROW = Row(
    "Traffic",
    [
        timeseries(
            "Traffic share",
            "Share of the predicted rows that each version predicted. In shadow mode every version"
            " predicts every row.",
            unit="cps",
            queries=[
                Query(queries.top_rate(f"model_predictions_total{{{VERSION}}}", by=BY), LEGEND)
            ],
            empty=NO_PREDICTIONS,
            stacked="percent",
        ),
        timeseries(
            "Errors by version",
            "Share of the calls that raised, of each version.",
            unit="percentunit",
            queries=[Query(queries.top_now(queries.error_ratio(BY), by=BY), LEGEND)],
            empty=NO_PREDICTIONS,
        ),
        timeseries(
            "p99 latency by version",
            "Duration that 99 in 100 calls of each version stay below.",
            unit="s",
            queries=[
                Query(
                    queries.top_now(queries.quantile(0.99, queries.LATENCY_BUCKETS, by=BY), by=BY),
                    LEGEND,
                    exemplar=True,
                )
            ],
            empty=NO_PREDICTIONS,
        ),
    ],
)
