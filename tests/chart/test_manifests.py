"""The plain manifests are what the chart gives, and the model server's example runs."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_exporter.demo.processes import fetch, free_port

PATIENCE = 60.0
TOKEN = "a-token-of-this-test"
SERVE = "from model_exporter.cli import main; main(['serve', '--config', 'exporter.yml'])"


@pytest.fixture(scope="module")
def manifests(root: Path) -> Path:
    return root / "helm/manifests"


def objects(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def test_committed_manifest_is_what_the_chart_gives(
    manifests: Path, run: Callable, require_tool: Callable, tmp_path: Path
) -> None:
    require_tool("helm")
    made = tmp_path / "exporter.yaml"
    done = run(require_tool("make"), "manifests", f"MANIFEST={made}")
    assert done.returncode == 0, done.stderr
    assert made.read_text() == (manifests / "exporter.yaml").read_text(), "run `make manifests`"


@pytest.mark.parametrize("name", ["exporter.yaml", "model-server.yaml"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_kubernetes_knows_every_field(name: str, manifests: Path) -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    for one in objects(manifests / name):
        if not one["apiVersion"].startswith("monitoring.coreos.com/"):
            for version in ("1.25", "1.37"):
                validate(one, version, strict=True)


def test_the_example_is_what_the_pod_monitor_selects(manifests: Path) -> None:
    found = {one["kind"]: one for one in objects(manifests / "model-server.yaml")}
    monitor = found["PodMonitor"]["spec"]
    template = found["Deployment"]["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert monitor["jobLabel"] in template["metadata"]["labels"]
    (container,) = template["spec"]["containers"]
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert ports == {"http": environment["PORT"], "metrics": environment["METRICS_PORT"]}
    assert monitor["podMetricsEndpoints"] == [{"port": "metrics"}]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., None]]:
    with ExitStack() as running:

        def call(*command: str, **environment: str) -> None:
            child = subprocess.Popen(command, env=os.environ | environment, cwd=tmp_path)
            running.callback(child.wait, PATIENCE)
            running.callback(child.terminate)

        yield call


def wait_for(line: str, url: str) -> None:
    """Return once a page holds the line."""
    deadline = time.monotonic() + PATIENCE
    page = ""
    while line not in page:
        assert time.monotonic() < deadline, f"{url} has no {line!r}:\n{page}"
        time.sleep(0.1)
        try:
            page = fetch(url)
        except OSError:
            continue


def post(url: str, body: object) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode())
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with without_proxy.open(request, timeout=10) as answer:
        return json.load(answer)


def test_model_server_and_job_work_together(
    manifests: Path, start: Callable, tmp_path: Path
) -> None:
    """The files of the two manifests, run here: what is predicted there is counted here."""
    job, server, metrics = free_port(), free_port(), free_port()
    (tmp_path / "token").write_text(TOKEN)
    (config,) = [o["data"] for o in objects(manifests / "exporter.yaml") if "data" in o]
    text = config["exporter.yml"].replace("0.0.0.0:9920", f"127.0.0.1:{job}")
    text = text.replace("/run/secrets/push/", "").replace("/var/lib/model-exporter", "state")
    (tmp_path / "exporter.yml").write_text(text + "\npoll_interval: 1s\n")
    start(sys.executable, "-c", SERVE)
    wait_for("ready", f"http://127.0.0.1:{job}/-/ready")
    (code,) = [o["data"] for o in objects(manifests / "model-server.yaml") if "data" in o]
    (tmp_path / "server.py").write_text(code["server.py"])
    start(
        *(sys.executable, "server.py"),
        PORT=str(server),
        METRICS_PORT=str(metrics),
        MODEL_VERSION="3",
        LOG=f"http://127.0.0.1:{job}/v1/predictions",
        LOG_TOKEN_FILE="token",
    )
    wait_for('"ready"', f"http://127.0.0.1:{server}/")
    answer = post(f"http://127.0.0.1:{server}/", {"age": 60})
    assert answer["prediction"] == 1
    counted = 'model_predictions_total{model_name="churn",model_version="3"} 1.0'
    wait_for(counted, f"http://127.0.0.1:{metrics}/metrics")
    read = 'model_source_rows_total{model_name="churn",source="predictions"} 1.0'
    wait_for(read, f"http://127.0.0.1:{job}/metrics")
