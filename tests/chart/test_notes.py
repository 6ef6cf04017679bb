"""What Helm says at the end of an installation; nothing is installed here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def notes(chart: Path, run: Callable, require_tool: Callable) -> Callable[..., str]:
    def call(values: str, *options: str) -> str:
        path = chart / f"ci/{values}-values.yaml"
        words = ("install", "release", chart, "--dry-run=client", "--namespace", "models")
        done = run(require_tool("helm"), *words, "--values", path, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("\nNOTES:\n")[2]

    return call


@pytest.mark.parametrize("values", ["minimal", "full", "stateless"])
def test_address_and_commands_are_those_of_the_objects(
    values: str, notes: Callable, render: Callable
) -> None:
    objects: dict[str, Any] = {one["kind"]: one for one in render(values)}
    service = objects["Service"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    port = service["spec"]["ports"][0]["port"]
    said = notes(values)
    assert f"http://{name}.{namespace}.svc:{port}/metrics" in said
    kind = "Deployment" if values == "stateless" else "StatefulSet"
    assert f"logs {kind.lower()}/{objects[kind]['metadata']['name']}\n" in said
    assert ("reads all history again" in said) == (values == "stateless")
    assert "Prometheus does not know of it yet" in said


def test_what_would_surprise_is_said(notes: Callable) -> None:
    assert "No job is installed" in notes("sidecars")
    assert "app.kubernetes.io/component: model-server" in notes("sidecars")
    assert "http://localhost:3000" in notes("minimal", "--set", "prometheusRule.enabled=true")
    said = notes("operators")
    assert "Prometheus does not know" not in said
    assert "localhost" not in said
    assert 'namespace="monitoring" only' in said
    assert "reach nobody" not in said
    paging = {"slack.apiURL": "null", "msteams.webhookURL": "null", "email.to": ""}
    options = [f"alertmanagerConfig.{key}={value}" for key, value in paging.items()]
    assert "reach nobody" in notes("operators", *(w for o in options for w in ("--set", o)))
