"""Labels: how many have come, how late, and whether those that came are like all."""

from model_exporter.bundle.charts import bar_chart
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_JOB, NO_LABELS, ordered
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import VERSION, WHOLE, WINDOWED

NO_COHORTS = "No `cohorts:` of this model in exporter.yml"

UNITS = {"m": "e2", "h": "e4", "d": "e6", "w": "e7"}
"""Powers that grow with the unit: enough to put 0-12h, 12h-1d, 1d-7d in order."""


def _by_age(expr: str) -> str:
    """Add the young end of a cohort as a label that is a number to sort by."""
    found = f'label_replace({expr}, "youngest", "$1", "cohort", "([0-9]+).*")'
    for unit, power in UNITS.items():
        found = (
            f'label_replace({found}, "youngest", "${{1}}{power}", "cohort", "([0-9]+){unit}-.*")'
        )
    return found


COVERAGE = timeseries(
    "Predictions and labels",
    "Predictions in the window, and those among them that have a label by now.",
    unit="short",
    queries=[
        Query(f"max(model_window_predictions{{{WHOLE}}})", "predictions"),
        Query(f"max(model_window_labeled_predictions{{{WHOLE}}})", "labelled"),
    ],
    empty=NO_JOB,
    width=6,
)
DELAY = timeseries(
    "Label delay",
    "Time from a prediction to its first label, of the window's labelled predictions. Of young"
    " predictions only the quick labels have come yet.",
    unit="s",
    queries=[
        Query(
            f"max by (level) (model_label_delay_quantile_seconds{{{WINDOWED}}})",
            "quantile {{level}}",
        )
    ],
    empty=NO_LABELS,
    width=6,
)
SELECTION = timeseries(
    "Are labelled rows like all rows?",
    "Population stability index of the labelled predictions against all of the window, for"
    " predictions and scores. Well above 0, labels do not come by chance, and scores need not hold"
    " for the rows without one.",
    unit="none",
    queries=[
        Query(f"max by (subject) (model_label_selection_psi{{{WINDOWED}}})", "{{subject}} PSI"),
        Query(
            f"max by (subject) (model_label_selection_p_value{{{WINDOWED}}})",
            "{{subject}} p-value",
        ),
    ],
    empty=NO_LABELS,
    width=6,
)
COHORTS = bar_chart(
    "Label coverage by age",
    "Share of the predictions of an age that have a label by now: how long labels take, and which"
    " window is worth looking at.",
    unit="percentunit",
    queries=[Query(_by_age(f"max by (cohort) (model_cohort_label_coverage_ratio{{{VERSION}}})"))],
    empty=NO_COHORTS,
    across="cohort",
    width=6,
    height=8,
    transformations=ordered(rename={"cohort": "age", "Value": "coverage"}, sort="youngest"),
)

ROW = Row("Labels", [COVERAGE, DELAY, SELECTION, COHORTS])
