"""Process: what the model servers and the exporter job take of their machines."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import TARGET

NO_PROCESS = "Not served: register prometheus_client.ProcessCollector in the monitor's registry"


def _process(title: str, description: str, *, unit: str, expr: str) -> Panel:
    return timeseries(
        title,
        f"{description} The ten instances with most; of one process each, so not of workers.",
        unit=unit,
        queries=[Query(expr, "{{instance}}")],
        empty=NO_PROCESS,
    )


ROW = Row(
    "Process",
    [
        _process(
            "CPU",
            "Processors in use.",
            unit="none",
            expr=queries.top_rate(f"process_cpu_seconds_total{{{TARGET}}}", by="instance"),
        ),
        _process(
            "Memory",
            "Resident memory.",
            unit="bytes",
            expr=queries.top_gauge(f"process_resident_memory_bytes{{{TARGET}}}", by="instance"),
        ),
        _process(
            "Open files",
            "Open file descriptors over the most that may be open.",
            unit="percentunit",
            expr=queries.top_now(
                f"max by (instance) (process_open_fds{{{TARGET}}} / process_max_fds{{{TARGET}}})",
                by="instance",
            ),
        ),
    ],
)
