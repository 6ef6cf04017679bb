"""Which features have moved, since when, and how far."""

from model_exporter.bundle import links, queries
from model_exporter.bundle.charts import state_timeline
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    COLOURED_TEXT,
    CRITICAL_HELP,
    CRITICAL_STEPS,
    DRIFTED,
    NO_DRIFT,
    NOT_TESTED,
    linked,
    merged,
    override,
)
from model_exporter.bundle.panels import table
from model_exporter.bundle.selectors import FEATURE_DRIFT, OUTPUT_DRIFT, WINDOWED

FEATURES = 30
"""Rows of a state timeline that can be read."""

STATES = state_timeline(
    "Drift by feature",
    f"What the drift test says of each feature, of the {FEATURES} with the largest PSI in the time"
    " range. A gap: too few values for the test, or no evaluation.",
    queries=[
        Query(
            queries.top(
                f"max by (feature) (model_drift_detected{{{FEATURE_DRIFT}}})",
                f"max by (feature) (max_over_time(model_drift_psi{{{FEATURE_DRIFT}}}[$__range]"
                " @ end()))",
                by="feature",
                lines=FEATURES,
            ),
            "{{feature}}",
        )
    ],
    states=DRIFTED,
    empty=NOT_TESTED,
    width=14,
    height=12,
    overrides=[
        linked([links.link("Its bins", links.DRIFT, links.SAME_MODEL + links.FEATURE_OF_SERIES)])
    ],
)

_TOP = f"topk(20, max by (feature) (model_drift_psi{{{FEATURE_DRIFT}}}))"


def _column(family: str, labels: str = FEATURE_DRIFT) -> Query:
    return Query(f"max by (feature) ({family}{{{labels}}}) and on (feature) {_TOP}")


MOST_DRIFTED = table(
    "Most drifted features",
    "The twenty features with the largest PSI; a click on one shows its distribution below."
    " Drift:" + CRITICAL_HELP + " KS is the largest distance of the distribution functions.",
    unit="none",
    queries=[
        Query(_TOP),
        Query(
            f"{_TOP} / on (feature) max by (feature) (model_drift_psi_critical{{{FEATURE_DRIFT}}})"
        ),
        _column("model_drift_detected"),
        _column("model_drift_ks"),
        _column("model_drift_rows"),
        _column("model_missing_ratio", WINDOWED),
    ],
    empty=NO_DRIFT,
    width=10,
    height=12,
    sort="Drift",
    transformations=merged(
        rename={
            "feature": "Feature",
            "Value #B": "Drift",
            "Value #C": "Test",
            "Value #A": "PSI",
            "Value #D": "KS",
            "Value #F": "Missing",
            "Value #E": "Values",
        }
    ),
    overrides=[
        override(
            "Feature",
            {
                "links": [
                    links.link("Its bins", links.DRIFT, links.SAME_MODEL + links.FEATURE_OF_CELL)
                ]
            },
        ),
        override("Drift", {"decimals": 2, "thresholds": CRITICAL_STEPS, **COLOURED_TEXT}),
        override("Test", {"mappings": [DRIFTED], **COLOURED_TEXT}),
        override("/^(PSI|KS)$/", {"decimals": 3}, regexp=True),
        override("Missing", {"unit": "percentunit", "decimals": 1}),
        override("Values", {"unit": "short"}),
    ],
)

OUTPUTS = state_timeline(
    "Drift of predictions, scores and labels",
    "What the drift test says of what the model gives, and of the labels.",
    queries=[
        Query(f"max by (subject) (model_drift_detected{{{OUTPUT_DRIFT}}})", "{{subject}}"),
    ],
    states=DRIFTED,
    empty=NOT_TESTED,
    height=5,
)

ROW = Row("What has moved", [STATES, MOST_DRIFTED, OUTPUTS])
