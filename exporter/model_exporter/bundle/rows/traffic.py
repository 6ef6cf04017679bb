"""Traffic, errors and latency of the models that stand out."""

from model_exporter.bundle import links, queries, thresholds
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_PREDICTIONS, VERSION_LEGEND, linked, steps
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import PER_MODEL, VERSION

LEAD = linked(links.to_model(links.VERSION_OF_SERIES))

BUSIEST = timeseries(
    "Busiest models",
    "Rows predicted per second over all replicas, of the ten models with most in the time range.",
    unit="cps",
    queries=[
        Query(
            queries.top_rate(f"model_predictions_total{{{VERSION}}}", by=PER_MODEL), VERSION_LEGEND
        )
    ],
    empty=NO_PREDICTIONS,
    overrides=[LEAD],
)
MOST_FAILING = timeseries(
    "Most failing models",
    "Share of the calls of predict that raised, of the ten models with the largest in the time"
    " range. The dashed line is where ModelErrorRatioHigh begins.",
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
    overrides=[LEAD],
    marks=steps((thresholds.ERROR_RATIO, "red")),
)
SLOWEST = timeseries(
    "Slowest models",
    "Duration that 99 in 100 calls stay below, of the ten models with the longest in the time"
    " range; interpolated in the histogram's buckets, so that it is no finer than these.",
    unit="s",
    queries=[
        Query(
            queries.top(queries.LATENCY_P99, queries.quantile_in_range(0.99), by=PER_MODEL),
            VERSION_LEGEND,
            exemplar=True,
        )
    ],
    empty=NO_PREDICTIONS,
    overrides=[LEAD],
)

ROW = Row("Traffic, errors, latency", [BUSIEST, MOST_FAILING, SLOWEST])
