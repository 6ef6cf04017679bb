"""A Prometheus on a history of every family of the catalogue, made up."""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from model_exporter.catalogue import FAMILIES, SCORES, Family, Kind

TARGET = {"job": "j", "instance": "i:1"}
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
    "model_alert:model_alerts_firing:start_timestamp_seconds": {"model_name": "churn"},
    "up": {},
    "scrape_duration_seconds": {},
    "scrape_samples_post_metric_relabeling": {},
    "process_cpu_seconds_total": {},
    "process_resident_memory_bytes": {},
    "process_open_fds": {},
    "process_max_fds": {},
}
Series = dict[str, str]


def exposition(
    instants: Iterable[int], series_of: Callable[[Family], list[Series]], others: list[Series]
) -> Iterator[str]:
    """Yield every family as OpenMetrics with timestamps; `others` are the labels of targets."""
    instants = list(instants)
    for family in FAMILIES:
        name = family.name.removesuffix("_total")
        yield f"# TYPE {name} {family.kind}"
        for labels in series_of(family):
            for suffix, extra in suffixes(family):
                text = written({**labels, **extra})
                for number, instant in enumerate(instants, start=1):
                    value = 1 if family.kind is Kind.GAUGE else 10 * number
                    yield f"{name}{suffix}{text} {value} {instant}"
    for name, extra in OF_PROMETHEUS.items():
        yield f"# TYPE {name} unknown"
        for labels in others:
            text = written({**extra, **{key: labels[key] for key in {*extra, *TARGET} & {*labels}}})
            for number, instant in enumerate(instants, start=1):
                yield f"{name}{text} {number} {instant}"
    yield "# EOF\n"


def series(family: Family) -> list[Series]:
    """Return the label sets of a family: its own labels, in every variant that concerns them."""
    found = []
    for variant in VARIANTS:
        if set(variant) <= set(family.labels):
            values = {label: LABELS.get(label, "x") for label in family.labels}
            found.append({**TARGET, **values, **variant})
    return found


def suffixes(family: Family) -> list[tuple[str, Series]]:
    if family.kind is Kind.HISTOGRAM:
        buckets = [("_bucket", {"le": bound}) for bound in ("0.1", "1.0", "+Inf")]
        return [*buckets, ("_count", {}), ("_sum", {})]
    return [("_total" if family.kind is Kind.COUNTER else "", {})]


def written(labels: Series) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


@contextmanager
def served(
    folder: Path, lines: Iterable[str], require_tool: Callable, run: Callable
) -> Iterator[str]:
    """Start a Prometheus on a history, and yield its address."""
    (folder / "history.txt").write_text("\n".join(lines))
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
        yield f"http://127.0.0.1:{port}"
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
