"""What the chart installs: one restricted pod, its configuration, its service, and no more."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge, start_http_server

import model_exporter
from model_exporter import Baseline
from model_exporter.job.config import load

Render = Callable[..., list[dict[str, Any]]]
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
JOB = ["ConfigMap", "Pod", "Service", "ServiceAccount", "StatefulSet"]


def kinds(objects: list[dict[str, Any]]) -> list[str]:
    return sorted(one["kind"] for one in objects)


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the specification of every pod, that of `helm test` included."""
    workloads = ("StatefulSet", "Deployment")
    found = [o["spec"]["template"]["spec"] for o in objects if o["kind"] in workloads]
    return found + [one["spec"] for one in objects if one["kind"] == "Pod"]


def configuration(objects: list[dict[str, Any]]) -> dict[str, str]:
    (found,) = [o["data"] for o in objects if "exporter.yml" in o.get("data", {})]
    return found


def test_lint_is_strict_and_silent(
    case: Path, chart: Path, run: Callable, require_tool: Callable
) -> None:
    done = run(require_tool("helm"), "lint", "--strict", "--values", case, chart)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


def test_the_least_needs_no_operator(render: Render) -> None:
    assert kinds(render("minimal")) == JOB


def test_without_the_job_nothing_of_it_is_installed(render: Render) -> None:
    assert not {*JOB, "Deployment", "ServiceMonitor"} - {"ConfigMap"} & {*kinds(render("sidecars"))}
    assert "PodMonitor" in kinds(render("sidecars"))


def test_optional_objects_are_all_in_some_values_file(chart: Path, render: Render) -> None:
    seen = {kind for path in (chart / "ci").iterdir() for kind in kinds(render(path))}
    written = [path.read_text() for path in (chart / "templates").rglob("*.yaml")]
    lines = (line for text in written for line in text.splitlines())
    expected = {line.removeprefix("kind: ") for line in lines if line.startswith("kind: ")}
    assert expected <= seen


def test_pods_are_restricted(case: Path, render: Render) -> None:
    for pod in pods(render(case)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "runAsUser" not in pod["securityContext"] or case.name != "claim-values.yaml"
        ours = [c for c in pod["containers"] if c["name"] in {"model-exporter", "metrics"}]
        assert [container["securityContext"] for container in ours] == [RESTRICTED]


@pytest.mark.parametrize("values", ["minimal", "full", "claim", "stateless"])
def test_state_has_one_writer_and_the_place_that_the_job_writes_to(
    values: str, render: Render
) -> None:
    objects = render(values)
    (workload,) = [one for one in objects if one["kind"] in {"StatefulSet", "Deployment"}]
    spec = workload["spec"]
    assert spec["replicas"] == 1
    assert workload["kind"] == "StatefulSet" or spec["strategy"] == {"type": "Recreate"}
    job = spec["template"]["spec"]["containers"][0]
    state = yaml.safe_load(configuration(objects)["exporter.yml"])["state"]
    assert {"name": "state", "mountPath": state} in job["volumeMounts"]
    volumes = {one["name"]: one for one in spec["template"]["spec"]["volumes"]}
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])]
    if values == "claim":
        assert volumes["state"]["persistentVolumeClaim"] == {"claimName": "exporter-state"}
    elif values == "stateless":
        assert volumes["state"]["emptyDir"] == {"sizeLimit": "2Gi"}
    else:
        assert claims == ["state"]
        assert "state" not in volumes


def test_every_mount_has_its_volume(case: Path, render: Render) -> None:
    for one in render(case):
        if one["kind"] not in {"StatefulSet", "Deployment"}:
            continue
        pod = one["spec"]["template"]["spec"]
        names = {volume["name"] for volume in pod["volumes"]}
        names |= {c["metadata"]["name"] for c in one["spec"].get("volumeClaimTemplates", [])}
        mounted = {m["name"] for c in pod["containers"] for m in c.get("volumeMounts", [])}
        assert mounted <= names


def test_secrets_are_existing_ones(case: Path, render: Render) -> None:
    assert "Secret" not in kinds(render(case))


def test_the_job_accepts_its_configuration(
    case: Path, render: Render, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"age": [1, 2, 3, 4], "prediction": [0, 1, 0, 1]}
    baseline = tmp_path / "fitted.json"
    Baseline.from_table(table, task="binary", features={"numeric": ["age"]}).save(baseline)
    objects = render(case, "--set-file", rf"files.churn\.baseline\.json={baseline}")
    if not any("exporter.yml" in one.get("data", {}) for one in objects):
        assert case.name == "sidecars-values.yaml"
        return
    for name, text in configuration(objects).items():
        (tmp_path / name).write_text(text)
    config = load(tmp_path / "exporter.yml")
    assert config.models
    assert str(config.state) == "/var/lib/model-exporter"


