"""Attention: what fires now, and what fired when."""

from model_exporter.bundle import links, queries
from model_exporter.bundle.charts import alert_list, state_timeline
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import FIRING, NO_RULES, linked
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
    width=16,
    height=9,
    overrides=[linked(links.to_model(links.MODEL_OF_SERIES))],
)

ROW = Row(
    "Attention",
    [
        STATES,
        alert_list(
            "Alerts now",
            "Alerts about the chosen models that fire or are about to; each links its runbook."
            " Grafana lists those of Prometheus where the data source may show alert rules.",
            width=8,
            height=9,
        ),
    ],
)
