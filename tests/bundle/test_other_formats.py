"""The same alerts and objectives for Grafana's own alerting, and for Sloth."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import alerting

from model_exporter import bundle
from model_exporter.bundle.rules import sloth
from model_exporter.bundle.rules.files import rule_files
from model_exporter.bundle.rules.objectives import Latency, Objectives, parse
from model_exporter.bundle.rules.rule import render
from model_exporter.cli import main

GRAFANA_NAMES = {"keepFiringFor": "keep_firing_for"}
"""Of files, and of the API that the SDK is made from."""


@pytest.fixture
def provisioned(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "alerting/grafana/model-alerts.yaml").read_text())


def test_grafana_knows_every_key(provisioned: dict[str, Any]) -> None:
    """A round trip through Grafana's own types loses nothing."""
    for group in provisioned["groups"]:
        assert group.keys() == {"orgId", "name", "folder", "interval", "rules"}
        for rule in group["rules"]:
            sent = {GRAFANA_NAMES.get(key, key): value for key, value in rule.items()}
            back = json.loads(JSONEncoder().encode(alerting.Rule.from_json(sent)))
            assert {key: back[key] for key in sent} == sent


def test_grafana_asks_what_prometheus_asks(
    provisioned: dict[str, Any], alerts: list[dict[str, Any]], promql: SimpleNamespace
) -> None:
    """The same queries, waits and labels; `$` is doubled, since provisioning expands it."""
    rules = [rule for group in provisioned["groups"] for rule in group["rules"]]
    assert len(rules) == len(alerts)
    for ours, theirs in zip(alerts, rules, strict=True):
        query = theirs["data"][0]["model"]["expr"]
        assert promql.parse(query.replace("$$", "$")).prettify() == (
            promql.parse(ours["expr"]).prettify()
        )
        assert theirs["labels"] == ours["labels"]
        assert theirs["for"] == ours.get("for", "0m")
        assert theirs["keepFiringFor"] == ours.get("keep_firing_for", "0m")
        assert theirs["annotations"]["runbook_url"] == ours["annotations"]["runbook_url"]


def test_no_dollar_is_left_for_the_environment(provisioned: dict[str, Any]) -> None:
    text = yaml.safe_dump(provisioned, width=10_000).replace("${DATASOURCE_UID}", "")
    assert re.findall(r"(?<!\$)\$(?!\$)", text.replace("$$", "")) == []


def test_uids_are_unique_and_short(provisioned: dict[str, Any]) -> None:
    uids = [rule["uid"] for group in provisioned["groups"] for rule in group["rules"]]
    assert len(set(uids)) == len(uids)
    assert max(map(len, uids)) <= 40


@pytest.mark.parametrize("flags", [[], ["availability=99.9"], ["latency=0.25s:99"]])
def test_sloth_accepts_its_format(
    flags: list[str], run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    program = shutil.which("sloth")
    if program is None:  # not in CI either: of all that it builds, this takes longest
        pytest.skip("sloth is not on PATH: that it reads its format stays unverified")
    (tmp_path / "slo.yml").write_text(sloth.render(parse(flags)))
    done = run(program, *("generate", "-i", tmp_path / "slo.yml", "-o", tmp_path / "rules.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    checked = run(require_tool("promtool"), "check", "rules", tmp_path / "rules.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_objectives_are_read_as_written() -> None:
    assert parse([]) == Objectives()
    assert parse(["availability=99.95", "latency=1s:99.5"]) == Objectives(
        0.9995, Latency("1.0", 0.995)
    )


@pytest.mark.parametrize(
    ("flag", "problem"),
    [
        ("availability=100", "between 0 and 100, found 100"),
        ("availability=0", "between 0 and 100"),
        ("availability=9.9.9", "expected a number"),
        ("latency=250ms:99", "write for example"),
        ("uptime=99", "write for example availability=99.9 or latency=0.25s:99"),
    ],
)
def test_what_is_no_objective_is_refused(flag: str, problem: str, capsys: Any) -> None:
    """Exit status 2, and nothing is written."""
    assert main(["bundle", "write", "--root", "/nonexistent", "--slo", flag]) == 2
    assert problem in capsys.readouterr().err


def test_flags_reach_the_rules_and_are_checked(
    tmp_path: Path, run: Callable, require_tool: Callable
) -> None:
    (tmp_path / "README.md").write_text("<!-- metrics:begin -->\n<!-- metrics:end -->\n")
    objectives = parse(["availability=99.9", "latency=0.25s:99"])
    bundle.write(tmp_path, objectives)
    assert bundle.check(tmp_path, objectives) == []
    assert any("model-slo.yml: differs" in line for line in bundle.check(tmp_path))
    rules = tmp_path / "alerting/rules"
    assert (rules / "model-slo.yml").read_text() == render(rule_files(objectives)["model-slo.yml"])
    assert "0.999 * max by" in (rules / "model-slo.yml").read_text()
    done = run(
        require_tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *rules.glob("*")
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_flag_is_the_objective_of_models_that_name_none(
    tmp_path: Path, run: Callable, require_tool: Callable
) -> None:
    objectives = parse(["availability=99.9", "latency=0.25s:99"])
    (tmp_path / "rules.yml").write_text(render(rule_files(objectives)["model-slo.yml"]))
    own = "model_objective_availability_ratio{model_name='own'}"
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": "model_info{job='j', model_name='own'}", "values": "1x10"},
                    {"series": "model_info{job='j', model_name='other'}", "values": "1x10"},
                    {"series": own, "values": "0.95x10"},
                ],
                "promql_expr_test": [
                    {
                        "expr": "sum by (model_name) (model:model_objective_availability:ratio)",
                        "eval_time": "5m",
                        "exp_samples": [
                            {"labels": '{model_name="own"}', "value": 0.95},
                            {"labels": '{model_name="other"}', "value": 0.999},
                        ],
                    },
                    {
                        "expr": "sum by (model_name, le) (model:model_objective_latency:ratio)",
                        "eval_time": "5m",
                        "exp_samples": [
                            {"labels": f'{{model_name="{name}", le="0.25"}}', "value": 0.99}
                            for name in ("own", "other")
                        ],
                    },
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    done = run(require_tool("promtool"), "test", "rules", tmp_path / "test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
