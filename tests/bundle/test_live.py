"""Every query of every dashboard runs on a real Prometheus and finds what the catalogue serves."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.bundle.history import LABELS, TARGET, exposition, series, served

from model_exporter.bundle.dashboards import DASHBOARDS
from model_exporter.catalogue import Family

STEP_SECONDS = 30
MINUTES = 70
CROWD = 40
"""More of everything than can be told apart."""
CROWD_STEP_SECONDS = 60
CROWD_MINUTES = 12
MANY = ("model_name", "feature", "error_type", "segment_value", "source", "measure", "instance")
MOST_LINES = 30
VARIABLES = {
    "$__rate_interval": "2m",
    "$__range": "1h",
    "$job": ".+",
    "$instance": ".+",
    "$model_name": ".+",
    "$model_version": ".+",
    "$window": "1d",
    "$feature": "age",
    "$segment": ".+",
    "$score": "accuracy",
    "$objective": "0.99",
    "$latency_target": "0.1",
}
EXCUSED = {"offset 1w": "the history is an hour long"}


@pytest.fixture(scope="module")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable, run: Callable
) -> Iterator[tuple[str, int]]:
    """Start a Prometheus on an hour of history; yield its address and the end of the hour."""
    now = int(time.time()) - 60
    lines = exposition(range(now - MINUTES * 60, now, STEP_SECONDS), series, [TARGET])
    with served(tmp_path_factory.mktemp("prometheus"), lines, require_tool, run) as url:
        yield url, now - STEP_SECONDS


@pytest.fixture(scope="module")
def crowd(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable, run: Callable
) -> Iterator[tuple[str, int]]:
    """Start a Prometheus with 40 models, features, segments, instances, ... of every family."""
    now = int(time.time()) - 60
    instants = range(now - CROWD_MINUTES * 60, now, CROWD_STEP_SECONDS)
    others = [
        {"job": "j", "instance": f"{i}", "model_name": f"m{i}", "alertname": f"Model{i}"}
        for i in range(CROWD)
    ]
    lines = exposition(instants, crowded, others)
    with served(tmp_path_factory.mktemp("crowd"), lines, require_tool, run) as url:
        yield url, now - CROWD_STEP_SECONDS


def crowded(family: Family) -> list[dict[str, str]]:
    """Return the label sets of a family with each of its labels of many values in 40 of them."""
    base = {**TARGET, **{label: LABELS.get(label, "x") for label in family.labels}}
    found = [base]
    for label in MANY:
        if label in base:
            more = {"segment": "country"} if label == "segment_value" else {}
            found += [{**base, **more, label: f"{label}{i}"} for i in range(CROWD)]
    return found


def answer(url: str, query: str, at: int) -> list[Any]:
    return asked(f"{url}/api/v1/query", {"query": filled(query, VARIABLES), "time": at})


def filled(query: str, variables: dict[str, str]) -> str:
    for variable, value in variables.items():
        query = query.replace(variable, value)
    return query


def asked(url: str, parameters: dict[str, Any]) -> list[Any]:
    body = urllib.parse.urlencode(parameters).encode()
    try:
        with urllib.request.urlopen(url, body, timeout=10) as response:
            return json.load(response)["data"]["result"]
    except urllib.error.HTTPError as error:
        pytest.fail(f"{parameters['query']}\n{error.read().decode()}")


def test_a_crowd_draws_no_more_lines_than_can_be_told_apart(crowd: tuple[str, int]) -> None:
    """Numbers stay one number, and timelines and lines stay few, at every point of the range."""
    url, end = crowd
    too_many = []
    for name, dashboard in DASHBOARDS.items():
        chosen = {
            f"${variable['name']}": LABELS[variable["name"]]
            for variable in dashboard["templating"]["list"]
            if variable["name"] in {"model_name", "model_version"} and not variable["multi"]
        }
        for panel in panels(dashboard):
            for target in panel.get("targets", ()):
                query = filled(target["expr"], {**VARIABLES, **chosen, "$__range": "10m"})
                if target["instant"]:
                    found = asked(f"{url}/api/v1/query", {"query": query, "time": end})
                else:
                    found = asked(
                        f"{url}/api/v1/query_range",
                        {"query": query, "start": end - 600, "end": end, "step": 60},
                    )
                most = {"stat": 1, "table": CROWD * 3}.get(panel["type"], MOST_LINES)
                if len(found) > most:
                    too_many.append((name, panel["title"], len(found)))
    assert too_many == []


def test_every_panel_has_data(prometheus: tuple[str, int]) -> None:
    empty = [
        f"{name}: {panel['title']}: {target['expr']}"
        for name, dashboard in DASHBOARDS.items()
        for panel in panels(dashboard)
        for target in panel.get("targets", ())
        if not any(part in target["expr"] for part in EXCUSED)
        and not answer(prometheus[0], target["expr"], prometheus[1])
    ]
    assert empty == []


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels, also those inside collapsed rows."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def test_every_variable_has_values(prometheus: tuple[str, int]) -> None:
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                inner = variable["query"]["query"].removeprefix("label_values(").removesuffix(")")
                selector, _, label = inner.rpartition(", ")
                found = answer(prometheus[0], f"count by ({label}) ({selector})", prometheus[1])
                assert any(one["metric"].get(label) for one in found), variable["name"]


def test_bins_carry_a_number_to_be_sorted_by(prometheus: tuple[str, int]) -> None:
    """As text, 10 would stand before 9."""
    (panel,) = [
        panel
        for panel in DASHBOARDS["model-drift.json"]["panels"]
        if panel["title"] == "Distribution against the baseline"
    ]
    found = answer(prometheus[0], panel["targets"][1]["expr"], prometheus[1])
    edges = {one["metric"]["bin"]: one["metric"].get("edge") for one in found}
    edges.pop("x", None)
    in_order = sorted(edges, key=lambda name: float(edges[name]))
    assert in_order == ["(-Inf,9)", "[9,10)", "[10,+Inf)"]
