"""The chart renders, validates, refuses wrong values, and carries the same dashboards and rules."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import model_exporter

CASES = sorted((Path(__file__).parents[2] / "helm/model-exporter/ci").glob("*-values.yaml"))
Rendered = list[dict[str, Any]]


@pytest.fixture(scope="module")
def chart(root: Path) -> Path:
    return root / "helm/model-exporter"


@pytest.fixture(scope="module")
def render(chart: Path, run: Callable, require_tool: Callable) -> Callable[..., Rendered]:
    def call(*options: str) -> Rendered:
        done = run(require_tool("helm"), "template", "release", chart, *options)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return call


def kinds(objects: Rendered) -> list[str]:
    return sorted(one["kind"] for one in objects)


def only(objects: Rendered, kind: str) -> dict[str, Any]:
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


@pytest.mark.parametrize("values", CASES, ids=lambda path: path.stem)
def test_lint_is_strict_and_silent(
    values: Path, chart: Path, run: Callable, require_tool: Callable
) -> None:
    done = run(require_tool("helm"), "lint", "--strict", "--values", values, chart)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["1.25", "1.33"])
@pytest.mark.parametrize("values", CASES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kubernetes_accepts_every_object(values: Path, version: str, render: Callable) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for one in render("--values", str(values)):
        if one["apiVersion"].startswith("monitoring.coreos.com/"):
            continue
        validate.validate(one, version, strict=True)


def test_defaults_need_no_operator(render: Callable) -> None:
    assert kinds(render()) == ["ConfigMap", "Service", "ServiceAccount", "StatefulSet"]


def test_pod_is_restricted_and_its_state_survives(render: Callable) -> None:
    workload = only(render(), "StatefulSet")["spec"]
    pod = workload["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert workload["replicas"] == 1
    state = yaml.safe_load(only(render(), "ConfigMap")["data"]["exporter.yml"])["state"]
    assert {"name": "state", "mountPath": state} in container["volumeMounts"]
    assert [claim["metadata"]["name"] for claim in workload["volumeClaimTemplates"]] == ["state"]


def test_configuration_reaches_the_pod_as_it_was_given(render: Callable, chart: Path) -> None:
    values = chart / "ci/full-values.yaml"
    objects = render("--values", str(values))
    config = next(one for one in objects if "exporter.yml" in one.get("data", {}))
    expected = yaml.safe_load(values.read_text())["config"]
    expected |= {"listen": "0.0.0.0:9920", "state": "/var/lib/model-exporter"}
    assert yaml.safe_load(config["data"]["exporter.yml"]) == expected


def test_configuration_may_be_a_file(render: Callable, tmp_path: Path) -> None:
    path = tmp_path / "exporter.yml"
    path.write_text("# ours\nlisten: 127.0.0.1:1\nmodels: [{name: churn, task: binary}]\n")
    objects = render("--set-file", f"config={path}", "--set", "serviceAccount.create=false")
    assert yaml.safe_load(only(objects, "ConfigMap")["data"]["exporter.yml"]) == {
        "listen": "0.0.0.0:9920",
        "state": "/var/lib/model-exporter",
        "models": [{"name": "churn", "task": "binary"}],
    }


def test_a_changed_configuration_is_a_new_pod(render: Callable) -> None:
    def checksum(*options: str) -> str:
        template = only(render(*options), "StatefulSet")["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/config"]

    assert checksum() != checksum("--set", "config.poll_interval=5m")


def test_dashboards_arrive_byte_for_byte(render: Callable, root: Path) -> None:
    arrived = {
        name: text
        for one in render("--set", "dashboards.enabled=true")
        if one["metadata"]["labels"].get("grafana_dashboard") == "1"
        for name, text in one["data"].items()
    }
    shipped = {p.name: p.read_text() for p in (root / "dashboards").glob("*.json")}
    assert {name: text.rstrip("\n") for name, text in arrived.items()} == {
        name: text.rstrip("\n") for name, text in shipped.items()
    }


def test_rules_arrive_whole_with_the_users_addresses(
    render: Callable, chart: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    objects = render("--values", str(chart / "ci/full-values.yaml"))
    rules = [one for one in objects if one["kind"] == "PrometheusRule"]
    assert len(rules) == len(list((chart / "files/rules").iterdir()))
    for one in rules:
        assert one["metadata"]["labels"]["release"] == "monitoring"
        path = tmp_path / f"{one['metadata']['name']}.yml"
        path.write_text(yaml.safe_dump(one["spec"]))
    files = sorted(tmp_path.iterdir())
    done = run(require_tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    text = json.dumps(rules)
    assert "https://runbooks.example.com/models/ModelDown.md" in text
    assert "https://grafana.example.com/d/" in text
    assert "model-exporter.example" not in text
    assert "localhost" not in text
    assert "{{ $labels.model_name }}" in text


def test_service_monitor_finds_the_service(render: Callable) -> None:
    objects = render("--set", "serviceMonitor.enabled=true")
    monitor, service = only(objects, "ServiceMonitor"), only(objects, "Service")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert wanted <= service["metadata"]["labels"].items()
    ports = [port["name"] for port in service["spec"]["ports"]]
    assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ports
    assert service["spec"]["selector"].items() <= (
        only(objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"].items()
    )


@pytest.mark.parametrize(
    "option",
    [
        "replicaCount=2",
        "image.repo=x",
        "persistence.size=much",
        "service.port=0",
        "serviceMonitor.interval=often",
        "config=",
        "prometheusRule.runbookUrl=https://x/",
        "config.models[0].name=x",
    ],
)
def test_wrong_values_are_refused(
    option: str, chart: Path, run: Callable, require_tool: Callable
) -> None:
    done = run(require_tool("helm"), "template", "release", chart, "--set", option)
    assert done.returncode != 0
    assert "schema" in done.stderr


def test_every_value_is_in_the_schema(chart: Path) -> None:
    values = yaml.safe_load((chart / "values.yaml").read_text())
    schema = json.loads((chart / "values.schema.json").read_text())
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) - {"global"} == set(values)


def test_version_is_that_of_the_package(chart: Path) -> None:
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert described["appVersion"] == model_exporter.__version__
