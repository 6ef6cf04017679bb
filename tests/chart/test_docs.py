"""Values and commands that the documentation shows are ones that the chart takes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from model_exporter import Baseline
from model_exporter.job.config import load

PAGE = Path(__file__).parents[2] / "docs/kubernetes.md"
BLOCKS = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE.read_text(), re.S)
VALUES = [text for name, text in BLOCKS if name == "values.yaml"]
FILES = dict(BLOCKS)


@pytest.mark.parametrize("values", VALUES, ids=lambda text: text.split(":")[0])
def test_values_are_accepted(
    values: str, chart: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(values)
    words = ("template", "churn", chart, "--values", chart / "ci/minimal-values.yaml")
    done = run(require_tool("helm"), *words, "--values", path)
    assert done.returncode == 0, done.stderr
    found = [one for one in yaml.safe_load_all(done.stdout) if one]
    named = {key for key in yaml.safe_load(values) if key.endswith(("Monitor", "Rule", "Config"))}
    kinds = {one["kind"] for one in found}
    assert {key[0].upper() + key[1:] for key in named} <= kinds


def test_the_job_accepts_its_configuration(tmp_path: Path) -> None:
    table = {"age": [1, 2, 3, 4], "prediction": [0, 1, 0, 1]}
    fitted = Baseline.from_table(table, task="binary", features={"numeric": ["age"]})
    fitted.save(tmp_path / "churn.baseline.json")
    (tmp_path / "exporter.yml").write_text(FILES["exporter.yml"])
    (model,) = load(tmp_path / "exporter.yml").models
    assert model.name == "churn"


def test_prometheus_accepts_its_configuration(
    run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    """All but the discovery by Kubernetes' API, which Debian leaves out of its promtool."""
    config = yaml.safe_load(FILES["prometheus.yml"])
    for job in config["scrape_configs"]:
        job.pop("kubernetes_sd_configs", None)
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    done = run(require_tool("promtool"), "check", "config", "--syntax-only", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_names_are_those_that_the_chart_gives(render: Callable) -> None:
    """The page speaks of a release "churn" in the namespace "monitoring"."""
    text = PAGE.read_text()
    (service,) = [one for one in render("minimal") if one["kind"] == "Service"]
    name = service["metadata"]["name"].replace("release", "churn")
    (port,) = service["spec"]["ports"]
    assert f"{name}.monitoring.svc:{port['port']}" in text
    assert f"state-{name}-0" in text


def test_every_path_it_names_exists() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGE.read_text())
    named = re.findall(r"(?<=[ =])((?:helm|alerting|dashboards)/[\w./-]+)", PAGE.read_text())
    root = PAGE.parents[1]
    assert links
    assert named
    for path in links:
        assert (PAGE.parent / path).exists(), path
    for path in named:
        assert (root / path).exists(), path
