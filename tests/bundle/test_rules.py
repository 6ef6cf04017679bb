"""Rules are valid, complete, explained, and fire when and only when they should."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

SEVERITIES = {"critical", "warning", "none"}
CATEGORIES = {"availability", "serving", "drift", "data", "quality", "labels", "monitoring"}
NOT_PORTABLE = {
    "holt_winters",
    "double_exponential_smoothing",
    "mad_over_time",
    "sort_by_label",
    "histogram_avg",
    "info",
}
TESTS = sorted((Path(__file__).parents[2] / "alerting/tests").glob("*.yml"))


def test_promtool_finds_nothing(root: Path, run: Callable, require_tool: Callable) -> None:
    files = sorted((root / "alerting/rules").glob("*.yml"))
    done = run(require_tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *files)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_promtool_unit_tests(path: Path, run: Callable, require_tool: Callable) -> None:
    done = run(require_tool("promtool"), "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_complete(alerts: dict[str, Any]) -> None:
    for name, rule in alerts.items():
        assert name == "Watchdog" or name.startswith("Model")
        assert rule["labels"].keys() == {"severity", "category"}
        assert rule["labels"]["severity"] in SEVERITIES
        assert rule["labels"]["category"] in CATEGORIES
        notes = rule["annotations"]
        assert notes.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
        assert notes["runbook_url"].endswith(f"/{name}.md")
        assert "for" in rule or name == "Watchdog"


def test_every_alert_has_a_runbook_and_every_runbook_an_alert(
    alerts: dict[str, Any], runbooks: dict[str, Any], root: Path
) -> None:
    assert set(runbooks) == set(alerts)
    for name in runbooks:
        text = (root / f"alerting/runbooks/{name}.md").read_text()
        heads = [line for line in text.splitlines() if line.startswith("#")]
        assert heads == [
            f"# {name}", "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"
        ]  # fmt: skip


def test_every_alert_is_seen_firing_and_quiet(alerts: dict[str, Any]) -> None:
    cases = [
        case
        for path in TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", ())
    ]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(alerts)
    quiet = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert quiet == set(alerts) - {"Watchdog"}


def test_no_function_that_another_prometheus_lacks(
    rules: list[dict[str, Any]], promql: SimpleNamespace
) -> None:
    for rule in rules:
        for name in NOT_PORTABLE:
            assert f"{name}(" not in rule["expr"].replace(" (", "(").replace("model_info", "")
        promql.parse(rule["expr"])


def test_pooled_versions_and_segments_do_not_fire_twice(
    alerts: dict[str, Any], promql: SimpleNamespace
) -> None:
    """Series of the job that carry a version are asked for single versions only."""
    pooled = ("model_drift_", "model_expectation_violated", "model_label_coverage", "model_missing")
    for name, rule in alerts.items():
        for selector in promql.selectors(rule["expr"]):
            if selector.name.startswith(pooled):
                assert ("model_version", "NotEqual", "all") in selector.matchers, name
            if selector.name.startswith(("model_window_", "model_label_coverage")):
                assert ("segment", "Equal", "") in selector.matchers, name
