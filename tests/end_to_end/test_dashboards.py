"""Every query of every dashboard runs against the live Prometheus, as Grafana would send it."""

import json
import re
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "dashboards").glob("*.json"))
VALUES = {
    "__rate_interval": "10s",
    "__interval": "5s",
    "__range": "1m",
    "datasource": "prometheus",
    "job": ".+",
    "instance": ".+",
    "model_name": ".+",
    "model_version": ".+",
    "window": "30s",
    "feature": "temp",
}
LABEL_VALUES = re.compile(r"label_values\((?:(?P<match>.+),\s*)?(?P<label>\w+)\)", re.DOTALL)
EXCUSED: dict[str, str] = {}
"""Panels without data in this world, with the reason."""


def replaced(text):
    """Replace variables as Grafana does: `$name`, `${name}`, `${name:format}`; not `$1`."""

    def value(found):
        return VALUES[found["plain"] or found["braced"]]

    return re.sub(r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>\w+)(?::\w+)?\})", value, text)


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries(dashboard):
    """Yield (panel title, expression) of every target."""
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.fixture(params=DASHBOARDS, ids=lambda path: path.stem)
def dashboard(request):
    return json.loads(request.param.read_text("utf-8"))


def test_there_are_dashboards():
    assert DASHBOARDS


def test_panels_have_data(world, dashboard, eventually):
    """No query fails, and every panel shows something once the models have been used."""
    empty = set()

    def whole():
        found = {title: [] for title, _ in queries(dashboard)}
        for title, expression in queries(dashboard):
            found[title] += world.get("query", query=replaced(expression))["result"]
        empty.clear()
        empty.update(title for title, result in found.items() if not result)
        return empty <= set(EXCUSED)

    eventually(whole, what=empty)


def test_ranges(world, dashboard):
    """The same queries run over a range, as time series panels ask them."""
    now = time.time()
    for _, expression in queries(dashboard):
        world.get(
            "query_range",
            query=replaced(expression),
            start=f"{now - 30:.3f}",
            end=f"{now:.3f}",
            step="5s",
        )


def test_variables_have_values(world, dashboard, eventually):
    """Each query variable offers something to choose."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        found = LABEL_VALUES.fullmatch(variable["query"]["query"])
        assert found, variable["query"]["query"]
        match = {"match[]": replaced(found["match"])} if found["match"] else {}
        path = f"label/{found['label']}/values"
        eventually(lambda: world.get(path, **match), what=variable["name"])  # noqa: B023


def test_annotations_run(world, dashboard):
    """Annotation queries, if any, run."""
    for annotation in dashboard.get("annotations", {}).get("list", ()):
        if "expr" in annotation:
            world.get("query", query=replaced(annotation["expr"]))
