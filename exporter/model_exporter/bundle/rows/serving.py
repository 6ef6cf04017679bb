"""Serving: rate, errors and duration of the predict calls."""

from model_exporter.bundle import queries, thresholds
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_PREDICTIONS, VERSION_LEGEND, steps
from model_exporter.bundle.panels import timeseries

ROW = Row(
    "Serving",
    [
        timeseries(
            "Prediction rate",
            "Rows predicted per second, over all replicas.",
            unit="cps",
            queries=[Query(queries.PREDICTION_RATE, VERSION_LEGEND)],
            empty=NO_PREDICTIONS,
        ),
        timeseries(
            "Error ratio",
            "Share of the calls of the predict function that raised. The dashed line is where"
            " ModelErrorRatioHigh begins.",
            unit="percentunit",
            queries=[Query(queries.ERROR_RATIO, VERSION_LEGEND)],
            empty=NO_PREDICTIONS,
            marks=steps((thresholds.ERROR_RATIO, "red")),
        ),
        timeseries(
            "Latency, 99th percentile",
            "Duration that 99 in 100 calls stay below, interpolated in the histogram's buckets.",
            unit="s",
            queries=[Query(queries.LATENCY_P99, VERSION_LEGEND)],
            empty=NO_PREDICTIONS,
        ),
    ],
)
