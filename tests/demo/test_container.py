"""The models of compose.yaml: served, logged, configured, and ended by a signal."""

import signal
import subprocess
import sys
import time

import pytest

from model_exporter.demo.datasets import DATASETS
from model_exporter.demo.processes import fetch, free_port
from model_exporter.job.config import load

PATIENCE = 120.0


@pytest.fixture
def container(tmp_path):
    """Start the models; yield the process and the address of their metrics."""
    port = free_port()
    code = (
        "from pathlib import Path; from model_exporter.demo import container;"
        f"container.main(Path({str(tmp_path)!r}), port={port}, seconds=3600)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    yield child, f"http://127.0.0.1:{port}/metrics"
    child.kill()
    child.wait()


def test_container(container, tmp_path):
    """All models predict, and the job's configuration is one that it accepts."""
    child, url = container
    deadline = time.monotonic() + PATIENCE
    wanted = [f'model_predictions_total{{model_name="{d.model}"' for d in DATASETS]
    text = ""
    while not all(line in text for line in wanted):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.3)
        try:
            text = fetch(url)
        except OSError:
            continue
    while not (tmp_path / "exporter.yml").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    config = load(tmp_path / "exporter.yml")
    assert [model.name for model in config.models] == [d.model for d in DATASETS]
    child.send_signal(signal.SIGTERM)
    child.wait(PATIENCE)
    with pytest.raises(OSError):
        fetch(url)
