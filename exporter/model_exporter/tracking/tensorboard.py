"""TensorBoard: writes scalars, a run for each model version."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from model_exporter.baseline import Baseline
from model_exporter.errors import ConfigError, DeliveryError
from model_exporter.tracking.names import metrics, slug
from model_exporter.tracking.windows import Point

MICROSECONDS = 1_000_000


def write(directory: str | os.PathLike[str], points: Iterable[Point]) -> int:
    """Append scalars to a log directory, and return how many.

    The step is the instant in seconds since 1970, so that evaluations line up whoever wrote them.

    Raises
    ------
    ConfigError
        If the writer is not installed.
    DeliveryError
        If the directory cannot be written to.
    """
    make_writer = _writer()
    count, writers = 0, {}
    try:
        for run, tag, value, at in points:
            if run not in writers:
                writers[run] = make_writer(Path(directory) / run)
            seconds = at / MICROSECONDS
            writers[run].add_scalar(tag, value, int(seconds), walltime=seconds)
            count += 1
    except OSError as error:
        raise DeliveryError(
            f"{directory}: cannot write TensorBoard's events: {error.strerror}; name a directory "
            "that this process may write to"
        ) from error
    finally:
        for writer in writers.values():
            writer.close()
    return count


def baseline_points(baseline: Baseline, *, at: int) -> list[Point]:
    """Return the scores of a baseline as scalars, as if of a window named `baseline`."""
    run = f"{slug(baseline.model_name or 'model')}/{slug(baseline.model_version or 'baseline')}"
    found = []
    for name, value in metrics(baseline.quality, baseline.task).items():
        score, *rest = name.split("/")
        found.append(Point(run, "/".join((score, "baseline", *rest)), value, at))
    return found


def _writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "TensorBoard's events need tensorboardX, which is not installed; "
            "`pip install 'model-exporter[tensorboard]'`"
        ) from error
    return lambda directory: SummaryWriter(str(directory))
