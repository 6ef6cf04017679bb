"""Starts the servers of frameworks that live in an environment of their own, and ends them."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUIET = {"BENTOML_DO_NOT_TRACK": "True", "RAY_USAGE_STATS_ENABLED": "0"}
"""No framework is to tell anybody of our tests."""
PATIENCE = 120.0
"""Seconds for a server to start, or to end; a machine may be busy."""


def frameworks_python() -> Path:
    """Return the Python that has the frameworks; without one, skip, or fail as in CI."""
    named = os.environ.get("FRAMEWORKS_PYTHON")
    path = Path(named) if named else ROOT / ".venv" / "frameworks" / "bin" / "python"
    if path.exists():
        return path
    message = f"{path} does not exist: `make frameworks` installs BentoML, KServe and Ray Serve"
    if os.environ.get("REQUIRE_TOOLS") == "1":
        pytest.fail(f"{message}, and REQUIRE_TOOLS=1")
    pytest.skip(f"{message}; until then they stay unverified")


def eventually(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Wait until a condition holds, trying ten times a second; else fail, saying what."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(what())
        time.sleep(0.1)


@contextmanager
def served(command: list[str], url: str, *, directory: Path, env: dict[str, str]) -> Iterator[None]:
    """Run a server in a directory, from when it answers; afterwards no process of it is left."""
    log = directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **QUIET, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bool(response.status == 200)
        except urllib.error.HTTPError as error:  # it runs, but not yet our application
            error.close()
            return False
        except OSError:
            return False

    try:
        eventually(answers, lambda: f"{url} does not answer:\n{log.read_text()}")
        yield
    finally:
        family = family_of(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
            eventually(lambda: not living(family), lambda: f"left behind: {living(family)}")
        finally:
            for pid in living(family):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(PATIENCE)


def family_of(root: int) -> dict[int, str]:
    """Return a process and what it started, also indirectly: the start time by pid."""
    processes = {pid: stat for pid in map(int, _pids()) if (stat := _stat(pid))}
    found = {root}
    while more := {pid for pid, stat in processes.items() if int(stat[1]) in found} - found:
        found |= more
    return {pid: processes[pid][19] for pid in found if pid in processes}


def living(family: dict[int, str]) -> list[int]:
    """Return those of a family that run still; a pid with another start time is somebody else."""
    stats = {pid: _stat(pid) for pid in family}
    return [pid for pid, stat in stats.items() if stat[19:20] == [family[pid]] and stat[0] != "Z"]


def _pids() -> list[str]:
    return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Return what `/proc` says of a process, from its state on; nothing if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()
    return []
