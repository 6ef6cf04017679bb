"""Alerts reach whom they should, in words that help, and only once."""

import itertools
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

AMTOOLS = ("amtool", "amtool-current")
"""Debian's, of 0.25, and the newest one."""
SEVERITIES = ("critical", "warning", "info", "none")
CATEGORIES = ("availability", "serving", "drift", "data", "quality", "labels", "monitoring")


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "alerting/alertmanager"


@pytest.fixture
def configuration(folder: Path) -> Path:
    return folder / "alertmanager.yml"


def expected_receivers(severity: str, category: str, *, chat: str = "slack") -> list[str]:
    """Say it again: critical pages and is posted, warning is posted, harm and drift automate."""
    if severity not in {"critical", "warning"}:
        return [chat]
    receivers = ["automation"] if category in {"quality", "drift"} else []
    receivers += ["pagerduty"] if severity == "critical" else []
    receivers += ["data-team"] if category in {"data", "labels"} else []
    return [*receivers, chat]


@pytest.mark.parametrize("amtool", AMTOOLS)
def test_amtool_accepts_it(
    configuration: Path, amtool: str, run: Callable, require_tool: Callable
) -> None:
    done = run(require_tool(amtool), "check-config", configuration)
    assert done.returncode == 0, done.stdout + done.stderr


