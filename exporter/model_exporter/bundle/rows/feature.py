"""One feature: its distribution against the baseline, and its drift by window."""

from model_exporter.bundle.grafana import Json, Query, Row
from model_exporter.bundle.looks import (
    NO_DRIFT,
    PSI_HELP,
    PSI_STEPS,
    REFERENCE_STYLE,
    VERSION_LEGEND,
    organized,
)
from model_exporter.bundle.panels import bar_chart, timeseries
from model_exporter.bundle.selectors import VERSION

ONE = f'{VERSION}, subject="feature", feature="$feature"'
SEEN = f"sum by (bin) (increase(model_distribution_total{{{ONE}}}[$__range]))"
SHARE = f"{SEEN} / ignoring (bin) group_left () (sum without (bin) ({SEEN}) > 0)"
BASELINE = f"max by (bin) (model_baseline_ratio{{{ONE}}})"


def _with_edge(expr: str) -> str:
    """Add the lower edge of a numeric bin as a label: bins as text would stand 1, 10, 2."""
    first = rf'label_replace({expr}, "edge", "-1e300", "bin", "\\(-Inf,.*")'
    return rf'label_replace({first}, "edge", "$1", "bin", "\\[([^,]+),.*\\)")'


IN_BIN_ORDER: list[Json] = [
    {"id": "joinByField", "options": {"byField": "bin", "mode": "outer"}},
    {
        "id": "convertFieldType",
        "options": {
            "conversions": [{"destinationType": "number", "targetField": "edge"}],
            "fields": {},
        },
    },
    {"id": "sortBy", "options": {"fields": {}, "sort": [{"desc": False, "field": "edge"}]}},
    organized(
        rename={"bin": "bin", "Value #A": "now", "Value #B": "baseline"},
        hide=["Time 1", "Time 2", "edge"],
    ),
]

ROW = Row(
    "Feature: $feature",
    [
        bar_chart(
            "Distribution against the baseline",
            "Share of the values of the chosen feature in each bin of the baseline: within the"
            " dashboard's time range, from the model servers, beside the baseline. Choose one"
            " model.",
            unit="percentunit",
            queries=[Query(SHARE), Query(_with_edge(BASELINE))],
            empty=NO_DRIFT,
            across="bin",
            transformations=IN_BIN_ORDER,
        ),
        timeseries(
            "PSI by window",
            "Population stability index of the chosen feature, in every window, and from where on"
            " the drift test takes it for more than chance and tolerance." + PSI_HELP,
            unit="none",
            queries=[
                Query(f"model_drift_psi{{{ONE}}}", f"{VERSION_LEGEND} {{{{window}}}}"),
                Query(
                    f"model_drift_psi_critical{{{ONE}}}",
                    f"{VERSION_LEGEND} {{{{window}}}} critical",
                ),
            ],
            empty=NO_DRIFT,
            width=12,
            marks=PSI_STEPS,
            overrides=[REFERENCE_STYLE],
        ),
    ],
)
