"""The demo's models for compose.yaml: ``python -m model_exporter.demo.container /data``.

The same models and data without the rest of the demo, since every program has a container there.
The data are played again and again, an hour each time, and slowly enough for the shipped rules as
they are: an alert that waits for half an hour does. The exporter's container reads
``/data/exporter.yml``, which is written here.
"""

import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from model_exporter.demo import configuration, fast_motion, launch
from model_exporter.demo.processes import Processes, ending_on_signals
from model_exporter.demo.replay import open_replays

ANY = "0.0.0.0"  # noqa: S104  # the other containers are to reach it; compose publishes loopback
SERVER_PORT = 8000
JOB_PORT = 9920
STATE = Path("/var/lib/model-exporter")
WINDOWS = ("15m", "1h")
POLL_INTERVAL = "15s"
LOG_SECONDS = 30.0
KEPT_ROUNDS = 2
"""Older log files were read long ago."""
TICK = 1.0


def main(directory: Path, *, port: int = SERVER_PORT, seconds: float = fast_motion.HOUR) -> None:
    """Play the data until a signal ends it."""
    for name in ("predictions", "labels"):  # of an earlier run
        shutil.rmtree(directory / name, ignore_errors=True)
    plan = launch.Plan(
        directory,
        seconds,
        server_port=port,
        job_port=JOB_PORT,
        address=ANY,
        log_seconds=LOG_SECONDS,
    )
    with ending_on_signals(signal.SIGTERM), Processes(directory) as processes:
        server = launch.start_server(plan, processes)
        launch.create_places(directory)
        (directory / "exporter.yml").write_text(_job_configuration(directory), "utf-8")
        while True:
            _play(plan, server)
            _prune(directory, seconds)


def _job_configuration(directory: Path) -> str:
    return configuration.exporter(
        directory,
        f"{ANY}:{JOB_PORT}",
        state=STATE,
        windows=WINDOWS,
        poll_interval=POLL_INTERVAL,
    )


def _play(plan: launch.Plan, server: "subprocess.Popen[str]") -> None:
    prefix = f"{time.time():.0f}-"
    with ExitStack() as files:
        replays = open_replays(files, plan.directory, seconds=plan.seconds, prefix=prefix)
        start = time.monotonic()
        while (elapsed := time.monotonic() - start) < plan.seconds:
            launch.advance(replays, server, elapsed=elapsed)
            time.sleep(TICK)


def _prune(directory: Path, seconds: float) -> None:
    oldest = time.time() - KEPT_ROUNDS * seconds
    for path in (directory / "predictions").rglob("*.jsonl"):
        if path.stat().st_mtime < oldest:
            path.unlink()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(0)
