"""Both live /metrics pages are as Prometheus wants them."""

import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from model_exporter.catalogue import FAMILIES, Side
from model_exporter.demo.processes import fetch


@pytest.fixture(params=["demo-model", "model-exporter"])
def page(request, world, eventually):
    """Return the job's name and its exposition, once every model is in it."""

    def whole():
        text = fetch(world.metrics[request.param])
        return text if text.count("seattle-weather") > 100 else None

    return request.param, eventually(whole, what="an exposition with all models")


def test_promtool_has_no_complaints(page, require_tool):
    """`promtool check metrics` finds neither an error nor bad style."""
    command = [require_tool("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=page[1], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_only_what_the_catalogue_lists(page):
    """Every family served is listed, on the right side."""
    job, text = page
    side = Side.SIDECAR if job == "demo-model" else Side.JOB
    listed = {family.name.removesuffix("_total") for family in FAMILIES if family.side is side}
    served = {family.name for family in text_string_to_metric_families(text)}
    assert served - listed == set()
    assert len(served) > len(listed) / 2
