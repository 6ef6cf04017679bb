"""Attention: what fires, and every model in one line."""

from model_exporter.bundle import links, queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    COLOURED_TEXT,
    NO_PREDICTIONS,
    PSI_STEPS,
    VIOLATION,
    merged,
    organized,
    override,
)
from model_exporter.bundle.panels import table
from model_exporter.bundle.selectors import ALERT, PER_MODEL, WHOLE

FIRING = table(
    "Firing alerts",
    "Alerts about models that fire now; the notification links the runbook of each.",
    unit="none",
    queries=[
        Query(
            "max by (alertname, severity, category, model_name, model_version, feature, window)"
            f' (ALERTS{{alertstate="firing", alertname=~"Model.+", {ALERT}}})'
        )
    ],
    empty="nothing fires",
    height=7,
    transformations=[
        organized(
            rename={
                "severity": "Severity",
                "alertname": "Alert",
                "model_name": "Model",
                "model_version": "Version",
                "feature": "Feature",
                "window": "Window",
                "category": "Category",
            },
            hide=["Value"],
        )
    ],
)

MODELS = table(
    "Models",
    "One line a model version; a click on the model opens its quality and drift. Quality is of the"
    " chosen window, with the ends of its 95 % confidence interval, and empty until labels come.",
    unit="short",
    queries=[
        Query(queries.PREDICTION_RATE),
        Query(queries.ERROR_RATIO),
        Query(queries.LATENCY_P99),
        Query(f"max by ({PER_MODEL}) (model_accuracy_ratio{{{WHOLE}}})"),
        Query(f"max by ({PER_MODEL}) (model_accuracy_ratio_lower{{{WHOLE}}})"),
        Query(f"max by ({PER_MODEL}) (model_accuracy_ratio_upper{{{WHOLE}}})"),
        Query(f"max by ({PER_MODEL}) (model_roc_auc{{{WHOLE}}})"),
        Query(f"max by ({PER_MODEL}) (model_mae{{{WHOLE}}})"),
        Query(queries.COVERAGE),
        Query(queries.WORST_PSI),
        Query(queries.VIOLATED),
    ],
    empty=NO_PREDICTIONS,
    transformations=merged(
        rename={
            "model_name": "Model",
            "model_version": "Version",
            "Value #A": "Predictions/s",
            "Value #B": "Failed",
            "Value #C": "p99",
            "Value #D": "Accuracy",
            "Value #E": "Accuracy, lower",
            "Value #F": "Accuracy, upper",
            "Value #G": "ROC AUC",
            "Value #H": "MAE",
            "Value #I": "Label coverage",
            "Value #J": "Worst PSI",
            "Value #K": "Expectations",
        }
    ),
    overrides=[
        override("Model", {"links": [links.to_quality("${__value.raw}")]}),
        override("/^(Failed|Accuracy.*|Label coverage)$/", {"unit": "percentunit"}, regexp=True),
        override("p99", {"unit": "s"}),
        override("/^(ROC AUC|Worst PSI)$/", {"unit": "none", "decimals": 3}, regexp=True),
        override("Worst PSI", {"thresholds": PSI_STEPS, **COLOURED_TEXT}),
        override("Expectations", {**VIOLATION, **COLOURED_TEXT}),
    ],
)

ROW = Row("Attention", [FIRING, MODELS])
