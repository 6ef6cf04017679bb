"""Scorecard: every score of one model with its interval, its baseline and its bounds."""

from model_exporter.bundle import families, queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    ANY,
    BELOW_ZERO,
    COLOURED_TEXT,
    NO_EXPECTATIONS,
    NO_JOB,
    NO_LABELS,
    VIOLATED,
    merged,
    override,
)
from model_exporter.bundle.panels import stat, table, timeseries
from model_exporter.bundle.selectors import MODEL, VERSION, WHOLE

_NAMED = "model_(.+?)(?:_ratio)?"


def _of(names: str, labels: str, pattern: str) -> str:
    return queries.named_scores(names, labels, pattern=pattern)


def _bound(which: str) -> Query:
    selector = f'model_expectation_threshold{{{MODEL}, bound="{which}"}}'
    return Query(f"max by (score) ({selector})")


NUMBERS = (
    stat(
        "Expectations violated",
        "Scores whose whole confidence interval lies beyond the bound that the configuration"
        " expects.",
        unit="short",
        query=Query(f"sum(model_expectation_violated{{{WHOLE}}})"),
        empty=NO_EXPECTATIONS,
        marks=ANY,
    ),
    stat(
        "Predictions in window",
        "Predictions whose timestamp lies in the chosen window.",
        unit="short",
        query=Query(f"max(model_window_predictions{{{WHOLE}}})"),
        empty=NO_JOB,
    ),
    stat(
        "With a label",
        "Those among them that have a label by now: every score is over these.",
        unit="short",
        query=Query(f"max(model_window_labeled_predictions{{{WHOLE}}})"),
        empty=NO_LABELS,
    ),
    stat(
        "Label coverage",
        "Share of the window's predictions that have a label by now. Early labels are not a random"
        " sample: what is scored is what was labelled first.",
        unit="percentunit",
        query=Query(f"max(model_label_coverage_ratio{{{WHOLE}}})"),
        empty=NO_LABELS,
    ),
    stat(
        "Window ends before now",
        "How far the windows are shifted back, so that labels had time to come (`maturity`).",
        unit="s",
        query=Query(f"max(model_maturity_seconds{{{MODEL}}})"),
        empty=NO_JOB,
    ),
    stat(
        "Age of newest label",
        "Time since the timestamp of the newest label record known. It grows where labels stop.",
        unit="s",
        query=Query(f"time() - max(model_newest_label_timestamp_seconds{{{MODEL}}})"),
        empty=NO_LABELS,
    ),
)

SCORES = table(
    "Scores",
    "Scores of the labelled predictions in the window with the ends of their 95 % confidence"
    " interval, the same score on the baseline's rows, what is estimated for all predictions"
    " without labels, and the bounds that the configuration expects. Precision, recall and F1 are"
    " of the positive class, or macro averages. Few labels make a wide interval.",
    unit="none",
    queries=[
        Query(_of(families.SCORES, WHOLE, _NAMED)),
        Query(_of(families.LOWER_ENDS, WHOLE, f"{_NAMED}_lower")),
        Query(_of(families.UPPER_ENDS, WHOLE, f"{_NAMED}_upper")),
        Query(_of(families.BASELINES, VERSION, "model_baseline_(.+?)(?:_ratio)?")),
        Query(_of(families.ESTIMATES, WHOLE, "model_estimated_(.+?)(?:_ratio)?")),
        _bound("min"),
        _bound("max"),
        Query(f"max by (score) (model_expectation_violated{{{WHOLE}}})"),
    ],
    empty=NO_LABELS,
    width=14,
    height=10,
    transformations=merged(
        rename={
            "score": "Score",
            "Value #A": "Value",
            "Value #B": "Lower",
            "Value #C": "Upper",
            "Value #D": "Baseline",
            "Value #E": "Estimated",
            "Value #F": "Min",
            "Value #G": "Max",
            "Value #H": "State",
        }
    ),
    overrides=[
        override(
            "/^(Value|Lower|Upper|Baseline|Estimated|Min|Max)$/", {"decimals": 3}, regexp=True
        ),
        override("State", {"mappings": [VIOLATED], **COLOURED_TEXT}),
    ],
)

HEADROOM = timeseries(
    "Headroom to expectations",
    "How far each score is from the bound that it is expected to keep, as a share of the bound."
    " Below 0 it is beyond; the alert waits until the whole confidence interval is.",
    unit="percentunit",
    queries=[Query(queries.HEADROOM, "{{score}} {{bound}}")],
    empty=NO_EXPECTATIONS,
    width=10,
    height=10,
    marks=BELOW_ZERO,
)

ROW = Row("Scorecard", [*NUMBERS, SCORES, HEADROOM])
