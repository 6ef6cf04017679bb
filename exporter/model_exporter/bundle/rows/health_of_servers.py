"""The model servers: what monitoring dropped, and the shards of their workers."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_PREDICTIONS
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import PER_MODEL, VERSION

NO_SHARDS = "Only with several workers: ModelMonitor(..., multiprocess_dir=...)"

ROW = Row(
    "Model servers",
    [
        timeseries(
            "Dropped telemetry",
            "Rows per second that were not counted or logged, by what was in the way: the ten"
            " commonest. Predictions themselves are never dropped.",
            unit="cps",
            queries=[
                Query(
                    queries.top_rate(
                        f"model_exporter_dropped_total{{{VERSION}}}", by="model_name, reason"
                    ),
                    "{{model_name}} {{reason}}",
                )
            ],
            empty=NO_PREDICTIONS,
            width=6,
        ),
        timeseries(
            "Internal errors by stage",
            "Errors inside model-exporter per second, kept from the models: the ten commonest.",
            unit="cps",
            queries=[
                Query(
                    queries.top_rate(
                        f"model_exporter_internal_errors_total{{{VERSION}}}",
                        by="model_name, stage",
                    ),
                    "{{model_name}} {{stage}}",
                )
            ],
            empty=NO_PREDICTIONS,
            width=6,
        ),
        timeseries(
            "Worker processes",
            "Living workers whose counts a scrape sums, of the ten models with most.",
            unit="short",
            queries=[
                Query(
                    queries.top_gauge(f"model_exporter_shards{{{VERSION}}}", by=PER_MODEL),
                    "{{model_name}} {{model_version}}",
                )
            ],
            empty=NO_SHARDS,
            width=6,
        ),
        timeseries(
            "Shards in trouble",
            "Files of counts that a scrape could not use, by reason, and workers that cannot use"
            " the directory and count in memory.",
            unit="short",
            queries=[
                Query(
                    f"sum by (reason) (model_exporter_shards_skipped{{{VERSION}}})",
                    "skipped: {{reason}}",
                ),
                Query(f"sum(model_exporter_shards_degraded{{{VERSION}}})", "degraded"),
            ],
            empty=NO_SHARDS,
            width=6,
        ),
    ],
)
