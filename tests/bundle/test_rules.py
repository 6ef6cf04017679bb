"""Rules are valid, complete, explained, and fire when and only when they should."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import yaml

from model_exporter.catalogue import SCORES
from model_exporter.demo.fast_motion import seconds

SEVERITIES = {"critical", "warning", "info", "none"}
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


class Case(NamedTuple):
    """What one test of promtool says of one alert, in the order of time."""

    path: Path
    test: dict[str, Any]
    alert: str
    checks: list[dict[str, Any]]


def test_promtool_finds_nothing(root: Path, run: Callable, require_tool: Callable) -> None:
    files = sorted((root / "alerting/rules").glob("*.yml"))
    done = run(require_tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *files)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_promtool_unit_tests(path: Path, run: Callable, require_tool: Callable) -> None:
    done = run(require_tool("promtool"), "test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_complete(alerts: list[dict[str, Any]]) -> None:
    for rule in alerts:
        name = rule["alert"]
        assert name == "Watchdog" or name.startswith("Model")
        assert rule["labels"].keys() == {"severity", "category"}
        assert rule["labels"]["severity"] in SEVERITIES
        assert rule["labels"]["category"] in CATEGORIES
        notes = rule["annotations"]
        assert notes.keys() - {"details"} == {
            "summary", "description", "runbook_url", "dashboard_url"
        }  # fmt: skip
        assert notes["runbook_url"].endswith(f"/{name}.md")
        assert "for" in rule or name == "Watchdog"


def test_a_name_is_given_once_for_each_severity(alerts: list[dict[str, Any]]) -> None:
    keys = [(rule["alert"], rule["labels"]["severity"]) for rule in alerts]
    assert len(set(keys)) == len(keys)


def test_drift_of_one_feature_never_pages(alerts: list[dict[str, Any]]) -> None:
    for rule in alerts:
        if rule["alert"] in {"ModelFeatureDrift", "ModelSidecarDrift"}:
            assert rule["labels"]["severity"] == "warning"


def test_every_alert_has_a_runbook_and_every_runbook_an_alert(
    alerts: list[dict[str, Any]], runbooks: dict[str, Any], root: Path
) -> None:
    assert set(runbooks) == {rule["alert"] for rule in alerts}
    for name in runbooks:
        text = (root / f"alerting/runbooks/{name}.md").read_text()
        heads = [line for line in text.splitlines() if line.startswith("#")]
        assert heads == [
            f"# {name}", "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"
        ]  # fmt: skip


def test_every_runbook_has_queries_that_parse(
    runbooks: dict[str, list[str]], promql: SimpleNamespace
) -> None:
    for name, queries in runbooks.items():
        assert queries, name
        for query in queries:
            promql.parse(query)


def test_pint_finds_nothing(root: Path, run: Callable, require_tool: Callable) -> None:
    done = run(
        require_tool("pint"),
        *("--no-color", "--offline", "--config", root / "alerting/pint.hcl"),
        *("lint", "--min-severity=info", "--fail-on=info", root / "alerting/rules"),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def cases() -> Iterator[Case]:
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            found: dict[str, list[Any]] = {}
            for case in test.get("alert_rule_test", ()):
                found.setdefault(case["alertname"], []).append(case)
            for name, of_alert in found.items():
                of_alert.sort(key=lambda case: seconds(str(case["eval_time"])))
                yield Case(path, test, name, of_alert)


def test_every_alert_is_seen_quiet_then_firing_then_quiet_again(
    alerts: list[dict[str, Any]],
) -> None:
    """In one test each, so that it is the same series that fire and recover."""
    whole = set()
    for case in cases():
        states = [bool(at["exp_alerts"]) for at in case.checks]
        severities = {
            alert["exp_labels"]["severity"] for at in case.checks for alert in at["exp_alerts"]
        }
        if states[0] is False and True in states and states[-1] is False:
            whole |= {(case.alert, severity) for severity in severities}
    everyone = {(rule["alert"], rule["labels"]["severity"]) for rule in alerts}
    assert everyone - whole == {("Watchdog", "none")}


def cut(values: str, samples: int) -> str:
    """Return the first samples of a series in promtool's notation; then it is gone."""
    kept: list[str] = []
    for token in values.split():
        repeated = re.fullmatch(r"(.*)x(\d+)", token)
        count = 1 if repeated is None else int(repeated[2]) + 1
        if repeated is not None and repeated[1] == "_":
            count = int(repeated[2])
        if samples <= 0:
            break
        kept.append(token if count <= samples else f"{repeated[1]}x{samples - 1}")  # type: ignore[index]
        samples -= count
    return " ".join([*kept, "stale"])


