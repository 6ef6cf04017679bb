"""Attention: what fires now, and what fired when."""

from model_exporter.bundle import links, queries
from model_exporter.bundle.charts import state_timeline
from model_exporter.bundle.grafana import Json, Query, Row
from model_exporter.bundle.looks import COLOURED_TEXT, FIRING, NO_RULES, linked, organized, override
from model_exporter.bundle.panels import table
from model_exporter.bundle.rules.rule import RUNBOOKS
from model_exporter.bundle.selectors import MODEL

STATES = state_timeline(
    "Alerts over time",
    "The worst alert that fired about each model, of the twenty models with the worst ones in the"
    " time range. A model without alerts is green; a gap means that nobody scraped it.",
    queries=[
        Query(
            queries.top_state(
                f"model_target:model_alerts_firing:severity{{{MODEL}}}", by="model_name", lines=20
            ),
            "{{model_name}}",
        )
    ],
    states=FIRING,
    empty=NO_RULES,
    width=12,
    height=9,
    overrides=[linked(links.to_model(links.MODEL_OF_SERIES))],
)

SEVERITIES: Json = {
    "type": "value",
    "options": {
        "critical": {"color": "red", "index": 0, "text": "critical"},
        "warning": {"color": "orange", "index": 1, "text": "warning"},
        "info": {"color": "blue", "index": 2, "text": "info"},
    },
}

RUNBOOK: Json = {
    "targetBlank": True,
    "title": "Runbook",
    "url": f"{RUNBOOKS}/${{__value.raw}}.md",
}

NOW = table(
    "Alerts now",
    "Alerts about the chosen models that fire, the newest first. A click on an alert opens its"
    " runbook, on a model its dashboards. They are over all instances: choosing one hides them.",
    unit="dateTimeFromNow",
    queries=[
        Query(
            "1000 * min by (severity, alertname, model_name, model_version, feature, window)"
            f" (model_alert:model_alerts_firing:start_timestamp_seconds{{{MODEL}}})"
        )
    ],
    empty="Nothing fires; or Prometheus does not load the recording rules of alerting/rules",
    width=12,
    height=9,
    sort="Since",
    transformations=[
        organized(
            rename={
                "severity": "Severity",
                "alertname": "Alert",
                "model_name": "Model",
                "model_version": "Version",
                "feature": "Feature",
                "window": "Window",
                "Value": "Since",
            }
        )
    ],
    overrides=[
        override("Severity", {"mappings": [SEVERITIES], **COLOURED_TEXT}),
        override("Alert", {"links": [RUNBOOK], "custom.minWidth": 240}),
        override("Since", {"custom.minWidth": 130}),
        override("Model", {"links": links.to_model(links.MODEL_OF_CELL)}),
    ],
)

ROW = Row("Attention", [STATES, NOW])
