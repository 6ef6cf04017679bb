"""The demo runs to its end, shows what it promises, and leaves nothing behind."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model_exporter.cli import main
from model_exporter.demo.datasets import DATASETS

SECONDS = 20
STORY = (
    f"import sys; from model_exporter.demo import run; sys.exit(run(once=True, seconds={SECONDS}))"
)
PATIENCE = 150.0
"""For a machine that is busy; on a free one the test takes about half a minute."""


@pytest.fixture
def start(tmp_path):
    """Start the demo with its temporary files under `tmp_path`."""
    started = []

    def begin():
        child = subprocess.Popen(
            [sys.executable, "-u", "-c", STORY],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(child)
        return child

    yield begin
    for child in started:
        child.kill()
        child.wait()
        child.stdout.close()


def nothing_is_left(directory: Path, said: str) -> None:
    """Check files, processes and ports."""
    assert list(directory.iterdir()) == []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = place.read_bytes()
        except OSError:  # it ended meanwhile
            continue
        assert str(directory).encode() not in command
    ports = re.findall(r"http://127\.0\.0\.1:(\d+)", said)
    assert len(ports) >= 2
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0


def test_once(start, tmp_path):
    """It exits with 0; its table is whole for every model, and an alert has fired."""
    child = start()
    said, _ = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, said
    table, _, after = said.partition("Alerts that fired")
    table = table[table.index("Quality and drift") :]
    for heading in ("rows", "labelled", "quality", "95 % interval", "at deployment", "PSI"):
        assert heading in table
    for dataset in DATASETS:
        row = table[table.index(dataset.model) :]
        first, second, third = row.splitlines()[:3]
        assert re.search(r"\d+/s +\d+ +(MAE|accuracy) \d", first), row
        assert re.search(r" ms +\d+% +\[\d.*, \d.*\] +\d+\.\d\d", second), row
        assert re.search(r"\d+\.\d", third), row
    assert re.search(r"\+\d+ s +(critical|warning) +Model\w+ +(bike|car|seattle)", after), after
    nothing_is_left(tmp_path, said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(start, tmp_path, number):
    """Ended in the middle, it ends all that it started."""
    child = start()
    said = ""
    deadline = time.monotonic() + PATIENCE
    while "Three models answer" not in said and time.monotonic() < deadline:
        said += child.stdout.readline()
    child.send_signal(number)
    rest, _ = child.communicate(timeout=PATIENCE)
    assert child.returncode not in (0, None), rest
    nothing_is_left(tmp_path, said)


def test_missing_packages_are_named(monkeypatch, capsys):
    """Without the extra, one line says what to install."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sklearn" else real(name)
    )
    assert main(["demo", "--once"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install 'model-exporter[demo]'" in line
    assert "sklearn" in line
