"""Dashboards keep the rules of dashboard-linter, are well placed, and are what Grafana reads."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

Json = dict[str, Any]
UNITS = {"none", "short", "percentunit", "s", "cps", "reqps", "bytes", "dateTimeFromNow"}
"""Ids of Grafana's value formats, those that dashboard-linter knows too."""
KINDS = {
    *("stat", "table", "timeseries", "barchart", "bargauge", "trend"),
    *("state-timeline", "heatmap"),
}
MOST_LINES = 30
BOUNDED_LABELS = {"level", "window", "subject", "bound", "outcome", "k", "threshold", "reason"}
"""Labels that have a few values, whatever the number of models and features."""
OF_ONE_MODEL = {"class", "score", "bin", "actual_class", "predicted_class", "cohort"}
"""Labels that have a few values for one model."""


@pytest.fixture(scope="module")
def dashboards(root: Path) -> list[Json]:
    return [json.loads(path.read_text()) for path in sorted((root / "dashboards").glob("*.json"))]


def every(panels: list[Json]) -> Iterator[Json]:
    """Yield panels and rows, also what is inside collapsed rows."""
    for panel in panels:
        yield panel
        yield from panel.get("panels", ())


@pytest.fixture(scope="module")
def panels(dashboards: list[Json]) -> list[tuple[Json, Json]]:
    return [
        (dashboard, panel)
        for dashboard in dashboards
        for panel in every(dashboard["panels"])
        if panel["type"] != "row"
    ]


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


def test_every_dashboard_has_the_variables_that_links_carry(dashboards: list[Json]) -> None:
    """A model's name and version, and the window, are kept from dashboard to dashboard."""
    for dashboard in dashboards:
        by_name = variables(dashboard)
        assert {"model_name", "model_version", "window"} <= by_name.keys()
        for variable in (by_name["model_name"], by_name["model_version"]):
            assert variable["multi"] == variable["includeAll"]
            assert not variable["multi"] or variable["allValue"] == ".+"
        (link,) = dashboard["links"]
        assert link["includeVars"] is link["keepTime"] is True
        assert set(dashboard["tags"]) >= set(link["tags"])


def test_every_variable_that_is_used_is_there_and_the_other_way_round(
    dashboards: list[Json],
) -> None:
    """`$name` and `${name}` in queries, titles and links; a variable nobody reads is in the way."""
    for dashboard in dashboards:
        names = variables(dashboard).keys()
        text = json.dumps(dashboard)
        used = set(re.findall(r"\$\{?([a-z]\w*)", text)) - {"datasource"}
        assert used <= names
        assert names - {"datasource", "window"} <= used


def test_annotations_mark_deployments_and_alerts(dashboards: list[Json]) -> None:
    for dashboard in dashboards:
        by_name = {one["name"]: one for one in dashboard["annotations"]["list"]}
        for name, metric in (("Deployments", "model_info"), ("Firing alerts", "ALERTS")):
            assert by_name[name]["enable"]
            assert metric in by_name[name]["expr"]
            assert by_name[name]["datasource"]["uid"] == "${datasource}"


def test_panel_rules(panels: list[tuple[Json, Json]]) -> None:
    """panel-datasource, -title-description, -units and -no-targets."""
    for _, panel in panels:
        assert panel["type"] in KINDS
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        for override in panel["fieldConfig"]["overrides"]:
            units = {p["value"] for p in override["properties"] if p["id"] == "unit"}
            assert units <= UNITS
        assert panel["targets"]


def test_every_panel_says_why_it_is_empty(panels: list[tuple[Json, Json]]) -> None:
    assert all(panel["fieldConfig"]["defaults"]["noValue"] for _, panel in panels)


def test_why_a_number_is_missing_fits_its_panel(panels: list[tuple[Json, Json]]) -> None:
    """Grafana shrinks the text in place of a number to one line; the description says more."""
    for _, panel in panels:
        if panel["type"] == "stat":
            short = panel["fieldConfig"]["defaults"]["noValue"]
            assert len(short) <= 20
            assert f'"{short}": ' in panel["description"]


def test_target_rules(panels: list[tuple[Json, Json]], promql: SimpleNamespace) -> None:
    """target-promql, -rate-interval, -job, -instance and -counter-agg."""
    found = [
        (rule, dashboard["title"], panel["title"])
        for dashboard, panel in panels
        for target in panel["targets"]
        for rule in broken_rules(target["expr"], promql)
    ]
    assert found == []


def test_lines_are_bounded(panels: list[tuple[Json, Json]]) -> None:
    """200 models or 1,000 features draw no more lines than can be told apart.

    A query over time is one number, or chooses, or is split by labels of few values only: by those
    of one model where the dashboard shows one model.
    """
    for dashboard, panel in panels:
        if panel["type"] in {"table", "barchart", "trend"}:
            continue
        one = not variables(dashboard)["model_name"]["multi"]
        for target in panel["targets"]:
            expr = target["expr"]
            chosen = re.findall(r"(?:topk|bottomk)\((\d+)", expr)
            if chosen:
                assert max(map(int, chosen)) <= MOST_LINES
                assert target["instant"] or "@ end()" in expr, panel["title"]
                continue
            split = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) - {"le"}
            allowed = BOUNDED_LABELS | (OF_ONE_MODEL if one else set())
            assert split <= allowed, (dashboard["title"], panel["title"])
            assert not target["legendFormat"] or split or "by (" not in expr.partition("(")[0]


def broken_rules(query: str, promql: SimpleNamespace) -> Iterator[str]:
    for selector in promql.selectors(query):
        if ("job", "Re", "$job") not in selector.matchers:
            yield "target-job-rule"
        if ("instance", "Re", "$instance") not in selector.matchers:
            yield "target-instance-rule"
        counts = selector.name.endswith("_total")
        if counts and selector.function not in {"rate", "irate", "increase"}:
            yield "target-counter-agg-rule"
    for piece in re.split(r"\brate\(", query)[1:]:
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
        rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
        for group in (dashboard["panels"], *(row["panels"] for row in rows)):
            boxes = [panel["gridPos"] for panel in group]
            assert all(box["x"] + box["w"] <= 24 for box in boxes)
            for a, b in combinations(boxes, 2):
                assert apart(a, b), (dashboard["title"], a, b)
            for top in {box["y"] for box in boxes}:
                line = [box for box in boxes if box["y"] == top]
                assert sum(box["w"] for box in line) == 24, (dashboard["title"], line)
                assert len({box["h"] for box in line}) == 1


def apart(a: Json, b: Json) -> bool:
    return (
        a["x"] + a["w"] <= b["x"]
        or b["x"] + b["w"] <= a["x"]
        or a["y"] + a["h"] <= b["y"]
        or b["y"] + b["h"] <= a["y"]
    )


def test_ids_are_unique_and_follow_from_titles(dashboards: list[Json]) -> None:
    for dashboard in dashboards:
        ids = [panel["id"] for panel in every(dashboard["panels"])]
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
