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
    "segment": ".+",
    "score": "accuracy",
    "objective": "0.99",
    "latency_target": "0.25",
}
MOST_SERIES = 30
LABEL_VALUES = re.compile(r"label_values\((?:(?P<match>.+),\s*)?(?P<label>\w+)\)", re.DOTALL)
EXCUSED = {
    ("Volume of the window", "B"): "nobody was there a week ago",
}
"""Queries without data in this world, with the reason."""


def replaced(text):
    """Replace variables as Grafana does, in every form; `$1` and `${1}` are no variables."""

    def value(found):
        return VALUES[found["plain"] or found["braced"]]

    return re.sub(
        r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?::\w+)?\})", value, text
    )


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries(dashboard):
    """Yield ((panel title, target), expression) of every target."""
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            yield (panel["title"], target["refId"]), target["expr"]


@pytest.fixture(params=DASHBOARDS, ids=lambda path: path.stem)
def dashboard(request):
    return json.loads(request.param.read_text("utf-8"))


def test_there_are_dashboards():
    assert DASHBOARDS


def test_panels_have_data(world, dashboard, eventually):
    """No query fails, and every one finds something once the models have been used."""
    empty = dict(queries(dashboard))

    def whole():
        for key, expression in list(empty.items()):
            if world.get("query", query=replaced(expression))["result"]:
                del empty[key]
        return empty.keys() <= EXCUSED.keys()

    eventually(whole, what=empty.keys())


def test_ranges(world, dashboard):
    """The same queries run over a range, as Grafana asks them, and draw few enough lines."""
    now = time.time()
    for (title, _), expression in queries(dashboard):
        found = world.get(
            "query_range",
            query=replaced(expression),
            start=f"{now - 30:.3f}",
            end=f"{now:.3f}",
            step="5s",
        )["result"]
        assert len(found) <= MOST_SERIES, title


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


def test_annotations_have_something_to_mark(world, dashboard, eventually):
    """The versions that came, and the alerts that fired, since the world began."""

    def marked(expression):
        now = time.time()
        return world.get(
            "query_range",
            query=replaced(expression),
            start=f"{now - 300:.3f}",
            end=f"{now:.3f}",
            step="1s",
        )["result"]

    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            eventually(lambda: marked(annotation["expr"]), what=annotation["name"])  # noqa: B023
