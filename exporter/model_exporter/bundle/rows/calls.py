"""Calls: how many, how many failed and why, how large."""

from model_exporter.bundle import queries, thresholds
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    NO_PREDICTIONS,
    VERSION_LEGEND,
    steps,
)
from model_exporter.bundle.panels import stat, timeseries
from model_exporter.bundle.selectors import PER_MODEL, VERSION

_CALLS = f"rate(model_prediction_requests_total{{{VERSION}}}[$__rate_interval])"
_ERRORS = f"rate(model_prediction_errors_total{{{VERSION}}}[$__rate_interval])"


def _quantile(level: float) -> Query:
    return Query(queries.quantile(level, queries.LATENCY_BUCKETS))


NOW = Row(
    "Now",
    [
        stat(
            "Predictions",
            "Rows predicted per second, of all chosen models and replicas.",
            unit="cps",
            query=Query(f"sum(rate(model_predictions_total{{{VERSION}}}[$__rate_interval]))"),
            empty=NO_PREDICTIONS,
        ),
        stat(
            "Calls",
            "Calls of the predict function per second, failed ones included; a call may predict"
            " many rows.",
            unit="reqps",
            query=Query(f"sum({_CALLS})"),
            empty=NO_PREDICTIONS,
        ),
        stat(
            "Failed calls",
            "Share of the calls of the predict function that raised.",
            unit="percentunit",
            query=Query(f"(sum({_ERRORS}) or 0 * sum({_CALLS})) / (sum({_CALLS}) > 0)"),
            empty=NO_PREDICTIONS,
            marks=steps((thresholds.ERROR_RATIO, "red")),
        ),
        stat(
            "Median latency",
            "Duration that half of the calls stay below.",
            unit="s",
            query=_quantile(0.5),
            empty=NO_PREDICTIONS,
        ),
        stat(
            "p99 latency",
            "Duration that 99 in 100 calls stay below.",
            unit="s",
            query=_quantile(0.99),
            empty=NO_PREDICTIONS,
        ),
        stat(
            "In flight",
            "Calls that have started and not ended. It grows where calls come faster than they"
            " are answered.",
            unit="short",
            query=Query(f"sum(model_predictions_in_progress{{{VERSION}}})"),
            empty=NO_PREDICTIONS,
        ),
    ],
)

BATCHES = "model_prediction_batch_rows_bucket{" + VERSION + "}"
CHUNKS = "model_prediction_time_to_first_chunk_seconds_bucket{" + VERSION + "}"

CALLS = Row(
    "Traffic and errors",
    [
        timeseries(
            "Prediction rate",
            "Rows predicted per second, of the ten busiest model versions in the time range.",
            unit="cps",
            queries=[
                Query(
                    queries.top_rate(f"model_predictions_total{{{VERSION}}}", by=PER_MODEL),
                    VERSION_LEGEND,
                )
            ],
            empty=NO_PREDICTIONS,
        ),
        timeseries(
            "Error ratio",
            "Share of the calls that raised, of the ten model versions with the largest in the"
            " time range. The dashed line is where ModelErrorRatioHigh begins.",
            unit="percentunit",
            queries=[
                Query(
                    queries.top(
                        queries.ERROR_RATIO,
                        queries.error_ratio(PER_MODEL, "$__range", end=True),
                        by=PER_MODEL,
                    ),
                    VERSION_LEGEND,
                )
            ],
            empty=NO_PREDICTIONS,
            marks=steps((thresholds.ERROR_RATIO, "red")),
        ),
        timeseries(
            "Errors by type",
            "Failed calls per second, by the class of the exception: the ten commonest in the time"
            " range.",
            unit="cps",
            queries=[
                Query(
                    queries.top_rate(
                        f"model_prediction_errors_total{{{VERSION}}}",
                        by="model_name, error_type",
                    ),
                    "{{model_name}} {{error_type}}",
                )
            ],
            empty="No call has failed since the model server started",
        ),
        timeseries(
            "Batch size",
            "Rows of a call: median and 95th percentile over the chosen models, interpolated in the"
            " histogram's buckets.",
            unit="short",
            queries=[
                Query(queries.quantile(0.5, BATCHES), "median"),
                Query(queries.quantile(0.95, BATCHES), "p95"),
            ],
            empty="Only of functions that are monitored with batch=True",
        ),
        timeseries(
            "Calls in flight",
            "Calls that have started and not ended, of the ten model versions with most.",
            unit="short",
            queries=[
                Query(
                    queries.top_gauge(f"model_predictions_in_progress{{{VERSION}}}", by=PER_MODEL),
                    VERSION_LEGEND,
                )
            ],
            empty=NO_PREDICTIONS,
        ),
        timeseries(
            "Time to first chunk",
            "Time until a stream gave its first chunk: median and 99th percentile over the chosen"
            " models.",
            unit="s",
            queries=[
                Query(queries.quantile(0.5, CHUNKS), "median"),
                Query(queries.quantile(0.99, CHUNKS), "p99"),
            ],
            empty="Only of functions that return generators or iterators",
        ),
    ],
)
