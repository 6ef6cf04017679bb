"""Dashboards keep the rules of dashboard-linter, are well placed, and are what Grafana reads."""

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

Json = dict[str, Any]
UNITS = {"none", "short", "percentunit", "s", "cps"}
LINTED = {"stat", "gauge", "table", "timeseries", "barchart"}


def load(root: Path) -> list[Json]:
    return [json.loads(path.read_text()) for path in sorted((root / "dashboards").glob("*.json"))]


@pytest.fixture(scope="module")
def dashboards(root: Path) -> list[Json]:
    return load(root)


@pytest.fixture(scope="module")
def panels(dashboards: list[Json]) -> list[tuple[Json, Json]]:
    return [
        (dashboard, panel)
        for dashboard in dashboards
        for panel in dashboard["panels"]
        if panel["type"] != "row"
    ]


@pytest.fixture(scope="module")
def excluded(root: Path) -> set[tuple[str, str, str]]:
    """(rule, dashboard, panel) that dashboards/.lint lets pass."""
    exclusions = yaml.safe_load((root / "dashboards/.lint").read_text())["exclusions"]
    return {
        (rule, entry["dashboard"], entry["panel"])
        for rule, exclusion in exclusions.items()
        for entry in exclusion["entries"]
    }


def variables(dashboard: Json) -> dict[str, Json]:
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def test_template_rules(dashboards: list[Json], promql: SimpleNamespace) -> None:
    """template-datasource, -job, -instance, -label-promql and -on-time-change-reload."""
    for dashboard in dashboards:
        by_name = variables(dashboard)
        assert by_name["datasource"]["label"] == "Data source"
        assert by_name["datasource"]["query"] == "prometheus"
        for name, label in (("job", "Job"), ("instance", "Instance")):
            variable = by_name[name]
            assert (variable["type"], variable["label"]) == ("query", label)
            assert (variable["multi"], variable["allValue"]) == (True, ".+")
        for variable in by_name.values():
            if variable["type"] != "query":
                continue
            assert variable["datasource"]["uid"] == "${datasource}"
            assert variable["refresh"] == 2
            query = variable["query"]["query"]
            assert query.startswith("label_values(")
            promql.parse(query.removeprefix("label_values(").rpartition(",")[0])


def test_models_and_versions_can_be_chosen_together(dashboards: list[Json]) -> None:
    for dashboard in dashboards:
        for name in ("model_name", "model_version"):
            variable = variables(dashboard)[name]
            assert (variable["multi"], variable["includeAll"]) == (True, True)
            assert variable["allValue"] == ".+"
        assert "window" in variables(dashboard)


def test_panel_rules(panels: list[tuple[Json, Json]]) -> None:
    """panel-datasource, -title-description, -units and -no-targets."""
    for _, panel in panels:
        assert panel["type"] in LINTED
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["targets"]


def test_every_panel_says_why_it_is_empty(panels: list[tuple[Json, Json]]) -> None:
    assert all(panel["fieldConfig"]["defaults"]["noValue"] for _, panel in panels)


def test_target_rules(
    panels: list[tuple[Json, Json]],
    excluded: set[tuple[str, str, str]],
    promql: SimpleNamespace,
) -> None:
    """target-promql, -rate-interval, -job, -instance and -counter-agg."""
    found, used = [], set()
    for dashboard, panel in panels:
        for target in panel["targets"]:
            for rule in broken_rules(target["expr"], promql):
                place = (rule, dashboard["title"], panel["title"])
                if place in excluded:
                    used.add(place)
                else:
                    found.append(place)
    assert found == []
    assert excluded == used, "dashboards/.lint excludes what is not there"


def broken_rules(query: str, promql: SimpleNamespace) -> Iterator[str]:
    for selector in promql.selectors(query):
        if ("job", "Re", "$job") not in selector.matchers:
            yield "target-job-rule"
        if ("instance", "Re", "$instance") not in selector.matchers:
            yield "target-instance-rule"
        counts = selector.name.endswith("_total")
        if counts and selector.function not in {"rate", "irate", "increase"}:
            yield "target-counter-agg-rule"
    for piece in query.split("rate(")[1:]:
        if "[$__rate_interval]" not in piece.partition(")")[0]:
            yield "target-rate-interval-rule"


def test_our_own_lint_finds_what_it_should(promql: SimpleNamespace) -> None:
    query = 'rate(model_predictions_total{job="x"}[5m]) + model_predictions_total'
    assert sorted(set(broken_rules(query, promql))) == [
        "target-counter-agg-rule",
        "target-instance-rule",
        "target-job-rule",
        "target-rate-interval-rule",
    ]


def test_versions_are_not_counted_twice(
    panels: list[tuple[Json, Json]], promql: SimpleNamespace
) -> None:
    """Pooled versions and segments stand beside the series they are made of."""
    for _, panel in panels:
        for target in panel["targets"]:
            for selector in promql.selectors(target["expr"]):
                matchers = {name: (op, value) for name, op, value in selector.matchers[::-1]}
                both = [m for m in selector.matchers if m[0] == "model_version"]
                if both:
                    assert ("model_version", "NotEqual", "all") in both, target["expr"]
                if "segment" in matchers and matchers["segment"] == ("Equal", ""):
                    assert matchers["segment_value"] == ("Equal", "")


def test_uneditable_and_provisioned(dashboards: list[Json]) -> None:
    for dashboard in dashboards:
        assert dashboard["editable"] is False
        assert dashboard["schemaVersion"] == 39
        assert "__inputs" not in dashboard
        assert "id" not in dashboard
    uids = [dashboard["uid"] for dashboard in dashboards]
    assert len(set(uids)) == len(uids)


def test_panels_do_not_overlap_and_fill_the_width(dashboards: list[Json]) -> None:
    for dashboard in dashboards:
        boxes = [panel["gridPos"] for panel in dashboard["panels"]]
        assert all(box["x"] + box["w"] <= 24 for box in boxes)
        for a, b in combinations(boxes, 2):
            apart = (
                a["x"] + a["w"] <= b["x"]
                or b["x"] + b["w"] <= a["x"]
                or a["y"] + a["h"] <= b["y"]
                or b["y"] + b["h"] <= a["y"]
            )
            assert apart, (dashboard["title"], a, b)
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids)


def test_links_lead_to_dashboards_that_exist(dashboards: list[Json], alerts: Json) -> None:
    text = json.dumps(dashboards) + json.dumps(alerts)
    uids = {dashboard["uid"] for dashboard in dashboards}
    linked = {piece.partition("?")[0].partition('"')[0] for piece in text.split("/d/")[1:]}
    assert linked
    assert linked <= uids


@pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")
def test_grafana_types_know_every_key(dashboards: list[Json]) -> None:
    """A key that the SDK does not know is gone after a round trip through its types."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    for dashboard in dashboards:
        model = Dashboard.from_json(json.loads(json.dumps(dashboard)))
        back = json.loads(JSONEncoder().encode(model))
        assert list(lost(dashboard, back)) == []


def lost(before: Any, after: Any, path: str = "$") -> Iterator[str]:
    """Yield what `after` lacks of `before`; null and absent are the same."""
    if isinstance(before, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{path}.{key}")
            elif value is not None:
                yield f"{path}.{key}"
    elif isinstance(before, list):
        if len(before) != len(after):
            yield path
        for index, (a, b) in enumerate(zip(before, after, strict=False)):
            yield from lost(a, b, f"{path}[{index}]")
    elif before != after:
        yield path
