"""A Prometheus of a test's own, on what it scrapes or on a history that the test makes."""

import subprocess
import urllib.error
from collections.abc import Mapping
from pathlib import Path

import yaml

from model_exporter.demo.processes import Processes, fetch, free_port

READY_SECONDS = 60.0


def started(
    processes: Processes,
    prometheus: str,
    directory: Path,
    *,
    configuration: Mapping[str, object] | None = None,
    web: Path | None = None,
) -> str:
    """Start a Prometheus on the data in a directory; return its address once it answers."""
    (directory / "prometheus.yml").write_text(yaml.safe_dump(dict(configuration or {})))
    port = free_port()
    command = [
        prometheus,
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        *([f"--web.config.file={web}"] if web else []),
    ]
    child = processes.start("prometheus", command)
    address = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            fetch(f"{address}/-/ready", seconds=5)
        except (urllib.error.HTTPError, OSError) as error:
            # With TLS or users, plain requests are refused, by a server that is up.
            return web is not None and getattr(error, "code", 0) in (400, 401)
        return True

    processes.wait_for("prometheus", child, ready, READY_SECONDS)
    return address


def backfilled(promtool: str, directory: Path, history: str) -> None:
    """Make a database of samples with timestamps, in OpenMetrics."""
    (directory / "history.txt").write_text(history)
    made = subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", "history.txt", "data"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
