"""The templates for rollouts, and what Argo Rollouts makes of a result, in a few lines."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
GOOD, BAD, UNKNOWN = "successful", "failed", "inconclusive"


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "alerting/rollouts" / name).read_text()))


TEMPLATES = documents("argo-analysis-templates.yml")
METRIC_TEMPLATES = documents("flagger-metric-templates.yml")
EXAMPLES = [
    yaml.safe_load(block)
    for block in re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs/rollouts.md").read_text(), flags=re.DOTALL
    )
]


def argo_metrics(**values: str) -> dict[str, dict[str, Any]]:
    """Return the metrics of both templates by name, with their arguments in place."""
    found = {}
    for template in TEMPLATES:
        known = {arg["name"]: arg.get("value") for arg in template["spec"]["args"]}
        known.update({k.replace("_", "-"): v for k, v in values.items()})
        for metric in template["spec"]["metrics"]:
            text = re.sub(r"\{\{args\.([\w-]+)\}\}", lambda m, k=known: k[m[1]], json.dumps(metric))
            found[metric["name"]] = json.loads(text)
    return found


def flagger_query(query: str, variables: dict[str, str]) -> str:
    """Return a query with its variables in place."""
    return re.sub(r"\{\{ variables\.(\w+) \}\}", lambda m: variables[m[1]], query)


def rollout_queries() -> list[tuple[str, str]]:
    """Return every query, with values in place, and where it is."""
    metrics = argo_metrics(model_name="churn", version="4")
    queries = [(n, m["provider"]["prometheus"]["query"]) for n, m in metrics.items()]
    for template in METRIC_TEMPLATES:
        text = re.sub(r"\{\{ variables\.minimum_\w+ \}\}", "100", template["spec"]["query"])
        queries.append((template["metadata"]["name"], text))
    return queries


def holds(condition: str, result: list[float]) -> bool:
    """Restate the few operators that the conditions use."""
    assert re.fullmatch(r"[\w\s().\[\]<>=&]+", condition)
    return bool(eval(condition.replace("&&", "and"), {"result": result, "len": len}))


def measurement(metric: dict[str, Any], result: list[float]) -> str:
    """Say what Argo Rollouts calls a measurement: failure first, neither is inconclusive."""
    if holds(metric["failureCondition"], result):
        return BAD
    return GOOD if holds(metric["successCondition"], result) else UNKNOWN


def assessment(metric: dict[str, Any], measurements: Sequence[str]) -> str:
    """Say what the whole metric is, after these measurements; "running" until it is something."""
    in_a_row = 0
    for number, one in enumerate(measurements, start=1):
        in_a_row = in_a_row + 1 if one == GOOD else 0
        seen = measurements[:number]
        if seen.count(UNKNOWN) > metric["inconclusiveLimit"]:
            return UNKNOWN
        if seen.count(BAD) > metric["failureLimit"]:
            return BAD
        if in_a_row >= metric["consecutiveSuccessLimit"]:
            return GOOD
        if number == metric["count"]:
            return UNKNOWN
    return "running"
