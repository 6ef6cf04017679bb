"""`model-exporter once`: read, join and evaluate a single time."""

import os
from pathlib import Path

from model_exporter import __version__
from model_exporter.job.check import check_sources
from model_exporter.job.collector import exposition
from model_exporter.job.config import Config
from model_exporter.job.progress import Line
from model_exporter.job.runners import runner_of
from model_exporter.job.snapshot import Snapshot


def once(config: Config, *, now: int, line: Line | None = None) -> tuple[str, list[str]]:
    """Return the exposition as of `now` (microseconds), and what could not be read.

    The text depends on the records and on `now` only: not on when, how often, in what order or in
    which files they were read. `line` shows how far the reading has come.
    """
    snapshots, failures = evaluated(config, now=now, line=line)
    return exposition(snapshots), failures


def evaluated(
    config: Config, *, now: int, line: Line | None = None
) -> tuple[list[Snapshot], list[str]]:
    """Return what the exposition is made of, and what could not be read."""
    check_sources(config)
    snapshots, failures = [build_info()], []
    for model in config.models:
        with runner_of(model, config.state, line=line) as runner:
            snapshots.append(runner.turn(now, final=True))
            failures += runner.failures
    return snapshots, failures


def build_info() -> Snapshot:
    """Return the snapshot that names this version."""
    snapshot = Snapshot()
    snapshot.put("model_exporter_build_info", (__version__,), 1)
    return snapshot


def write_atomically(path: Path, text: str) -> None:
    """Replace a file at once, so that a textfile collector never reads half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
