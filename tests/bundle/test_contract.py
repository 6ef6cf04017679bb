"""Every metric and label that a query reads is one that the catalogue says is served."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.bundle.rollouts import rollout_queries

from model_exporter.bundle.dashboards import DASHBOARDS
from model_exporter.catalogue import BY_NAME, FAMILIES, Kind

OF_TARGETS = {"job", "instance", "namespace", "pod"}
OF_ALERTS = {"alertname", "alertstate", "severity", "category"}
OF_PROMETHEUS = {
    "up": OF_TARGETS,
    "scrape_duration_seconds": OF_TARGETS,
    "scrape_samples_post_metric_relabeling": OF_TARGETS,
    "process_cpu_seconds_total": OF_TARGETS,
    "process_resident_memory_bytes": OF_TARGETS,
    "process_open_fds": OF_TARGETS,
    "process_max_fds": OF_TARGETS,
    "model_.+": {"model_name", *OF_TARGETS},
    "ALERTS": {"model_name", *OF_ALERTS, *OF_TARGETS},
    "ALERTS_FOR_STATE": {"model_name", *OF_ALERTS, *OF_TARGETS},
    "prometheus_notifications_alertmanagers_discovered": set(),
}
CATALOGUED_LABELS = {label for family in FAMILIES for label in family.labels}
LABELS = CATALOGUED_LABELS | OF_TARGETS | OF_ALERTS | {"le"}


def served_labels(name: str, recorded: dict[str, str], promql: SimpleNamespace) -> set[str] | None:
    """Return the labels that a metric can carry, or None if nobody serves it."""
    if name in BY_NAME:
        return {*BY_NAME[name].labels, *OF_TARGETS}
    for suffix in ("_bucket", "_sum", "_count"):
        family = BY_NAME.get(name.removesuffix(suffix))
        if name.endswith(suffix) and family and family.kind is Kind.HISTOGRAM:
            return {*family.labels, *OF_TARGETS, *({"le"} if suffix == "_bucket" else ())}
    if name in recorded:
        sources = [name, *(s.name for s in promql.selectors(recorded[name]) if s.name in recorded)]
        grouped = set().union(*(promql.grouping_labels(recorded[one]) for one in sources))
        added = set(re.findall(r'"(\w+)", "all"', recorded[name]))
        return (grouped | added) or LABELS
    return OF_PROMETHEUS.get(name)


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels, also those inside collapsed rows."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def dashboard_queries() -> Iterator[tuple[str, str]]:
    for name, dashboard in DASHBOARDS.items():
        for panel in panels(dashboard):
            for target in panel.get("targets", ()):
                yield f"{name}: {panel['title']}", target["expr"]
        for annotation in dashboard["annotations"]["list"]:
            if "expr" in annotation:
                yield f"{name}: {annotation['name']}", annotation["expr"]
        for variable in dashboard["templating"]["list"]:
            query = variable.get("query")
            if isinstance(query, dict):
                inner = query["query"].removeprefix("label_values(").removesuffix(")")
                yield f"{name}: ${variable['name']}", inner.rpartition(",")[0]


@pytest.fixture(scope="module")
def queries(rules: list[dict[str, Any]], runbooks: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [
        *dashboard_queries(),
        *((rule.get("alert", rule.get("record")), rule["expr"]) for rule in rules),
        *rollout_queries(),
        *((f"{page}.md", query) for page, found in runbooks.items() for query in found),
    ]


def test_every_metric_is_served_with_every_label_it_is_asked_for(
    queries: list[tuple[str, str]], recorded: dict[str, str], promql: SimpleNamespace
) -> None:
    problems = []
    for where, query in queries:
        for selector in promql.selectors(query):
            for name in selector.names:
                labels = served_labels(name, recorded, promql)
                if labels is None:
                    problems.append(f"{where}: {name} is not in the catalogue")
                elif unknown := selector.labels - labels:
                    problems.append(f"{where}: {name} has no label {sorted(unknown)}")
    assert problems == []


def test_every_label_that_is_grouped_or_matched_by_exists(
    queries: list[tuple[str, str]], promql: SimpleNamespace
) -> None:
    unknown = {w: promql.grouping_labels(q) - LABELS for w, q in queries}
    assert {where: labels for where, labels in unknown.items() if labels} == {}


def test_every_legend_names_labels_that_exist() -> None:
    for dashboard in DASHBOARDS.values():
        for panel in panels(dashboard):
            for target in panel.get("targets", ()):
                assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= LABELS


def test_nothing_is_recorded_that_nobody_reads(
    queries: list[tuple[str, str]], recorded: dict[str, str], promql: SimpleNamespace
) -> None:
    """A recorded series costs memory for ever: an alert, a panel or a runbook has to ask for it."""
    read = {name for _, query in queries for s in promql.selectors(query) for name in s.names}
    assert set(recorded) - read == set()


def test_names_are_written_out(root: Path) -> None:
    """One grep finds every use of a metric: the source of the bundle holds whole names."""
    source = "".join(
        path.read_text() for path in (root / "exporter/model_exporter/bundle").rglob("*.py")
    )
    used = {name for _, query in dashboard_queries() for name in BY_NAME if name in query}
    assert {name for name in used if name not in source} == set()
