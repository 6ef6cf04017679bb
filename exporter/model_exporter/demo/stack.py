"""Prometheus, Alertmanager and Grafana, as far as they are installed: started, linked, ended.

Everything listens on 127.0.0.1 and writes below the demo's own temporary directory.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from model_exporter.bundle.dashboards import DASHBOARDS
from model_exporter.bundle.rules.files import RULE_FILES
from model_exporter.bundle.rules.rule import render
from model_exporter.demo import configuration, fast_motion
from model_exporter.demo.processes import Processes, answers, free_port
from model_exporter.demo.receiver import Receiver

ALERTMANAGER_NAMES = ("alertmanager", "prometheus-alertmanager")
"""The second is Debian's."""
_PLACES = (Path(__file__).parents[3] / "alerting", Path(__file__).parent)
SHIPPED_ALERTING = next(
    (place / "alertmanager" for place in _PLACES if (place / "alertmanager").is_dir()), _PLACES[1]
)
"""In the repository, or where the wheel has it."""
READY_SECONDS = 20.0
GRAFANA_SECONDS = 60.0
"""It fills its database at the first start."""
HOME_PATHS = ("/usr/share/grafana", "/usr/local/share/grafana", "/opt/homebrew/share/grafana")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Addresses of what was started; None for what was not."""

    prometheus: str | None = None
    alertmanager: str | None = None
    grafana: str | None = None


def find(*names: str) -> str | None:
    """Return the path of the first program that is installed."""
    return next((path for path in map(shutil.which, names) if path), None)


def start(
    processes: Processes,
    directory: Path,
    *,
    targets: Mapping[str, str],
    factor: float,
    receiver: Receiver,
) -> Stack:
    """Start what is installed. Prometheus comes first: the others are of no use without it."""
    if find("prometheus") is None:
        return Stack()
    alertmanager = _alertmanager(processes, directory, factor=factor, receiver=receiver)
    prometheus = _prometheus(
        processes, directory, targets=targets, factor=factor, alertmanager=alertmanager
    )
    grafana = _grafana(processes, directory, prometheus)
    return Stack(prometheus=prometheus, alertmanager=alertmanager, grafana=grafana)


def write_rules(directory: Path, factor: float) -> Path:
    """Write the shipped rules, in fast motion, and return their directory."""
    rules = directory / "rules"
    rules.mkdir()
    for name, groups in RULE_FILES.items():
        (rules / name).write_text(fast_motion.rules(render(groups), factor), "utf-8")
    return rules


def write_alertmanager(directory: Path, *, factor: float, receiver_url: str) -> Path:
    """Write the shipped Alertmanager configuration, in fast motion and turned to the receiver."""
    secrets = directory / "secrets"
    secrets.mkdir()
    shipped = yaml.safe_load((SHIPPED_ALERTING / "alertmanager.yml").read_text("utf-8"))
    text = configuration.alertmanager(
        fast_motion.routes(shipped, factor),
        secrets=secrets,
        templates=SHIPPED_ALERTING / "templates",
        url=receiver_url,
    )
    path = directory / "alertmanager.yml"
    path.write_text(text, "utf-8")
    return path


def _alertmanager(
    processes: Processes, directory: Path, *, factor: float, receiver: Receiver
) -> str | None:
    program = find(*ALERTMANAGER_NAMES)
    if program is None:
        return None
    path = write_alertmanager(directory, factor=factor, receiver_url=receiver.url)
    address = f"127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={path}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",  # it would gossip on every interface
    ]
    child = processes.start("alertmanager", command)
    ready = answers(f"http://{address}/-/ready")
    processes.wait_for("alertmanager", child, ready, READY_SECONDS)
    return f"http://{address}"


def _prometheus(
    processes: Processes,
    directory: Path,
    *,
    targets: Mapping[str, str],
    factor: float,
    alertmanager: str | None,
) -> str:
    program = find("prometheus")
    assert program is not None
    path = directory / "prometheus.yml"
    text = configuration.prometheus(
        targets,
        rules=write_rules(directory, factor),
        alertmanager=alertmanager.removeprefix("http://") if alertmanager else None,
    )
    path.write_text(text, "utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={path}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address={address}",
        # It finds Alertmanager after 5 s; what fired before would be sent again after a minute.
        "--rules.alert.resend-delay=5s",
    ]
    child = processes.start("prometheus", command)
    ready = answers(f"http://{address}/-/ready")
    processes.wait_for("prometheus", child, ready, READY_SECONDS)
    return f"http://{address}"


def _grafana(processes: Processes, directory: Path, prometheus: str) -> str | None:
    program = find("grafana-server")
    if program is None:
        return None
    port = free_port()
    environment = {**os.environ, **grafana_environment(directory / "grafana", port)}
    write_provisioning(directory / "grafana", prometheus)
    home = next((path for path in HOME_PATHS if Path(path).is_dir()), None)
    command = [program, *(["--homepath", home] if home else [])]
    child = processes.start("grafana", command, environment=environment)
    url = f"http://127.0.0.1:{port}"
    processes.wait_for("grafana", child, answers(f"{url}/api/health"), GRAFANA_SECONDS)
    return url


def grafana_environment(directory: Path, port: int) -> dict[str, str]:
    """Return settings under which Grafana serves visitors on loopback and calls nobody."""
    return {
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_PATHS_DATA": str(directory / "data"),
        "GF_PATHS_LOGS": str(directory / "logs"),
        "GF_PATHS_PLUGINS": str(directory / "plugins"),
        "GF_PATHS_PROVISIONING": str(directory / "provisioning"),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true",
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
    }


def write_provisioning(directory: Path, prometheus: str) -> None:
    """Write the shipped dashboards, and where Grafana finds them and Prometheus."""
    dashboards = directory / "dashboards"
    source = {
        "name": "Prometheus",
        "uid": "prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": prometheus,
        "isDefault": True,
        "jsonData": {"timeInterval": configuration.SCRAPE_INTERVAL},
    }
    provider = {"name": "demo", "type": "file", "options": {"path": str(dashboards)}}
    files = {
        "datasources": {"apiVersion": 1, "datasources": [source]},
        "dashboards": {"apiVersion": 1, "providers": [provider]},
    }
    for name, document in files.items():
        folder = directory / "provisioning" / name
        folder.mkdir(parents=True)
        (folder / "demo.yaml").write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    dashboards.mkdir()
    for name, dashboard in DASHBOARDS.items():
        (dashboards / name).write_text(json.dumps(dashboard), "utf-8")