def test_a_mapping_reaches_the_pod_as_it_was_given(render: Render, chart: Path) -> None:
    expected = yaml.safe_load((chart / "ci/full-values.yaml").read_text())
    arrived = configuration(render("full"))
    fixed = {"listen": "0.0.0.0:9920", "state": "/var/lib/model-exporter"}
    assert yaml.safe_load(arrived.pop("exporter.yml")) == expected["config"] | fixed
    assert arrived == expected["files"]


@pytest.mark.parametrize(
    "text",
    [
        "# ours\nmodels:\n  - {name: churn, task: binary}\n\nlisten: 127.0.0.1:1\n",
        "listen: 127.0.0.1:1\nstate: ./state\nmodels: [{name: churn, task: binary}]\n",
        "{listen: '127.0.0.1:1', models: [{name: churn, task: binary}]}",
        "models: [{name: churn, task: binary}]\nstate:\n  ./somewhere\n",
    ],
    ids=["block", "both keys", "flow", "on two lines"],
)
def test_a_file_arrives_with_address_and_state_of_the_chart(
    text: str, render: Render, tmp_path: Path
) -> None:
    path = tmp_path / "exporter.yml"
    path.write_text(text)
    arrived = configuration(render("minimal", "--set-file", f"config={path}"))["exporter.yml"]
    assert yaml.safe_load(arrived) == {
        "listen": "0.0.0.0:9920",
        "state": "/var/lib/model-exporter",
        "models": [{"name": "churn", "task": "binary"}],
    }
    assert ("# ours" in arrived) == ("# ours" in text)


def test_a_changed_configuration_is_a_new_pod(render: Render, only: Callable) -> None:
    def checksum(*options: str) -> str:
        template = only(render("minimal", *options), "StatefulSet")["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/config"]

    sums = {
        checksum(),
        checksum("--set", "config.poll_interval=5m"),
        checksum("--set", "files.a=b"),
    }
    assert len(sums) == 3
    assert checksum("--set", "service.port=80") in sums


def test_arguments_are_those_of_the_command(case: Path, render: Render) -> None:
    for pod in pods(render(case))[:1]:
        words = pod["containers"][0].get("args", [])
        code = "import sys; from model_exporter.cli import main; sys.exit(main(sys.argv[1:]))"
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert "unrecognized arguments" not in done.stderr
        assert "exporter.yml" in done.stderr


def test_probes_of_a_guarded_port_only_connect(render: Render, only: Callable) -> None:
    pod = only(render("operators"), "StatefulSet")["spec"]["template"]["spec"]
    job = pod["containers"][0]
    assert "--web.config.file=/run/web/web.yml" in job["args"]
    for name in ("livenessProbe", "readinessProbe"):
        assert job[name]["tcpSocket"] == {"port": "metrics"}
        assert "httpGet" not in job[name]
    (secret,) = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "web"]
    assert secret["secretName"] == "exporter-web"


@pytest.mark.parametrize("values", ["minimal", "operators"])
def test_helm_test_tells_a_job_from_none(values: str, render: Render, only: Callable) -> None:
    """The command of its pod, run here against a job's page, another page and nothing."""
    (container,) = only(render(values), "Pod")["spec"]["containers"]
    command = [sys.executable, *container["command"][1:-2], "127.0.0.1"]

    def status(port: int) -> int:
        words = [*command, str(port)]
        environment = os.environ | {"no_proxy": "*"}
        return subprocess.run(words, capture_output=True, env=environment).returncode

    registry = CollectorRegistry()
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    guarded = values == "operators"
    assert (status(server.server_port) == 0) == guarded
    Gauge("model_exporter_build_info", "Constant 1.", registry=registry)
    assert status(server.server_port) == 0
    server.shutdown()
    server.server_close()
    thread.join()
    assert status(server.server_port) != 0


def test_network_policy_lets_the_test_of_the_release_in(render: Render, only: Callable) -> None:
    objects = render("full")
    policy = only(objects, "NetworkPolicy")["spec"]
    (rule,) = policy["ingress"]
    tested = only(objects, "Pod")["metadata"]["labels"]
    assert {"podSelector": {"matchLabels": tested}} in rule["from"]
    pod = only(objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= pod.items()
    assert not policy["podSelector"]["matchLabels"].items() <= tested.items()
    assert only(objects, "PodDisruptionBudget")["spec"]["selector"] == policy["podSelector"]
    assert only(objects, "Service")["spec"]["selector"].items() <= pod.items()


def test_packed_chart_is_small_enough_for_a_release(
    chart: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    """Helm keeps the chart and what it made of it in a Secret, which holds 1 MiB.

    With every object that is some five times the size of the archive.
    """
    done = run(require_tool("helm"), "package", chart, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.iterdir()
    assert archive.stat().st_size < 200_000


def test_version_is_that_of_the_package(chart: Path) -> None:
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert described["appVersion"] == model_exporter.__version__
    assert json.loads((chart / "values.schema.json").read_text())["additionalProperties"] is False
