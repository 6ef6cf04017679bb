"""Kubernetes and the operators know every field that the chart writes."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

kubernetes_validate = pytest.importorskip("kubernetes_validate")

OLDEST = 25
"""That of Chart.yaml's kubeVersion."""
NEWEST = int(kubernetes_validate.latest_version().split(".")[1])
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
OPERATED = ("monitoring.coreos.com/", "grafana.integreatly.org/")
GRAFANA_DASHBOARD = {
    "type": "object",
    "required": ["instanceSelector"],
    "additionalProperties": False,
    "properties": {
        "allowCrossNamespaceImport": {"type": "boolean"},
        "folder": {"type": "string"},
        "resyncPeriod": {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$"},
        "instanceSelector": {
            "type": "object",
            "required": ["matchLabels"],
            "additionalProperties": False,
            "properties": {"matchLabels": {"additionalProperties": {"type": "string"}}},
        },
        "configMapRef": {
            "type": "object",
            "required": ["key", "name"],
            "additionalProperties": False,
            "properties": {"key": {"type": "string"}, "name": {"type": "string"}},
        },
    },
}
"""The part of grafana-operator's v1beta1 that the chart uses."""


class Loader(yaml.CSafeLoader):
    """Reads a bare ``=``, which the operator's enumerations hold, as text."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)


def strict(schema: Any) -> Any:
    """Return the schema of a custom resource, with keys that it does not name refused."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


@pytest.fixture(scope="module")
def operated(require_tool: Callable) -> dict[str, Any]:
    """Return the specification's schema by kind, from the operator's Go module."""
    command = [require_tool("go"), "mod", "download", "-json", OPERATOR]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd="/")
    found = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in found:
        pytest.skip(f"{OPERATOR} cannot be fetched: {found.get('Error', done.stderr)}")
    schemas = {"GrafanaDashboard": GRAFANA_DASHBOARD}
    folder = Path(found["Dir"]) / "example/prometheus-operator-crd"
    for plural in ("servicemonitors", "podmonitors", "prometheusrules", "alertmanagerconfigs"):
        text = (folder / f"monitoring.coreos.com_{plural}.yaml").read_text()
        definition = yaml.load(text, Loader)["spec"]
        (version,) = [v for v in definition["versions"] if v["storage"]]
        whole = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        schemas[definition["names"]["kind"]] = strict(whole)
    return schemas


@pytest.mark.parametrize("version", [f"1.{minor}" for minor in range(OLDEST, NEWEST + 1)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kubernetes_knows_every_field(version: str, case: Path, render: Callable) -> None:
    for one in render(case):
        if not one["apiVersion"].startswith(OPERATED):
            kubernetes_validate.validate(one, version, strict=True)


def test_oldest_version_is_that_of_the_chart(chart: Path) -> None:
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert described["kubeVersion"] == f">=1.{OLDEST}.0-0"


def test_operators_know_every_field(operated: dict[str, Any], case: Path, render: Callable) -> None:
    for one in render(case):
        if one["apiVersion"].startswith(OPERATED):
            jsonschema.Draft202012Validator(operated[one["kind"]]).validate(one["spec"])


def test_a_misspelt_field_would_be_found(operated: dict[str, Any], render: Callable) -> None:
    for one in render("operators"):
        if one["apiVersion"].startswith(OPERATED):
            validator = jsonschema.Draft202012Validator(operated[one["kind"]])
            assert not validator.is_valid(one["spec"] | {"selectr": {}})
