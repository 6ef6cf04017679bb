"""Asks a live Prometheus what the panels of a dashboard show, as Grafana would."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]
Ask = Callable[..., Any]
"""Path of Prometheus's API and parameters to the data of the answer."""

VARIABLE = re.compile(r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?::\w+)?\})")
LABEL_VALUES = re.compile(r"label_values\((?:(?P<match>.+),\s*)?(?P<label>\w+)\)", re.DOTALL)
RATE_INTERVAL = "10s"
STEPS = 240


def collected(
    dashboard: Json, ask: Ask, *, start: float, end: float, chosen: Mapping[str, str]
) -> Json:
    """Return a dashboard with the answers to its queries.

    Parameters
    ----------
    chosen
        Values of variables; others have what Grafana would choose.
    """
    values = _variables(dashboard, ask, chosen)
    step = max(1, round((end - start) / STEPS))
    span = f"{round(end - start)}s"
    names = {**values, "__rate_interval": RATE_INTERVAL, "__interval": f"{step}s", "__range": span}
    panels = [
        _answered(panel, ask, names, start=start, end=end, step=step)
        for panel in dashboard["panels"]  # those of closed rows are not shown
    ]
    shown = [
        {"label": variable["label"], "value": "All" if value == ".+" else value}
        for variable in dashboard["templating"]["list"]
        if (value := values[variable["name"]]) and not variable.get("hide")
    ]
    alerts = [
        each for each in ask("alerts")["alerts"] if each["labels"]["alertname"].startswith("Model")
    ]
    return {
        **dashboard,
        "panels": panels,
        "shown": shown,
        "from": start,
        "to": end,
        "alerts": alerts,
    }


def _answered(
    panel: Json, ask: Ask, values: Mapping[str, str], *, start: float, end: float, step: int
) -> Json:
    answers = {}
    for target in panel.get("targets", ()):
        query = replaced(target["expr"], values)
        if target["instant"]:
            found = ask("query", query=query, time=f"{end:.3f}")
        else:
            found = ask(
                "query_range", query=query, start=f"{start:.3f}", end=f"{end:.3f}", step=f"{step}s"
            )
        answers[target["refId"]] = found["result"]
    return {**panel, "title": replaced(panel["title"], values), "answers": answers}


def _variables(dashboard: Json, ask: Ask, chosen: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for variable in dashboard["templating"]["list"]:
        name, current = variable["name"], variable.get("current") or {}
        if name in chosen:
            values[name] = chosen[name]
        elif variable["type"] == "datasource":
            values[name] = "Prometheus"
        elif current.get("value") == ["$__all"] or current.get("value") == "$__all":
            values[name] = ".+"
        elif current.get("value"):
            values[name] = current["value"]
        else:
            values[name] = _first_value(variable["query"]["query"], ask, values)
    return values


def _first_value(query: str, ask: Ask, values: Mapping[str, str]) -> str:
    found = LABEL_VALUES.fullmatch(query)
    assert found, query
    match = {"match[]": replaced(found["match"], values)} if found["match"] else {}
    return next(iter(ask(f"label/{found['label']}/values", **match)), "")


def replaced(text: str, values: Mapping[str, str]) -> str:
    """Replace variables, in every form; `$1` and `${1}` are none."""
    return VARIABLE.sub(lambda found: values.get(found["plain"] or found["braced"], found[0]), text)
