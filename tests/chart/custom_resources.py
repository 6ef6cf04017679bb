"""The custom resources that the chart uses, as definitions that an API server takes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
ARGO = "github.com/argoproj/argo-rollouts@v1.8.3"
FLAGGER = "github.com/fluxcd/flagger@v1.36.1"
GROUPS = ("monitoring.coreos.com/", "grafana.integreatly.org/", "argoproj.io/", "flagger.app/")
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
REFERENCE = {"key": {"type": "string"}, "name": {"type": "string"}}
GRAFANA_DASHBOARD = {
    "type": "object",
    "required": ["instanceSelector"],
    "properties": {
        "allowCrossNamespaceImport": {"type": "boolean"},
        "folder": {"type": "string"},
        "resyncPeriod": {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$"},
        "instanceSelector": {"type": "object", "properties": {"matchLabels": LABELS}},
        "configMapRef": {"type": "object", "required": ["key", "name"], "properties": REFERENCE},
    },
}
"""The part of grafana-operator's v1beta1 that the chart uses."""


class Loader(yaml.CSafeLoader):
    """Reads a bare ``=``, which the operator's enumerations hold, as text."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)


def definitions(go: str) -> list[dict[str, Any]]:
    """Return the definitions; all but one come out of Go modules."""
    folder = _fetched(go, OPERATOR) / "example/prometheus-operator-crd"
    plurals = ("servicemonitors", "podmonitors", "prometheusrules", "alertmanagerconfigs")
    paths = [folder / f"monitoring.coreos.com_{plural}.yaml" for plural in plurals]
    paths.append(_fetched(go, ARGO) / "manifests/crds/analysis-template-crd.yaml")
    flagger = yaml.load_all(
        (_fetched(go, FLAGGER) / "artifacts/flagger/crd.yaml").read_text(), Loader
    )
    return [
        *(yaml.load(path.read_text(), Loader) for path in paths),
        *(one for one in flagger if one["spec"]["names"]["kind"] == "MetricTemplate"),
        _grafana_dashboard(),
    ]


def _fetched(go: str, module: str) -> Path:
    """Return the folder of a Go module; its definitions are files of it."""
    command = [go, "mod", "download", "-json", module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd="/")
    found = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in found:
        raise OSError(f"{module} cannot be fetched: {found.get('Error', done.stderr)}")
    return Path(found["Dir"])


def specification(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of `spec`, with keys that it does not name refused."""
    (version,) = [one for one in definition["spec"]["versions"] if one["storage"]]
    closed: dict[str, Any] = _closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    return closed


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def _grafana_dashboard() -> dict[str, Any]:
    whole = {"type": "object", "properties": {"spec": GRAFANA_DASHBOARD}}
    version = {"name": "v1beta1", "served": True, "storage": True}
    names = {"kind": "GrafanaDashboard", "plural": "grafanadashboards"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "grafanadashboards.grafana.integreatly.org"},
        "spec": {
            "group": "grafana.integreatly.org",
            "names": names,
            "scope": "Namespaced",
            "versions": [version | {"schema": {"openAPIV3Schema": whole}}],
        },
    }
