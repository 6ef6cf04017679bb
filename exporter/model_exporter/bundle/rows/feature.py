"""One feature: its distribution against the baseline, and its drift by window."""

from model_exporter.bundle.charts import bar_chart
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_BINS, NO_DRIFT, REFERENCE_STYLE, joined
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import ONE_FEATURE

SEEN = f"sum by (bin) (increase(model_distribution_total{{{ONE_FEATURE}}}[$__range]))"
SHARE = f"{SEEN} / ignoring (bin) group_left () (sum without (bin) ({SEEN}) > 0)"
BASELINE = f"max by (bin) (model_baseline_ratio{{{ONE_FEATURE}}})"


def _with_edge(expr: str) -> str:
    """Add the lower edge of a numeric bin as a label: bins as text would stand 1, 10, 2."""
    first = rf'label_replace({expr}, "edge", "-1e300", "bin", "\\(-Inf,.*")'
    return rf'label_replace({first}, "edge", "$1", "bin", "\\[([^,]+),.*\\)")'


DISTRIBUTION = bar_chart(
    "Distribution against the baseline",
    "Share of the values of the chosen feature in each bin of the baseline, within the dashboard's"
    " time range, beside the baseline's. From the model servers, so without missing values.",
    unit="percentunit",
    queries=[Query(SHARE), Query(_with_edge(BASELINE))],
    empty=NO_BINS,
    across="bin",
    transformations=joined(
        "bin",
        rename={"bin": "bin", "Value #A": "now", "Value #B": "baseline"},
        sort="edge",
    ),
)

BY_WINDOW = timeseries(
    "PSI by window",
    "Population stability index of the chosen feature in every window, and dashed its critical"
    " value: from there on the drift test takes it for more than tolerance and chance. The fewer"
    " rows, the higher it is.",
    unit="none",
    queries=[
        Query(f"max by (window) (model_drift_psi{{{ONE_FEATURE}}})", "{{window}}"),
        Query(
            f"max by (window) (model_drift_psi_critical{{{ONE_FEATURE}}})",
            "{{window}} critical",
        ),
    ],
    empty=NO_DRIFT,
    width=12,
    height=9,
    overrides=[REFERENCE_STYLE],
)

ROW = Row("Feature: $feature", [DISTRIBUTION, BY_WINDOW])
