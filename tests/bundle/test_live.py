"""Every query of every dashboard runs on a real Prometheus and finds what the catalogue serves."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from model_exporter.bundle.dashboards import DASHBOARDS
from model_exporter.catalogue import FAMILIES, SCORES, Family, Kind

STEP_SECONDS = 30
MINUTES = 70
VARIABLES = {
    "$__rate_interval": "2m",
    "$__range": "1h",
    "$job": ".+",
    "$instance": ".+",
    "$model_name": ".+",
    "$model_version": ".+",
    "$window": "1d",
    "$feature": "age",
    "$segment": ".+",
    "$score": "accuracy",
    "$objective": "0.99",
    "$latency_target": "0.1",
}
LABELS = {
    "model_name": "churn",
    "model_version": "3",
    "window": "1d",
    "segment": "",
    "segment_value": "",
    "subject": "feature",
    "feature": "age",
    "score": "accuracy",
    "bound": "min",
}
VARIANTS = (
    {},
    {"subject": "score", "feature": ""},
    *({"score": score.key} for score in SCORES if score.key != LABELS["score"]),
    {"score": "mae", "bound": "max"},
    {"segment": "country", "segment_value": "US"},
    {"bin": "(-Inf,9)"},
    {"bin": "[9,10)"},
    {"bin": "[10,+Inf)"},
)
OF_PROMETHEUS = {
    "ALERTS": {
        "alertname": "ModelDown",
        "alertstate": "firing",
        "severity": "critical",
        "model_name": "churn",
    },
    "model_target:model_alerts_firing:count": {"model_name": "churn"},
    "model_target:model_alerts_firing:severity": {"model_name": "churn"},
    "up": {},
    "scrape_duration_seconds": {},
    "scrape_samples_post_metric_relabeling": {},
    "process_cpu_seconds_total": {},
    "process_resident_memory_bytes": {},
    "process_open_fds": {},
    "process_max_fds": {},
}
EXCUSED = {"offset 1w": "the history is an hour long"}


def exposition(now: int) -> Iterator[str]:
    """Yield an hour of every family of the catalogue, as OpenMetrics with timestamps."""
    instants = range(now - MINUTES * 60, now, STEP_SECONDS)
    for family in FAMILIES:
        name = family.name.removesuffix("_total")
        yield f"# TYPE {name} {family.kind}"
        for labels in series(family):
            for suffix, extra in suffixes(family):
                text = written({**labels, **extra})
                for number, instant in enumerate(instants, start=1):
                    value = 1 if family.kind is Kind.GAUGE else 10 * number
                    yield f"{name}{suffix}{text} {value} {instant}"
    for name, extra in OF_PROMETHEUS.items():
        yield f"# TYPE {name} unknown"
        for number, instant in enumerate(instants, start=1):
            yield f"{name}{written({**extra, 'job': 'j', 'instance': 'i:1'})} {number} {instant}"
    yield "# EOF\n"


def series(family: Family) -> list[dict[str, str]]:
    """Return the label sets of a family: its own labels, in every variant that concerns them."""
    found = []
    for variant in VARIANTS:
        if set(variant) <= set(family.labels):
            values = {label: LABELS.get(label, "x") for label in family.labels}
            found.append({"job": "j", "instance": "i:1", **values, **variant})
    return found


def suffixes(family: Family) -> list[tuple[str, dict[str, str]]]:
    if family.kind is Kind.HISTOGRAM:
        buckets = [("_bucket", {"le": bound}) for bound in ("0.1", "1.0", "+Inf")]
        return [*buckets, ("_count", {}), ("_sum", {})]
    return [("_total" if family.kind is Kind.COUNTER else "", {})]


def written(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


@pytest.fixture(scope="module")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable, run: Callable
) -> Iterator[tuple[str, int]]:
    """Start a Prometheus on an hour of history; yield its address and the end of the hour."""
    folder = tmp_path_factory.mktemp("prometheus")
    now = int(time.time()) - 60
    (folder / "history.txt").write_text("\n".join(exposition(now)))
    (folder / "prometheus.yml").write_text("{}")
    made = run(
        require_tool("promtool"),
        *("tsdb", "create-blocks-from", "openmetrics", folder / "history.txt", folder / "data"),
    )
    assert made.returncode == 0, made.stdout + made.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            require_tool("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/-/ready")
        yield f"http://127.0.0.1:{port}", now - STEP_SECONDS
    finally:
        server.terminate()
        server.wait(timeout=10)


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline, "Prometheus did not get ready"
            time.sleep(0.05)
        else:
            return


def answer(url: str, query: str, at: int) -> list[Any]:
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    body = urllib.parse.urlencode({"query": query, "time": at}).encode()
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query", body, timeout=10) as response:
            return json.load(response)["data"]["result"]
    except urllib.error.HTTPError as error:
        pytest.fail(f"{query}\n{error.read().decode()}")


def test_every_panel_has_data(prometheus: tuple[str, int]) -> None:
    empty = [
        f"{name}: {panel['title']}: {target['expr']}"
        for name, dashboard in DASHBOARDS.items()
        for panel in panels(dashboard)
        for target in panel.get("targets", ())
        if not any(part in target["expr"] for part in EXCUSED)
        and not answer(prometheus[0], target["expr"], prometheus[1])
    ]
    assert empty == []


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels, also those inside collapsed rows."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def test_every_variable_has_values(prometheus: tuple[str, int]) -> None:
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                inner = variable["query"]["query"].removeprefix("label_values(").removesuffix(")")
                selector, _, label = inner.rpartition(", ")
                found = answer(prometheus[0], f"count by ({label}) ({selector})", prometheus[1])
                assert any(one["metric"].get(label) for one in found), variable["name"]


def test_bins_carry_a_number_to_be_sorted_by(prometheus: tuple[str, int]) -> None:
    """As text, 10 would stand before 9."""
    (panel,) = [
        panel
        for panel in DASHBOARDS["model-drift.json"]["panels"]
        if panel["title"] == "Distribution against the baseline"
    ]
    found = answer(prometheus[0], panel["targets"][1]["expr"], prometheus[1])
    edges = {one["metric"]["bin"]: one["metric"].get("edge") for one in found}
    edges.pop("x", None)
    in_order = sorted(edges, key=lambda name: float(edges[name]))
    assert in_order == ["(-Inf,9)", "[9,10)", "[10,+Inf)"]