def only(names: set[str], rules: Path, folder: Path) -> Path:
    """Write a rule file without the alerts that are not asked for, which cost most of the time."""
    document = yaml.safe_load(rules.read_text())
    for group in document["groups"]:
        group["rules"] = [r for r in group["rules"] if r.get("alert") in {None, *names}]
    (folder / rules.name).write_text(yaml.safe_dump(document))
    return folder / rules.name


QUIET_WHEN_GONE = {"ModelNoTraffic"}
"""It says that a model is up and not called; of one that is gone, ModelDown says more."""


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_no_alert_resolves_because_its_series_vanish(
    path: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    """Each firing case once more, with every series gone from then on: it fires on for minutes."""
    document = yaml.safe_load(path.read_text())
    variants: dict[tuple[str, float], dict[str, Any]] = {}
    for case in cases():
        at = next((check for check in case.checks if check["exp_alerts"]), None)
        if case.path != path or at is None or case.alert in QUIET_WHEN_GONE:
            continue
        then = seconds(str(at["eval_time"]))
        samples = int(then // seconds(case.test["interval"])) + 1
        gone = {
            "interval": case.test["interval"],
            "input_series": [
                {**row, "values": cut(str(row["values"]), samples)}
                for row in case.test["input_series"]
            ],
            "promql_expr_test": [],
        }
        later = int(then + max(300, seconds(document["evaluation_interval"])))
        variants.setdefault((case.test["name"], then), gone)["promql_expr_test"].append(
            {
                "expr": f'count(ALERTS{{alertname="{case.alert}", alertstate="firing"}})',
                "eval_time": f"{later}s",
                "exp_samples": [{"labels": "{}", "value": len(at["exp_alerts"])}],
            }
        )
    names = {case.alert for case in cases() if case.path == path}
    document["rule_files"] = [
        str(only(names, path.parent / rules, tmp_path)) for rules in document["rule_files"]
    ]
    document["tests"] = list(variants.values())
    (tmp_path / "vanish.yml").write_text(yaml.safe_dump(document))
    done = run(require_tool("promtool"), "test", "rules", tmp_path / "vanish.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_function_that_another_prometheus_lacks(
    rules: list[dict[str, Any]], promql: SimpleNamespace
) -> None:
    for rule in rules:
        for name in NOT_PORTABLE:
            assert f"{name}(" not in rule["expr"].replace(" (", "(").replace("model_info", "")
        promql.parse(rule["expr"])


def test_pooled_versions_and_segments_do_not_fire_twice(
    rules: list[dict[str, Any]], promql: SimpleNamespace
) -> None:
    """Series of the job that carry a version are asked for single versions only."""
    pooled = ("model_drift_", "model_expectation_violated", "model_label_coverage", "model_missing")
    for rule in rules:
        name = rule.get("alert", rule.get("record"))
        for selector in promql.selectors(rule["expr"]):
            if selector.name.startswith(pooled):
                assert ("model_version", "NotEqual", "all") in selector.matchers, name
            if selector.name.startswith(("model_window_", "model_label_coverage")):
                assert ("segment", "Equal", "") in selector.matchers, name


def test_look_ups_name_scores_as_the_catalogue_does() -> None:
    """Annotations ask for `model_<score>(_ratio)?`, with the score of an expectation."""
    for score in SCORES:
        assert score.name in {f"model_{score.key}", f"model_{score.key}_ratio"}
        assert (score.lower, score.upper) == (f"{score.name}_lower", f"{score.name}_upper")
