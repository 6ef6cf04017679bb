"""Now: the numbers to glance at."""

from model_exporter.bundle import queries, thresholds
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    NO_DRIFT,
    NO_LABELS,
    NO_PREDICTIONS,
    PSI_HELP,
    PSI_STEPS,
    VERSION_LEGEND,
    steps,
)
from model_exporter.bundle.panels import stat
from model_exporter.bundle.selectors import MODEL

ROW = Row(
    "Now",
    [
        stat(
            "Predictions",
            "Rows predicted per second, over all replicas. A batch call of 100 rows counts 100.",
            unit="cps",
            query=Query(queries.PREDICTION_RATE, VERSION_LEGEND),
            empty=NO_PREDICTIONS,
        ),
        stat(
            "Failed calls",
            "Share of the calls of the predict function that raised.",
            unit="percentunit",
            query=Query(queries.ERROR_RATIO, VERSION_LEGEND),
            empty=NO_PREDICTIONS,
            marks=steps((thresholds.ERROR_RATIO, "red")),
        ),
        stat(
            "In flight",
            "Calls of the predict function that have started and not ended.",
            unit="short",
            query=Query(queries.IN_FLIGHT, VERSION_LEGEND),
            empty=NO_PREDICTIONS,
        ),
        stat(
            "Worst feature drift",
            "Largest population stability index of any feature against the baseline, in the"
            " chosen window." + PSI_HELP,
            unit="none",
            query=Query(queries.WORST_PSI, VERSION_LEGEND),
            empty=NO_DRIFT,
            marks=PSI_STEPS,
        ),
        stat(
            "Label coverage",
            "Share of the window's predictions that have a label by now. Quality is known for"
            " these only.",
            unit="percentunit",
            query=Query(queries.COVERAGE, VERSION_LEGEND),
            empty=NO_LABELS,
        ),
        stat(
            "Sources",
            "Whether the exporter's last read of each source of predictions or labels succeeded:"
            " 1 yes, 0 no.",
            unit="none",
            query=Query(
                f"min by (model_name, source) (model_source_up{{{MODEL}}})",
                "{{model_name}} {{source}}",
            ),
            empty="no exporter job",
            marks=steps((1, "green"), base="red"),
        ),
    ],
)
