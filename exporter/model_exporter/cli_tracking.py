"""Options of commands that write to MLflow and TensorBoard, and their writing."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from model_exporter.errors import ConfigError

if TYPE_CHECKING:
    from model_exporter.job.config import Config
    from model_exporter.tracking import Record


def add_mlflow(command: argparse.ArgumentParser) -> None:
    """Add the options that name a run and a version of MLflow's."""
    group = command.add_argument_group("MLflow, at MLFLOW_TRACKING_URI")
    group.add_argument("--mlflow", action="store_true", help="write to a new run")
    group.add_argument("--mlflow-run-id", metavar="RUN", help="write to this run")
    group.add_argument(
        "--mlflow-model-version",
        metavar="NAME/VERSION",
        help="write to the run of this registered version, and tag the version",
    )
    group.add_argument(
        "--mlflow-alias", metavar="ALIAS", help="then give the version this alias, as champion"
    )


def add_tensorboard(command: argparse.ArgumentParser) -> None:
    """Add the option that names a log directory of TensorBoard's."""
    command.add_argument(
        "--tensorboard", type=Path, metavar="DIR", help="write scalars to this log directory, too"
    )


def write_mlflow(options: argparse.Namespace, record: "Record") -> None:
    """Write a record where the options say, if they do."""
    asked = options.mlflow or options.mlflow_run_id or options.mlflow_model_version
    if not asked:
        if options.mlflow_alias:
            raise ConfigError("--mlflow-alias: of which version? give --mlflow-model-version, too")
        return
    from model_exporter.tracking.mlflow import log

    run_id = log(
        record,
        run_id=options.mlflow_run_id,
        model_version=options.mlflow_model_version,
        alias=options.mlflow_alias,
    )
    print(f"MLflow run {run_id}: {len(record.metrics)} metrics, {', '.join(record.artifacts)}")


def write_windows(
    options: argparse.Namespace,
    config: "Config",
    samples: Iterable[tuple[str, tuple[str, ...], float, int]],
) -> None:
    """Write the samples of windows as scalars, if the options say where."""
    if options.tensorboard is None:
        return
    from model_exporter.tracking.tensorboard import write
    from model_exporter.tracking.windows import point

    tasks = {model.name: model.task for model in config.models}
    points = (
        point(family, labels, value, at=at, tasks=tasks) for family, labels, value, at in samples
    )
    write(options.tensorboard, (found for found in points if found is not None))
