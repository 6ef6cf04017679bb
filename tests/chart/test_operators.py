"""What the operators get: who is scraped, which rules, where alerts go, which dashboards."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

Render = Callable[..., list[dict[str, Any]]]
RUNBOOKS = "https://github.com/model-exporter/model-exporter/blob/main/alerting/runbooks"
GRAFANA = "http://localhost:3000"


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in objects if one["kind"] == kind]


def test_service_monitor_finds_the_service(render: Render, only: Callable) -> None:
    objects = render("minimal", "--set", "serviceMonitor.enabled=true")
    monitor, service = only(objects, "ServiceMonitor"), only(objects, "Service")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert wanted <= service["metadata"]["labels"].items()
    assert monitor["spec"]["namespaceSelector"]["matchNames"] == ["models"]
    assert service["metadata"]["namespace"] == "models"
    ports = [port["name"] for port in service["spec"]["ports"]]
    assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ports


@pytest.mark.parametrize(
    ("kind", "key", "endpoints"),
    [
        ("ServiceMonitor", "serviceMonitor", "endpoints"),
        ("PodMonitor", "podMonitor", "podMetricsEndpoints"),
    ],
)
def test_monitors_carry_every_value_given(
    kind: str, key: str, endpoints: str, render: Render, only: Callable, chart: Path
) -> None:
    given = yaml.safe_load((chart / "ci/operators-values.yaml").read_text())[key]
    monitor = only(render("operators"), kind)
    (endpoint,) = monitor["spec"][endpoints]
    arrived = endpoint | monitor["spec"] | monitor["metadata"] | {"enabled": True}
    arrived |= {"telemetryPath": endpoint["path"]}
    for name, value in given.items():
        if name == "additionalLabels":
            assert value.items() <= monitor["metadata"]["labels"].items()
        else:
            assert arrived[name] == value


def test_pod_monitor_shares_a_job_among_replicas(render: Render, only: Callable) -> None:
    spec = only(render("sidecars"), "PodMonitor")["spec"]
    labels = {"app.kubernetes.io/component": "model-server"}
    assert spec["selector"] == {"matchLabels": labels}
    assert spec["jobLabel"] == "app.kubernetes.io/name"


def written_rules(chart: Path, *, runbooks: str, grafana: str) -> list[dict[str, Any]]:
    files = sorted((chart / "files/rules").iterdir())
    texts = (path.read_text().replace(RUNBOOKS, runbooks) for path in files)
    documents = [yaml.safe_load(text.replace(GRAFANA, grafana)) for text in texts]
    return [group for document in documents for group in document["groups"]]


def shipped_rules(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [g for one in of_kind(objects, "PrometheusRule") for g in one["spec"]["groups"]]


def test_rules_arrive_as_written(render: Render, chart: Path) -> None:
    """Each expression, each brace; only the address of Grafana is the user's."""
    expected = written_rules(chart, runbooks=RUNBOOKS, grafana="https://grafana.example.com")
    assert shipped_rules(render("sidecars")) == expected
    assert "{{ $labels.model_name }}" in json.dumps(expected)


def test_rules_take_addresses_labels_and_omissions_of_the_user(render: Render, chart: Path) -> None:
    addresses = {
        "runbooks": "https://runbooks.example.com/models",
        "grafana": "https://grafana.example.com",
    }
    expected = written_rules(chart, **addresses)
    for group in expected:
        group["rules"] = [rule for rule in group["rules"] if rule.get("alert") != "Watchdog"]
        for rule in group["rules"]:
            if "alert" in rule:
                rule["labels"] = rule["labels"] | {"team": "ml"}
    objects = render("operators")
    assert shipped_rules(objects) == [group for group in expected if group["rules"]]
    for one in of_kind(objects, "PrometheusRule"):
        assert one["metadata"]["labels"]["release"] == "monitoring"


@pytest.mark.parametrize("values", ["operators", "sidecars"])
def test_promtool_accepts_the_rules(
    values: str, render: Render, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    for one in of_kind(render(values), "PrometheusRule"):
        path = tmp_path / f"{one['metadata']['name']}.yml"
        path.write_text(yaml.safe_dump(one["spec"]))
    promtool = require_tool("promtool")
    done = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *tmp_path.iterdir())
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_arrive_byte_for_byte(render: Render, root: Path) -> None:
    objects = render("operators")
    found = of_kind(objects, "ConfigMap")
    maps = [one for one in found if "grafana_dashboard" in one["metadata"]["labels"]]
    arrived = {name: text for one in maps for name, text in one["data"].items()}
    assert arrived == {p.name: p.read_text() for p in (root / "dashboards").glob("*.json")}
    for one in maps:
        assert one["metadata"]["annotations"]["grafana_folder"] == "Models"
        assert len(json.dumps(one["data"])) < 1_000_000


