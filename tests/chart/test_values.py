"""Values that are wrong are refused before anything is installed, in words that name the place."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

MISTAKES = {
    "unknown key": (["replicaCount=2"], "at '': additional properties 'replicaCount' not allowed"),
    "misspelt key": (["image.repo=x"], "at '/image': additional properties 'repo' not allowed"),
    "text for a number": (["service.port=http"], "at '/service/port': got string, want integer"),
    "text for a flag": (["job.enabled=yes"], "at '/job/enabled': got string, want boolean"),
    "number for a text": (["podLabels.build=7"], "at '/podLabels/build': got number, want string"),
    "text for a Secret": (
        ["serviceMonitor.basicAuth.username=admin"],
        "at '/serviceMonitor/basicAuth/username': got string, want object",
    ),
    "Secret without key": (
        ["alertmanagerConfig.slack.apiURL.name=slack"],
        "at '/alertmanagerConfig/slack/apiURL': properties 'key' required",
    ),
    "out of range": (["service.port=0"], "at '/service/port': minimum: got 0, want 1"),
    "not a choice": (
        ["image.pullPolicy=Sometimes"],
        "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
    ),
    "not a task": (
        ["config.models[0].task=ranking"],
        "at '/config/models/0/task': value must be one of 'binary', 'multiclass', 'regression'",
    ),
    "model without task": (
        ["config.models[1].name=fares"],
        "at '/config/models/1': missing property 'task'",
    ),
    "not a quantity": (["persistence.size=much"], "at '/persistence/size': 'much' does not match"),
    "not a duration": (
        ["serviceMonitor.interval=often"],
        "at '/serviceMonitor/interval': 'often' does not match pattern",
    ),
    "address with a slash": (
        ["prometheusRule.runbookUrl=https://x.example.com/"],
        "at '/prometheusRule/runbookUrl': 'https://x.example.com/' does not match pattern",
    ),
    "not a digest": (["image.digest=latest"], "at '/image/digest': 'latest' does not match"),
    "name too long": (
        [f"fullnameOverride={'x' * 53}"],
        "at '/fullnameOverride': maxLength: got 53, want 52",
    ),
    "empty configuration": (["config="], "at '/config': minLength: got 0, want 1"),
    "configuration that is no YAML": (["config=a: b: c"], "config is not YAML"),
    "configuration among the files": (["files.exporter\\.yml=x"], "give it as `config`"),
    "unknown alert": (
        ["prometheusRule.enabled=true", "prometheusRule.disabled={ModelDwon}"],
        'there is no alert "ModelDwon"; there are Model',
    ),
    "nobody to alert": (
        ["alertmanagerConfig.enabled=true"],
        "alertmanagerConfig has no receiver: give the Secret of slack.apiURL",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_refused_by_name(
    mistake: str, chart: Path, run: Callable, require_tool: Callable
) -> None:
    options, message = MISTAKES[mistake]
    words = ("template", "release", chart, "--values", chart / "ci/minimal-values.yaml")
    assert run(require_tool("helm"), *words).returncode == 0
    done = run(require_tool("helm"), *words, *(w for o in options for w in ("--set", o)))
    assert done.returncode != 0
    assert message in done.stderr


def test_without_a_configuration_it_says_what_to_give(
    chart: Path, run: Callable, require_tool: Callable
) -> None:
    done = run(require_tool("helm"), "template", "release", chart)
    assert done.returncode != 0
    assert "config.models is empty: give the configuration with --set-file" in done.stderr


def paths(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{key}.")


def declared(schema: dict[str, Any], root: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the paths of a schema; those of definitions are not the chart's own."""
    for key, child in schema.get("properties", {}).items():
        yield f"{prefix}{key}"
        if "$ref" not in child:
            yield from declared(child, root, f"{prefix}{key}.")


def test_schema_and_values_name_the_same_keys(chart: Path) -> None:
    values = yaml.safe_load((chart / "values.yaml").read_text())
    schema = json.loads((chart / "values.schema.json").read_text())
    named = {
        path
        for path in declared(schema, schema)
        # What the user's own objects may have is not in the defaults.
        if not path.startswith(("global", "config.", "resources."))
        and path.rpartition(".")[0].rpartition(".")[2]
        not in {"basicAuth", "authorization", "namespaceSelector"}
    }
    given = set(paths(values))
    assert named <= given
    objects = {"podSecurityContext", "securityContext", "resources", "labels", "Probe"}
    free = {p for p in given - named if any(part in p for part in objects)}
    assert given - named == free


def test_schema_is_closed_wherever_the_chart_names_the_keys(chart: Path) -> None:
    schema = json.loads((chart / "values.schema.json").read_text())
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"

    def objects(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if node.get("type") == "object" and "properties" in node:
                yield node
            for child in node.values():
                yield from objects(child)

    opened = [node for node in objects(schema) if node.get("additionalProperties") is not False]
    assert [sorted(node["properties"]) for node in opened] == [["name", "task"]]
