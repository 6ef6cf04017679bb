"""PromQL and the files of the bundle, as the tests of this folder see them."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import promql_parser
import pytest
import yaml

ROOT = Path(__file__).parents[2]
GRAFANA_DURATIONS = {"$__rate_interval": "7m", "$__range": "1h", "$objective": "0.99"}


@dataclass(frozen=True)
class Selector:
    """A vector selector, with the function that takes it directly ("" if none)."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    function: str
    ranged: bool

    @property
    def names(self) -> list[str]:
        """Metric names, also of a selector by `__name__`."""
        if self.name:
            return [self.name]
        return [v for n, _, value in self.matchers if n == "__name__" for v in value.split("|")]

    @property
    def labels(self) -> set[str]:
        """Labels it asks for; a negative expression is also for series that lack the label."""
        return {name for name, op, _ in self.matchers if op != "NotRe"} - {"__name__"}


def parse(query: str) -> Any:
    for variable, duration in GRAFANA_DURATIONS.items():
        query = query.replace(variable, duration)
    return promql_parser.parse(query)


def walk(node: Any, function: str = "") -> Iterator[tuple[Any, str]]:
    """Yield every node with the name of the function that takes it directly."""
    yield node, function
    name = node.func.name if isinstance(node, promql_parser.Call) else ""
    children = [getattr(node, key, None) for key in ("lhs", "rhs", "expr", "param")]
    children += getattr(node, "args", [])
    for child in children:
        if child is not None:
            yield from walk(child, name)


def selectors(query: str) -> list[Selector]:
    found = []
    for node, function in walk(parse(query)):
        ranged = isinstance(node, promql_parser.MatrixSelector)
        vector = node.vector_selector if ranged else node
        if isinstance(vector, promql_parser.VectorSelector):
            matchers = tuple(
                (m.name, str(m.op).rpartition(".")[2], m.value) for m in vector.matchers.matchers
            )
            found.append(Selector(vector.name or "", matchers, function, ranged))
    return found


def grouping_labels(query: str) -> set[str]:
    """Return the labels of by, without, on, ignoring and group_left."""
    labels: set[str] = set()
    for node, _ in walk(parse(query)):
        modifier = getattr(node, "modifier", None)
        if modifier is None:
            continue
        for part in (modifier, getattr(modifier, "matching", None)):
            labels |= set(getattr(part, "labels", None) or ())
        labels |= set(getattr(modifier, "group_labels", None) or ())
    return labels


def runbook_queries() -> dict[str, list[str]]:
    """Return the queries of every runbook page; an unindented line begins a query."""
    pages = {}
    for path in sorted((ROOT / "alerting/runbooks").glob("*.md")):
        blocks = re.findall(r"```promql\n(.*?)```", path.read_text(), flags=re.DOTALL)
        queries: list[str] = []
        for line in "\n".join(blocks).splitlines():
            if line[:1] in {" ", ")"}:
                queries[-1] += "\n" + line
            elif line.strip():
                queries.append(line)
        pages[path.stem] = queries
    return pages


@pytest.fixture(scope="session")
def promql() -> SimpleNamespace:
    return SimpleNamespace(parse=parse, selectors=selectors, grouping_labels=grouping_labels)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def rules() -> list[dict[str, Any]]:
    """Every rule, as Prometheus reads it from the committed files."""
    files = sorted((ROOT / "alerting/rules").glob("*.yml"))
    documents = [yaml.safe_load(path.read_text()) for path in files]
    return [r for document in documents for group in document["groups"] for r in group["rules"]]


@pytest.fixture(scope="session")
def alerts(rules: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


@pytest.fixture(scope="session")
def recorded(rules: list[dict[str, Any]]) -> dict[str, str]:
    return {rule["record"]: rule["expr"] for rule in rules if "record" in rule}


@pytest.fixture(scope="session")
def runbooks() -> dict[str, list[str]]:
    return runbook_queries()


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program and return what it said; its exit status is the caller's to judge."""

    def call(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=120
        )

    return call
