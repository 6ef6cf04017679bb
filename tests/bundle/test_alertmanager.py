"""Alerts reach whom they should, in words that help, and only once."""

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def configuration(root: Path) -> Path:
    return root / "alerting/alertmanager/alertmanager.yml"


def expected_receivers(severity: str, category: str) -> list[str]:
    """Say it again: critical pages and is posted, warning is posted, harm and drift automate."""
    if severity == "none":
        return ["heartbeat"]
    receivers = ["automation"] if category in {"quality", "drift"} else []
    return receivers + (["pagerduty"] if severity == "critical" else []) + ["slack"]


def test_amtool_accepts_it(configuration: Path, run: Callable, require_tool: Callable) -> None:
    done = run(require_tool("amtool"), "check-config", configuration)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_routed_by_severity_and_category(
    configuration: Path, alerts: dict[str, Any], run: Callable, require_tool: Callable
) -> None:
    for name, rule in alerts.items():
        labels = {**rule["labels"], "alertname": name, "model_name": "churn"}
        receivers = expected_receivers(labels["severity"], labels["category"])
        done = run(
            require_tool("amtool"),
            *("config", "routes", "test", f"--config.file={configuration}"),
            f"--verify.receivers={','.join(receivers)}",
            *(f"{key}={value}" for key, value in labels.items()),
        )
        assert done.returncode == 0, (name, done.stdout, done.stderr)


def test_secrets_are_read_from_files_only(configuration: Path) -> None:
    text = configuration.read_text()
    for key in ("slack_api_url:", "api_url:", "routing_key:", "service_key:", "credentials:"):
        assert key not in text.replace("_file:", "_file=")


def test_templates_say_what_where_and_what_to_do(
    root: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    alert = {
        "status": "firing",
        "labels": {},
        "annotations": {
            "summary": "It has drifted",
            "description": "PSI is 0.400.",
            "runbook_url": "http://r/ModelFeatureDrift.md",
            "dashboard_url": "http://g/d/x",
        },
    }
    data = {
        "status": "firing",
        "commonLabels": {"alertname": "ModelFeatureDrift", "model_name": "churn"},
        "alerts": [alert] * 12,
    }
    (tmp_path / "data.json").write_text(json.dumps(data))
    done = run(
        require_tool("amtool"),
        *("template", "render", f"--template.data={tmp_path / 'data.json'}"),
        f"--template.glob={root / 'alerting/alertmanager/templates'}/*.tmpl",
        '--template.text={{ template "model_exporter.title" . }}|'
        '{{ template "model_exporter.color" . }}|{{ template "model_exporter.dashboard" . }}|'
        '{{ template "model_exporter.text" . }}',
    )
    title, colour, dashboard, text = done.stdout.split("|")
    assert title == "[FIRING 12] ModelFeatureDrift: churn"
    assert (colour, dashboard) == ("warning", "http://g/d/x")
    assert text.count("It has drifted") == 10
    assert "of 12 alerts" in text
    assert text.count("Runbook: http://r/ModelFeatureDrift.md") == 1


@pytest.fixture
def alertmanager(
    configuration: Path, root: Path, require_tool: Callable, tmp_path: Path
) -> Iterator[str]:
    """Start the real one with the shipped configuration; it sends nothing within its group_wait."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = tmp_path / "alertmanager.yml"
    path.write_text(
        configuration.read_text().replace("/etc/alertmanager", str(configuration.parent))
    )
    server = subprocess.Popen(
        [
            require_tool("prometheus-alertmanager"),
            f"--config.file={path}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)


def inhibited(url: str, alerts: list[dict[str, str]]) -> dict[str, bool]:
    """Post alerts; return by alert name and model whether the alert is inhibited."""
    body = json.dumps([{"labels": labels} for labels in alerts]).encode()
    request = urllib.request.Request(
        f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"}
    )
    found: dict[str, bool] = {}
    deadline = time.monotonic() + 20
    while len(found) < len(alerts):
        assert time.monotonic() < deadline, "Alertmanager did not take the alerts"
        try:
            urllib.request.urlopen(request, timeout=5).close()
            with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
                listed = json.load(answer)
        except OSError:
            time.sleep(0.05)
            continue
        found = {
            f"{alert['labels']['alertname']} {alert['labels'].get('model_name', '')}".strip(): bool(
                alert["status"]["inhibitedBy"]
            )
            for alert in listed
            if alert["status"]["state"] != "unprocessed"
        }
        time.sleep(0.05)
    return found


def test_one_cause_gives_one_notification(alertmanager: str, alerts: dict[str, Any]) -> None:
    firing = {
        "down": ["ModelDown", "ModelTargetDown", "ModelFeatureDrift", "ModelExporterStale"],
        "shifted": ["ModelDriftWidespread", "ModelFeatureDrift", "ModelPredictionDrift"],
        "blind": ["ModelSourceDown", "ModelQualityBelowExpectation", "ModelLabelsStale"],
        "bad": ["ModelQualityBelowExpectation", "ModelSegmentQualityBelowExpectation"],
        "well": ["ModelFeatureDrift", "ModelFeatureMissing"],
    }
    posted = [
        {**alerts[name]["labels"], "alertname": name, "model_name": model, "model_version": "3"}
        for model, names in firing.items()
        for name in names
    ]
    posted.append({**alerts["Watchdog"]["labels"], "alertname": "Watchdog"})
    expected = [
        "ModelDown down",
        "ModelDriftWidespread shifted",
        "ModelExporterStale down",
        "ModelFeatureDrift well",
        "ModelFeatureMissing well",
        "ModelQualityBelowExpectation bad",
        "ModelSourceDown blind",
        "Watchdog",
    ]
    # Alertmanager takes alerts and what inhibits them in threads of their own.
    deadline = time.monotonic() + 10
    notified: list[str] = []
    while notified != expected and time.monotonic() < deadline:
        states = inhibited(alertmanager, posted)
        notified = sorted(name for name, state in states.items() if not state)
    assert notified == expected
