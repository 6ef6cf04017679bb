"""Drift in real data becomes a notification, through the shipped rules and the shipped routes.

Different from what is shipped: the durations are divided (`demo.fast_motion`), and in the
Alertmanager configuration the addresses, secrets and template directory (`demo.configuration`).
"""

import json

from model_exporter.demo.processes import fetch

QUALITY = "ModelQualityBelowExpectation"
DRIFT = {"ModelFeatureDrift", "ModelSidecarDrift", "ModelDriftWidespread", "ModelPredictionDrift"}
LABELS = {"alertname", "model_name", "model_version", "severity", "category"}
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url"}


def delivered(world, receiver):
    """Return the alerts that a receiver got in Alertmanager's own format."""
    messages = [body for path, body in list(world.receiver.messages) if path == f"/{receiver}"]
    return [alert for body in messages for alert in body["alerts"]]


def test_targets_are_up(world, eventually):
    def up():
        found = world.get("query", query="up")["result"]
        return {s["metric"]["job"]: s["value"][1] for s in found} == dict.fromkeys(
            world.metrics, "1"
        )

    eventually(up, what="up", seconds=20)


def test_drift_is_delivered(world, eventually):
    """The summer reaches the bike model, and its alert the webhook."""

    def drift():
        return [
            alert
            for alert in delivered(world, "automation")
            if alert["labels"]["alertname"] in DRIFT
            and alert["labels"]["model_name"] == "bike-demand"
        ]

    alert = eventually(drift, what="a drift alert of the bike model")[0]
    check(alert)
    assert alert["labels"]["category"] == "drift"


def test_bad_quality_is_delivered(world, eventually):
    """The weather labels change their meaning; the accuracy falls, and somebody is paged."""

    def quality():
        return [
            alert
            for alert in delivered(world, "automation")
            if alert["labels"]["alertname"] == QUALITY
        ]

    alert = eventually(quality, what="a quality alert")[0]
    check(alert)
    assert alert["labels"]["severity"] == "critical"
    assert alert["labels"]["score"] in alert["annotations"]["summary"]

    def pages():
        return [body for path, body in list(world.receiver.messages) if path == "/pagerduty"]

    page = eventually(pages, what="a page", seconds=10)[0]
    assert page["event_action"] == "trigger"
    assert page["payload"]["custom_details"]["model"]


def test_slack_reads_the_templates(world, eventually):
    """The shipped templates make a message with a title, a runbook and a dashboard."""

    def messages():
        return [body for path, body in list(world.receiver.messages) if path == "/slack"]

    (attachment,) = eventually(messages, what="a Slack message")[0]["attachments"]
    assert "FIRING" in attachment["title"]
    assert "Runbook: https://" in attachment["text"]
    assert attachment["title_link"].startswith("http")


def check(alert):
    assert alert["status"] == "firing"
    assert set(alert["labels"]) >= LABELS
    assert set(alert["annotations"]) >= ANNOTATIONS
    name = alert["labels"]["alertname"]
    assert alert["annotations"]["runbook_url"].endswith(f"/{name}.md")
    assert alert["labels"]["model_name"] in alert["annotations"]["summary"]


def test_rules_evaluate_without_errors(world):
    """Every rule was evaluated, and none failed."""
    rules = [rule for group in world.get("rules")["groups"] for rule in group["rules"]]
    assert rules
    assert [rule["name"] for rule in rules if rule["health"] not in ("ok", "unknown")] == []


def test_watchdog_and_inhibition(world, eventually):
    """The heartbeat always fires; a page about a model's drift covers the tickets about it."""

    def known():
        return json.loads(fetch(f"{world.alertmanager}/api/v2/alerts"))

    def heartbeat():
        return "Watchdog" in {alert["labels"]["alertname"] for alert in known()}

    def inhibited():
        return [
            alert
            for alert in known()
            if alert["labels"].get("model_name") == "bike-demand"
            and alert["labels"]["alertname"] in DRIFT
            and alert["status"]["inhibitedBy"]
        ]

    eventually(heartbeat, what="the heartbeat", seconds=20)
    eventually(inhibited, what="an inhibited ticket", seconds=150)
