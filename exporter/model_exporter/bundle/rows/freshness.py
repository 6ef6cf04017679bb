"""Freshness and volume: how old, and how much, what the model is fed is."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_JOB
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.rows.quality_of_data import NONE_REFUSED
from model_exporter.bundle.selectors import MODEL, VERSION, WHOLE

ROW = Row(
    "Freshness and volume",
    [
        timeseries(
            "Age of inputs and predictions",
            "Time since the event time of the newest input, the newest call, and the newest"
            " prediction in the log. They part where a pipe is blocked.",
            unit="s",
            queries=[
                Query(f"time() - max(model_input_timestamp_seconds{{{VERSION}}})", "input"),
                Query(
                    f"time() - max(model_last_prediction_timestamp_seconds{{{VERSION}}})", "call"
                ),
                Query(f"time() - max(model_newest_prediction_timestamp_seconds{{{MODEL}}})", "log"),
            ],
            empty=NO_JOB,
        ),
        timeseries(
            "Volume of the window",
            "Predictions in the chosen window, and a week before.",
            unit="short",
            queries=[
                Query(f"max(model_window_predictions{{{WHOLE}}})", "now"),
                Query(f"max(model_window_predictions{{{WHOLE}}} offset 1w)", "a week before"),
            ],
            empty=NO_JOB,
        ),
        timeseries(
            "Refused records by reason",
            "Records per second that the exporter job could not use: without the id, timestamp,"
            " prediction or label that is named, or with one of another type.",
            unit="cps",
            queries=[
                Query(
                    queries.top_rate(f"model_source_invalid_total{{{MODEL}}}", by="source, reason"),
                    "{{source}} {{reason}}",
                )
            ],
            empty=NONE_REFUSED,
        ),
    ],
)
