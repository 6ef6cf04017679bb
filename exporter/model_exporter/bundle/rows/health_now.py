"""Monitoring health now: whether what the other dashboards say can be trusted."""

from model_exporter.bundle import thresholds
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_JOB, NO_PREDICTIONS, NO_TARGETS, SUCCESSFUL, steps
from model_exporter.bundle.panels import stat
from model_exporter.bundle.selectors import MODEL, TARGET, VERSION

DOWN = steps((1, "red"))

ROW = Row(
    "Now",
    [
        stat(
            "Targets down",
            "Scrape targets of the chosen jobs that Prometheus does not reach.",
            unit="short",
            query=Query(f"sum(up{{{TARGET}}} == bool 0)"),
            empty=NO_TARGETS,
            marks=DOWN,
        ),
        stat(
            "Sources down",
            "Sources of predictions or labels whose last read failed. Quality then stands still,"
            " and does not recover.",
            unit="short",
            query=Query(f"sum(model_source_up{{{MODEL}}} == bool 0)"),
            empty=NO_JOB,
            marks=DOWN,
        ),
        stat(
            "Oldest evaluation",
            "Time since the model that was evaluated longest ago was.",
            unit="s",
            query=Query(
                f"time() - min(model_evaluation_last_success_timestamp_seconds{{{MODEL}}})"
            ),
            empty=NO_JOB,
            marks=steps((thresholds.EVALUATION_STALE_SECONDS, "red")),
        ),
        stat(
            "Last reload",
            "Whether the exporter job could load its configuration; if not, it works by the one"
            " before.",
            unit="none",
            query=Query(f"min(model_exporter_config_last_reload_successful{{{TARGET}}})"),
            empty=NO_JOB,
            mappings=[SUCCESSFUL],
        ),
        stat(
            "Dropped",
            "Rows of telemetry per second that were dropped rather than delay a model.",
            unit="cps",
            query=Query(f"sum(rate(model_exporter_dropped_total{{{VERSION}}}[$__rate_interval]))"),
            empty=NO_PREDICTIONS,
            marks=steps((1e-9, "red")),
        ),
        stat(
            "Internal errors",
            "Errors inside model-exporter per second that were kept from the models.",
            unit="cps",
            query=Query(
                f"sum(rate(model_exporter_internal_errors_total{{{VERSION}}}[$__rate_interval]))"
            ),
            empty=NO_PREDICTIONS,
            marks=steps((1e-9, "red")),
        ),
    ],
)
