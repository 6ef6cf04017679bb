"""The fleet: how many models there are and are in trouble, and each of them in one line."""

from model_exporter.bundle import links, queries, thresholds
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    ANY,
    BELOW_ZERO,
    COLOURED_CELL,
    COLOURED_TEXT,
    CRITICAL_HELP,
    CRITICAL_STEPS,
    NO_DRIFT,
    NO_EXPECTATIONS,
    NO_PREDICTIONS,
    NO_RULES,
    VIOLATED,
    merged,
    override,
    steps,
)
from model_exporter.bundle.panels import stat, table
from model_exporter.bundle.selectors import MODEL, PER_MODEL, VERSION, WHOLE

ALERTS_FIRING = f"max by (model_name) (model_target:model_alerts_firing:count{{{MODEL}}})"
KNOWN = f"group by (model_name) (model_info{{{VERSION}}} or model_window_predictions{{{WHOLE}}})"

NUMBERS = (
    stat(
        "Models",
        "Models that a model server or the exporter job serves metrics of.",
        unit="short",
        query=Query(f"count({KNOWN})"),
        empty=NO_PREDICTIONS,
    ),
    stat(
        "Alerts firing",
        "Kinds of alerts that fire now, of each model; one of five features counts once.",
        unit="short",
        query=Query(f"sum({ALERTS_FIRING})"),
        empty=NO_RULES,
        marks=ANY,
    ),
    stat(
        "Predictions",
        "Rows predicted per second, of all chosen models and replicas. A batch call of 100 rows"
        " counts 100.",
        unit="cps",
        query=Query(f"sum(rate(model_predictions_total{{{VERSION}}}[$__rate_interval]))"),
        empty=NO_PREDICTIONS,
    ),
    stat(
        "Failing models",
        "Model versions of which more calls fail than ModelErrorRatioHigh takes for normal.",
        unit="short",
        query=Query(f"sum(({queries.ERROR_RATIO}) > bool {thresholds.ERROR_RATIO})"),
        empty=NO_PREDICTIONS,
        marks=ANY,
    ),
    stat(
        "Drifted models",
        "Model versions with a feature that the drift test takes for moved, in the chosen window.",
        unit="short",
        query=Query(f"sum(({queries.DRIFTED}) > bool 0)"),
        empty=NO_DRIFT,
        marks=ANY,
    ),
    stat(
        "Below expectation",
        "Model versions with a score whose whole confidence interval lies beyond the bound that"
        " the configuration expects.",
        unit="short",
        query=Query(f"sum({queries.VIOLATED})"),
        empty=NO_EXPECTATIONS,
        marks=ANY,
    ),
)

MODELS = table(
    "Models in one line",
    "A click on a name leads to the model's dashboards. Headroom: how far the worst of the scores"
    " that are expected to keep a bound is from it, as a share of the bound; below 0 it is beyond,"
    " and the expectation is violated when the whole confidence interval is. Drift: worst feature's"
    + CRITICAL_HELP,
    unit="short",
    queries=[
        Query(
            f"{ALERTS_FIRING} * on (model_name) group_right group by ({PER_MODEL})"
            f" (model_info{{{VERSION}}} or model_window_predictions{{{WHOLE}}})"
        ),
        Query(queries.PREDICTION_RATE),
        Query(queries.ERROR_RATIO),
        Query(queries.LATENCY_P99),
        Query(queries.VIOLATED),
        Query(f"min by ({PER_MODEL}) ({queries.HEADROOM})"),
        Query(queries.WORST_DRIFT),
        Query(queries.DRIFTED),
        Query(queries.COVERAGE),
        Query(
            f"time() - max by ({PER_MODEL}) (model_last_prediction_timestamp_seconds{{{VERSION}}})"
        ),
    ],
    empty=NO_PREDICTIONS,
    height=11,
    sort="Alerts",
    transformations=merged(
        rename={
            "model_name": "Model",
            "model_version": "Version",
            "Value #A": "Alerts",
            "Value #B": "Predictions/s",
            "Value #C": "Failed",
            "Value #D": "p99",
            "Value #E": "Expectations",
            "Value #F": "Headroom",
            "Value #G": "Drift",
            "Value #H": "Drifted features",
            "Value #I": "Label coverage",
            "Value #J": "Last call",
        }
    ),
    overrides=[
        override("Model", {"links": links.to_model(links.MODEL_OF_ROW)}),
        override("Alerts", {"thresholds": ANY, **COLOURED_CELL}),
        override("Predictions/s", {"unit": "cps"}),
        override(
            "Failed",
            {
                "unit": "percentunit",
                "thresholds": steps((thresholds.ERROR_RATIO, "red")),
                **COLOURED_TEXT,
            },
        ),
        override("/^(p99|Last call)$/", {"unit": "s"}, regexp=True),
        override("Expectations", {"mappings": [VIOLATED], **COLOURED_TEXT}),
        override(
            "Headroom",
            {"unit": "percentunit", "decimals": 1, "thresholds": BELOW_ZERO, **COLOURED_TEXT},
        ),
        override("Drift", {"decimals": 2, "thresholds": CRITICAL_STEPS, **COLOURED_TEXT}),
        override("Drifted features", {"thresholds": ANY, **COLOURED_TEXT}),
        override("Label coverage", {"unit": "percentunit"}),
    ],
)

ROW = Row("Fleet", [*NUMBERS, MODELS])
