"""Latency: its whole distribution, its quantiles, and who is slow."""

from model_exporter.bundle import queries
from model_exporter.bundle.charts import heatmap
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_PREDICTIONS, VERSION_LEGEND
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import PER_MODEL

HEATMAP = heatmap(
    "Latency heatmap",
    "Calls by duration over time, of all chosen models: two bands are two kinds of calls, which a"
    " quantile would blend.",
    unit="s",
    query=Query(f"sum by (le) (increase({queries.LATENCY_BUCKETS}[$__rate_interval]))", "{{le}}"),
    empty=NO_PREDICTIONS,
)
QUANTILES = timeseries(
    "Latency quantiles",
    "Durations that half, 90, 99 and 99.9 in 100 calls of all chosen models stay below. Points are"
    " calls with a trace, where the model server records them and the data source links traces.",
    unit="s",
    queries=[
        Query(queries.quantile(level, queries.LATENCY_BUCKETS), name, exemplar=level == 0.99)
        for level, name in ((0.5, "median"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"))
    ],
    empty=NO_PREDICTIONS,
    width=12,
    height=9,
)
SLOWEST = timeseries(
    "Slowest models",
    "Duration that 99 in 100 calls stay below, of the ten model versions with the longest in the"
    " time range.",
    unit="s",
    queries=[
        Query(
            queries.top(queries.LATENCY_P99, queries.quantile_in_range(0.99), by=PER_MODEL),
            VERSION_LEGEND,
        )
    ],
    empty=NO_PREDICTIONS,
    width=12,
)
SLOWEST_INSTANCES = timeseries(
    "Slowest instances",
    "The same by instance, of the ten slowest: it tells one slow machine from all of them.",
    unit="s",
    queries=[
        Query(
            queries.top_now(
                queries.quantile(0.99, queries.LATENCY_BUCKETS, by="instance"), by="instance"
            ),
            "{{instance}}",
        )
    ],
    empty=NO_PREDICTIONS,
    width=12,
)

ROW = Row("Latency", [HEATMAP, QUANTILES, SLOWEST, SLOWEST_INSTANCES])