def test_amtool_accepts_teams(folder: Path, run: Callable, require_tool: Callable) -> None:
    done = run(require_tool("amtool-current"), "check-config", folder / "alertmanager-teams.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("snippet", "amtool"),
    [("opsgenie", AMTOOLS[0]), ("opsgenie", AMTOOLS[1]), ("jira", AMTOOLS[1])],
)
def test_snippets_fit_into_the_configuration(
    snippet: str, amtool: str, folder: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    document = yaml.safe_load((folder / "alertmanager.yml").read_text())
    added = yaml.safe_load((folder / f"snippets/{snippet}.yml").read_text())
    document["receivers"] += added["receivers"]
    document["route"]["routes"].insert(1, {"receiver": snippet, "continue": True})
    document["templates"] = [f"{folder}/templates/*.tmpl"]
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(document))
    done = run(require_tool(amtool), "check-config", tmp_path / "alertmanager.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_teams_differs_in_the_chat_alone(folder: Path) -> None:
    """Routes, groups, inhibitions and all other receivers are those of alertmanager.yml."""
    slack, teams = (
        yaml.safe_load((folder / name).read_text().replace("receiver: teams", "receiver: slack"))
        for name in ("alertmanager.yml", "alertmanager-teams.yml")
    )
    del slack["global"]["slack_api_url_file"]
    for document, chat in ((slack, "slack"), (teams, "teams")):
        (own,) = (r for r in document["receivers"] if r["name"] == chat)
        document["receivers"].remove(own)
    assert slack == teams


@pytest.mark.parametrize("amtool", AMTOOLS)
@pytest.mark.parametrize(
    ("name", "chat"), [("alertmanager.yml", "slack"), ("alertmanager-teams.yml", "teams")]
)
def test_every_severity_and_category_is_routed(
    folder: Path, name: str, chat: str, amtool: str, run: Callable, require_tool: Callable
) -> None:
    if (name, amtool) == ("alertmanager-teams.yml", AMTOOLS[0]):
        return  # it needs 0.28
    for severity, category in itertools.product(SEVERITIES, CATEGORIES):
        receivers = expected_receivers(severity, category, chat=chat)
        done = run(
            require_tool(amtool),
            *("config", "routes", "test", f"--config.file={folder / name}"),
            f"--verify.receivers={','.join(receivers)}",
            *("alertname=Model", "model_name=churn"),
            *(f"severity={severity}", f"category={category}"),
        )
        assert done.returncode == 0, (severity, category, done.stdout, done.stderr)


def test_every_alert_is_of_a_kind_that_is_routed(
    configuration: Path, alerts: list[dict[str, Any]], run: Callable, require_tool: Callable
) -> None:
    kinds = {(rule["labels"]["severity"], rule["labels"]["category"]) for rule in alerts}
    assert kinds <= set(itertools.product(SEVERITIES, CATEGORIES))
    done = run(
        require_tool("amtool"),
        *("config", "routes", "test", f"--config.file={configuration}"),
        *("--verify.receivers=heartbeat", "alertname=Watchdog", "severity=none"),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_info_waits_for_office_hours(configuration: Path) -> None:
    """And nothing else does."""
    document = yaml.safe_load(configuration.read_text())
    waiting = [r for r in document["route"]["routes"] if "active_time_intervals" in r]
    assert [route["matchers"] for route in waiting] == [['severity="info"']]
    (hours,) = document["time_intervals"]
    assert waiting[0]["active_time_intervals"] == [hours["name"]]


def test_secrets_are_read_from_files_only(folder: Path) -> None:
    keys = ("slack_api_url:", "routing_key:", "service_key:", "credentials:", "api_key:")
    keys += ("password:", "webhook_url:")
    for path in folder.rglob("*.yml"):
        for key in keys:
            assert key not in path.read_text().replace("_file:", "_file="), path


def alert(name: str, number: int = 0, **labels: str) -> dict[str, Any]:
    """Return an alert as templates get it."""
    return {
        "status": labels.pop("status", "firing"),
        "labels": {"alertname": name, "model_name": "churn", **labels},
        "annotations": {
            "summary": f"accuracy{number or ''} of model churn is beyond its expected min",
            "description": "The whole 95 % confidence interval lies beyond the min.",
            "details": "Value: 0.85 (95 %: 0.83 to 0.87), expected min: 0.9. Worst segment:"
            " country = FR with 0.61.",
            "runbook_url": f"https://runbooks/{name}.md",
            "dashboard_url": "https://grafana/d/x?var-model_name=churn",
        },
        "startsAt": "2026-01-31T12:00:00Z",
    }


QUALITY = {"alertname": "ModelQualityBelowExpectation", "severity": "critical"}
GROUPS: dict[str, dict[str, Any]] = {
    "one": {
        "status": "firing",
        "groupLabels": {"model_name": "churn", "category": "quality"},
        "commonLabels": {**QUALITY, "model_name": "churn", "model_version": "3"},
        "alerts": [alert("ModelQualityBelowExpectation")],
    },
    "many": {
        "status": "firing",
        "groupLabels": {"model_name": "churn", "category": "drift"},
        "commonLabels": {"model_name": "churn", "severity": "warning"},
        "alerts": [alert("ModelFeatureDrift", number) for number in range(12)],
    },
    "resolved": {
        "status": "resolved",
        "groupLabels": {"model_name": "churn", "category": "quality"},
        "commonLabels": {**QUALITY, "model_name": "churn"},
        "alerts": [alert("ModelQualityBelowExpectation", status="resolved")],
    },
}
TEMPLATES = ("title", "color", "dashboard", "silence", "text", "html")


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("amtool", AMTOOLS)
def test_messages_are_as_agreed(
    group: str, amtool: str, folder: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    """Value, interval, bound, worst segment, since when, and where to go on, in every version."""
    data = {"externalURL": "https://alertmanager", **GROUPS[group]}
    (tmp_path / "data.json").write_text(json.dumps(data))
    parts = [f'== {name}\n{{{{ template "model_exporter.{name}" . }}}}' for name in TEMPLATES]
    done = run(
        require_tool(amtool),
        *("template", "render", f"--template.data={tmp_path / 'data.json'}"),
        f"--template.glob={folder / 'templates'}/*.tmpl",
        "--template.text=" + "\n".join(parts),
    )
    golden = Path(__file__).parent / f"messages/{group}.txt"
    said = "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"
    assert said == golden.read_text(), done.stderr


@pytest.fixture(params=["prometheus-alertmanager", "alertmanager-current"])
def alertmanager(
    configuration: Path,
    require_tool: Callable,
    tmp_path: Path,
    request: pytest.FixtureRequest,
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
            require_tool(request.param),
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
    """Post alerts; return by name, model and severity whether the alert is inhibited."""
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
            " ".join(
                known["labels"][key]
                for key in ("alertname", "model_name", "severity")
                if key in known["labels"]
            ): bool(known["status"]["inhibitedBy"])
            for known in listed
            if known["status"]["state"] != "unprocessed"
        }
        time.sleep(0.05)
    return found


def test_one_cause_gives_one_notification(alertmanager: str, alerts: list[dict[str, Any]]) -> None:
    firing = {
        "down": ["ModelDown", "ModelTargetDown", "ModelFeatureDrift", "ModelExporterStale"],
        "shifted": ["ModelDriftWidespread", "ModelFeatureDrift", "ModelFeatureInvalid"],
        "blind": ["ModelSourceDown", "ModelQualityBelowExpectation", "ModelLabelsStale"],
        "gone": ["ModelExporterStale", "ModelSourceDown", "ModelQualityBelowExpectation"],
        "bad": ["ModelQualityBelowExpectation", "ModelSegmentQualityBelowExpectation"],
        "burning": ["ModelErrorBudgetBurn"],
        "silent": ["ModelNoTraffic", "ModelTrafficAnomaly"],
        "well": ["ModelFeatureDrift", "ModelFeatureMissing"],
    }
    posted = [
        {**rule["labels"], "alertname": rule["alert"], "model_name": model, "model_version": "3"}
        for model, names in firing.items()
        for rule in alerts
        if rule["alert"] in names
    ]
    (watchdog,) = (rule for rule in alerts if rule["alert"] == "Watchdog")
    posted.append({**watchdog["labels"], "alertname": "Watchdog"})
    expected = [
        "ModelDown down critical",
        "ModelDriftWidespread shifted critical",
        "ModelErrorBudgetBurn burning critical",
        "ModelExporterStale down warning",
        "ModelExporterStale gone warning",
        "ModelFeatureDrift well warning",
        "ModelFeatureMissing well warning",
        "ModelNoTraffic silent warning",
        "ModelQualityBelowExpectation bad critical",
        "ModelSourceDown blind warning",
        "Watchdog none",
    ]
    # Alertmanager takes alerts and what inhibits them in threads of their own.
    deadline = time.monotonic() + 10
    notified: list[str] = []
    while notified != expected and time.monotonic() < deadline:
        states = inhibited(alertmanager, posted)
        notified = sorted(name for name, state in states.items() if not state)
    assert notified == expected
