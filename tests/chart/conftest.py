"""The chart, rendered by the real Helm."""

import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.custom_resources import definitions

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/model-exporter"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
Objects = list[dict[str, Any]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def chart() -> Path:
    return CHART


@pytest.fixture(params=CASES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def case(request: pytest.FixtureRequest) -> Path:
    """One of the values files: together they have every optional object."""
    return request.param


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program and return what it said; its exit status is the caller's to judge."""

    def call(*command: str | Path) -> subprocess.CompletedProcess[str]:
        words = [str(part) for part in command]
        return subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=ROOT)

    return call


@pytest.fixture(scope="session")
def render(run: Callable, require_tool: Callable) -> Callable[..., Objects]:
    """Return the objects of a values file, with further options of `helm template`."""

    @functools.cache
    def text(*words: str | Path) -> str:
        done = run(require_tool("helm"), "template", "release", CHART, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def call(values: str | Path, *options: str | Path) -> Objects:
        path = CHART / f"ci/{values}-values.yaml" if isinstance(values, str) else values
        rendered = text("--namespace", "models", "--values", path, *options)
        return [document for document in yaml.load_all(rendered, yaml.CSafeLoader) if document]

    return call


@pytest.fixture(scope="session")
def only() -> Callable[[Objects, str], dict[str, Any]]:
    """Return the one object of a kind."""

    def call(objects: Objects, kind: str) -> dict[str, Any]:
        (found,) = [one for one in objects if one["kind"] == kind]
        return found

    return call


@pytest.fixture(scope="session")
def custom_resources(require_tool: Callable) -> list[dict[str, Any]]:
    """Return the definitions of what the operators add to Kubernetes."""
    try:
        return definitions(require_tool("go"))
    except OSError as error:
        if os.environ.get("REQUIRE_TOOLS") == "1":
            raise
        pytest.skip(str(error))
