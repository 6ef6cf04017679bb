"""Kubernetes and the operators know every field that the chart writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.chart.custom_resources import GROUPS, specification

kubernetes_validate = pytest.importorskip("kubernetes_validate")

OLDEST = 25
"""That of Chart.yaml's kubeVersion."""
NEWEST = int(kubernetes_validate.latest_version().split(".")[1])


@pytest.fixture(scope="module")
def operated(custom_resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the specification's schema by kind."""
    return {one["spec"]["names"]["kind"]: specification(one) for one in custom_resources}


@pytest.mark.parametrize("version", [f"1.{minor}" for minor in range(OLDEST, NEWEST + 1)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kubernetes_knows_every_field(version: str, case: Path, render: Callable) -> None:
    for one in render(case):
        if not one["apiVersion"].startswith(GROUPS):
            kubernetes_validate.validate(one, version, strict=True)


def test_oldest_version_is_that_of_the_chart(chart: Path) -> None:
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert described["kubeVersion"] == f">=1.{OLDEST}.0-0"


def test_operators_know_every_field(operated: dict[str, Any], case: Path, render: Callable) -> None:
    for one in render(case):
        if one["apiVersion"].startswith(GROUPS):
            jsonschema.Draft202012Validator(operated[one["kind"]]).validate(one["spec"])


def test_a_misspelt_field_would_be_found(operated: dict[str, Any], render: Callable) -> None:
    for one in render("operators"):
        if one["apiVersion"].startswith(GROUPS):
            validator = jsonschema.Draft202012Validator(operated[one["kind"]])
            assert not validator.is_valid(one["spec"] | {"selectr": {}})
