"""What happened: marks across every panel of a dashboard."""

from model_exporter.bundle.grafana import DATASOURCE, Json
from model_exporter.bundle.selectors import ALERT, MODEL, PER_MODEL


def _annotation(name: str, colour: str, *, expr: str, title: str, text: str, tags: str) -> Json:
    return {
        "datasource": DATASOURCE,
        "enable": True,
        "expr": expr,
        "hide": False,
        "iconColor": colour,
        "name": name,
        "step": "60s",
        "tagKeys": tags,
        "textFormat": text,
        "titleFormat": title,
        "useValueForTime": False,
    }


OF_GRAFANA: Json = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}

DEPLOYMENTS = _annotation(
    "Deployments",
    "blue",
    expr=(
        f"max by ({PER_MODEL}) (model_info{{{MODEL}}})"
        f" unless max by ({PER_MODEL}) (last_over_time(model_info{{{MODEL}}}[10m] offset 1m))"
    ),
    title="{{model_name}} {{model_version}} deployed",
    text="A version that was not there for ten minutes",
    tags="model_name,model_version",
)

FIRING = _annotation(
    "Firing alerts",
    "red",
    expr=(
        "max by (alertname, severity, model_name)"
        f' (ALERTS{{alertstate="firing", alertname=~"Model.+", {ALERT}}})'
    ),
    title="{{alertname}}",
    text="{{model_name}}",
    tags="severity",
)

ANNOTATIONS = (OF_GRAFANA, DEPLOYMENTS, FIRING)
