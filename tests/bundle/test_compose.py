"""The files that start the stack agree with each other; no container is started here."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.bundle.test_dockerfile import stages

import model_exporter
from model_exporter.demo import container

LOADER = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "compose.yaml").read_text())


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return the host side by container side of a service's bind mounts."""
    pairs = (volume.split(":") for volume in service.get("volumes", ()))
    return {target: source for source, target, *_ in pairs if source.startswith("./")}


def test_every_mounted_file_exists(compose: dict[str, Any], root: Path) -> None:
    for name, service in compose["services"].items():
        for source in mounts(service).values():
            assert (root / source).exists(), (name, source)


def test_named_volumes_and_configs_are_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"]
        for config in service.get("configs", ()):
            assert config["source"] in compose["configs"]


def test_images_are_pinned_and_ports_stay_on_this_machine(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        name, _, tag = service["image"].partition(":")
        assert tag
        assert tag != "latest"
        if name.startswith("model-exporter"):
            assert tag == model_exporter.__version__
            assert "build" in service
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_prometheus_finds_rules_targets_and_alertmanager(
    compose: dict[str, Any], root: Path
) -> None:
    services = compose["services"]
    config = yaml.safe_load((root / "alerting/prometheus/prometheus.yml").read_text())
    bound = mounts(services["prometheus"])
    (pattern,) = config["rule_files"]
    assert list((root / bound[str(Path(pattern).parent)]).glob(Path(pattern).name))
    targets = [
        target
        for job in [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
        for static in job["static_configs"]
        for target in static["targets"]
    ]
    for target in targets:
        host, _, port = target.partition(":")
        if host != "localhost":
            assert any(p.endswith(f":{port}") for p in services[host]["ports"]), target


def test_prometheus_accepts_its_configuration(root: Path, run: Any, require_tool: Any) -> None:
    path = root / "alerting/prometheus/prometheus.yml"
    done = run(require_tool("promtool"), "check", "config", "--syntax-only", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_is_provisioned_with_these_dashboards(compose: dict[str, Any], root: Path) -> None:
    bound = mounts(compose["services"]["grafana"])
    provisioning = root / "dashboards/provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards.yaml").read_text())["providers"]
    assert (root / bound[provider["options"]["path"]]).samefile(root / "dashboards")
    (source,) = yaml.safe_load((provisioning / "datasources.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"


def test_alertmanager_finds_its_templates(compose: dict[str, Any], root: Path) -> None:
    bound = mounts(compose["services"]["alertmanager"])
    config = yaml.safe_load((root / "alerting/alertmanager/alertmanager.yml").read_text())
    (pattern,) = config["templates"]
    assert list((root / bound[str(Path(pattern).parent)]).glob(Path(pattern).name))


def test_our_containers_cannot_write_but_to_their_volumes(compose: dict[str, Any]) -> None:
    for name in ("demo", "exporter"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_compose_accepts_it(root: Path, run: Any, require_tool: Any) -> None:
    """The loader of Docker Compose itself, a Go module."""
    done = run(require_tool("go"), "run", LOADER, root / "compose.yaml")
    said = done.stderr.strip().rpartition("\n")[2]
    unreachable = done.returncode != 0 and said.startswith("go: ")
    if unreachable and os.environ.get("REQUIRE_TOOLS") != "1":
        pytest.skip(f"{LOADER} cannot be fetched: {said}")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["services"].keys() == {
        *("demo", "exporter", "prometheus", "alertmanager", "grafana")
    }


def test_the_job_reads_what_the_demo_writes(compose: dict[str, Any], root: Path) -> None:
    """Same volume, same file, same port; the demo's own tests load that configuration."""
    services = compose["services"]
    (words,) = stages(root)["demo"]["CMD"]
    (directory,) = json.loads(words)
    assert services["exporter"]["command"] == ["serve", "--config", f"{directory}/exporter.yml"]
    assert [v.split(":")[0] for v in services["demo"]["volumes"]] == ["demo"]
    assert any(v.startswith(f"demo:{directory}") for v in services["exporter"]["volumes"])
    assert f"127.0.0.1:{container.SERVER_PORT}:{container.SERVER_PORT}" in services["demo"]["ports"]
    assert f"127.0.0.1:{container.JOB_PORT}:{container.JOB_PORT}" in services["exporter"]["ports"]
    check = services["demo"]["healthcheck"]["test"][-1]
    assert f"{directory}/exporter.yml" in check
    assert f":{container.SERVER_PORT}/metrics" in check