def test_grafana_dashboards_refer_to_the_config_maps(render: Render) -> None:
    """Without the sidecar's label where only the operator is to find them."""
    objects = render("operators", "--set", "dashboards.enabled=false")
    found = of_kind(objects, "ConfigMap")
    maps = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in found}
    dashboards = of_kind(objects, "GrafanaDashboard")
    assert dashboards
    for one in dashboards:
        reference = one["spec"]["configMapRef"]
        target = maps[one["metadata"]["namespace"], reference["name"]]
        assert reference["key"] in target["data"]
        assert "grafana_dashboard" not in target["metadata"]["labels"]
        assert one["spec"]["folder"] == "Models"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("AnalysisTemplate", "argo-analysis-templates.yml"),
        ("MetricTemplate", "flagger-metric-templates.yml"),
    ],
)
def test_rollout_templates_arrive_as_written(
    kind: str, name: str, render: Render, root: Path
) -> None:
    """Each brace; only the address of Prometheus is the user's."""
    text = (root / "alerting/rollouts" / name).read_text()
    address = "https://prometheus.example.com"
    expected = yaml.safe_load_all(
        text.replace("http://prometheus-operated.monitoring:9090", address)
    )
    found = of_kind(render("operators"), kind)
    assert [one["spec"] for one in found] == [one["spec"] for one in expected]
    assert {one["metadata"]["namespace"] for one in found} == {"monitoring"}
    assert of_kind(render("minimal"), kind) == []


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z]+)", r"_\1", name).lower()


def as_alertmanager(node: Any, key: str = "") -> Any:
    """Return an AlertmanagerConfig as the operator writes it, with Secrets by a stand-in."""
    if isinstance(node, list):
        if key in {"matchers", "sourceMatch", "targetMatch"}:
            return [f'{m["name"]}{m["matchType"]}"{m["value"]}"' for m in node]
        if key in {"details", "headers"}:
            return {one["key"]: one["value"] for one in node}
        return [as_alertmanager(one) for one in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"name", "key"}:
        return "https://secret.example.com" if "url" in key.lower() else node["key"]
    names = {"sourceMatch": "source_matchers", "targetMatch": "target_matchers"}
    names |= {"urlSecret": "url", "msteamsv2Configs": "msteamsv2_configs"}
    return {names.get(k, snake(k)): as_alertmanager(v, k) for k, v in node.items()}


@pytest.fixture
def routing(render: Render, only: Callable) -> dict[str, Any]:
    """Return the shipped routing beneath a route of the cluster's own."""
    ours = as_alertmanager(only(render("operators"), "AlertmanagerConfig")["spec"])
    for receiver in ours["receivers"]:
        receiver.pop("msteamsv2_configs", None)  # Alertmanager 0.28, newer than some amtool
    return {
        "global": {"smtp_from": "a@example.com", "smtp_smarthost": "mail.example.com:587"},
        "route": {"receiver": "others", "routes": [ours["route"]]},
        "receivers": [{"name": "others"}, *ours["receivers"]],
        "inhibit_rules": ours["inhibit_rules"],
    }


def expected_receivers(severity: str, category: str) -> list[str]:
    """Say it again: critical pages, harm and drift automate, people read all."""
    if severity == "none":
        return ["heartbeat"]
    receivers = ["automation"] if category in {"quality", "drift"} else []
    return receivers + (["pagerduty"] if severity == "critical" else []) + ["people"]


def test_alerts_reach_whom_they_should(
    routing: dict[str, Any], chart: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(routing))
    done = run(require_tool("amtool"), "check-config", path)
    assert done.returncode == 0, done.stdout + done.stderr
    groups = written_rules(chart, runbooks=RUNBOOKS, grafana=GRAFANA)
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    cases = [({"alertname": "NodeDown", "severity": "critical"}, ["others"])]
    for rule in alerts:
        labels = {"alertname": rule["alert"], **rule["labels"]}
        cases.append((labels, expected_receivers(labels["severity"], labels["category"])))
    for labels, receivers in cases:
        test = ("config", "routes", "test", f"--config.file={path}")
        words = (f"--verify.receivers={','.join(receivers)}", *map("=".join, labels.items()))
        done = run(require_tool("amtool"), *test, *words)
        assert done.returncode == 0, (labels, done.stdout, done.stderr)


def test_inhibition_is_that_of_the_shipped_alertmanager(
    routing: dict[str, Any], root: Path
) -> None:
    shipped = yaml.safe_load((root / "alerting/alertmanager/alertmanager.yml").read_text())
    assert routing["inhibit_rules"] == shipped["inhibit_rules"]


def templates(node: Any) -> Iterator[str]:
    if isinstance(node, str) and "{{" in node:
        yield node
    children = node.values() if isinstance(node, dict) else node
    for child in children if isinstance(node, dict | list) else ():
        yield from templates(child)


def test_messages_say_what_where_and_what_to_do(
    routing: dict[str, Any], run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    labels = {"alertname": "ModelDown", "severity": "critical", "model_name": "churn"}
    notes = {
        "description": "No replica.",
        "runbook_url": "https://r/M.md",
        "dashboard_url": "https://g/d",
    }
    alert = {"status": "firing", "labels": labels, "annotations": notes}
    alert |= {"startsAt": "2026-01-31T12:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}
    data = {
        "status": "firing",
        "receiver": "people",
        "groupLabels": labels,
        "alerts": [alert, alert],
    }
    (tmp_path / "data.json").write_text(
        json.dumps(data | {"commonLabels": labels, "commonAnnotations": notes})
    )
    (tmp_path / "none.tmpl").write_text("")
    said = set()
    for text in sorted(set(templates(routing["receivers"]))):
        words = ("template", "render", f"--template.glob={tmp_path}/none.tmpl")
        words += (f"--template.data={tmp_path}/data.json", f"--template.text={text}")
        done = run(require_tool("amtool"), *words)
        assert done.returncode == 0, done.stderr
        said.add(done.stdout.strip())
    told = "No replica.\nSince 2026-01-31 12:00 UTC. What to do: https://r/M.md"
    assert said == {
        "Critical: ModelDown, model churn (2 alerts)",
        f"{told}\n{told}",
        "https://g/d",
        "danger",
    }
