"""MLflow: writes a record to a run, and to a registered version of a model.

Where MLflow is, and who asks, is told by its own environment variables. `source` reads.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from model_exporter.errors import ConfigError, DeliveryError, ModelExporterError
from model_exporter.tracking.record import PREFIX, Record

MOST_METRICS = 1_000
"""What MLflow takes in one request."""
CREDENTIALS = re.compile(r"://[^/\s]*@")
NEEDED = (
    "MLflow is not installed, or lacks what its store needs ({error}); "
    "`pip install 'model-exporter[mlflow]'` for a tracking server, `pip install mlflow` for a "
    "store in a database or in files"
)


def log(
    record: Record,
    *,
    run_id: str | None = None,
    model_version: str | None = None,
    alias: str | None = None,
    step: int = 0,
) -> str:
    """Write a record, and return the id of its run.

    Parameters
    ----------
    run_id
        An existing run; by default that of `model_version`, else the active one, else a new one.
    model_version
        ``"name/version"`` in the registry: gets the tags, and the addresses of the artifacts.
    alias
        What this version is called from now on, such as ``"champion"``; only if the record says
        that it is fit.
    step
        Of the metrics, such as the epoch.

    Raises
    ------
    ConfigError
        If MLflow is not installed, or the arguments do not belong together.
    DeliveryError
        If there is no such run or version, or MLflow does not take it.
    """
    name, version = _named(model_version) if model_version else ("", "")
    if alias and not model_version:
        raise ConfigError(f"alias {alias!r}: of which version? give it as NAME/VERSION, too")
    with _refusals(f"model version {model_version}" if model_version else "tracking store"):
        client = client_of_mlflow()
        found = client.get_model_version(name, version) if model_version else None
    run_id = run_id or (found.run_id if found else None) or _run_of(record.name)
    with _refusals(f"run {run_id}"):
        _write(client, run_id, record, step)
    if model_version:
        uris = {
            f"{PREFIX}{file.rpartition('.')[0]}": f"runs:/{run_id}/{file}"
            for file in record.artifacts
        }
        with _refusals(f"model version {model_version}"):
            for key, value in {**record.tags, **uris}.items():
                client.set_model_version_tag(name, version, key, value)
            if alias and record.fit:
                client.set_registered_model_alias(name, alias, version)
    return run_id


def client_of_mlflow() -> Any:
    """Return MLflow's own client.

    Raises
    ------
    ConfigError
        If it, or what its store needs, is not installed.
    """
    try:
        from mlflow import MlflowClient

        return MlflowClient()
    except ImportError as error:
        raise ConfigError(NEEDED.format(error=error)) from error


def _write(client: Any, run_id: str, record: Record, step: int) -> None:
    from mlflow.entities import Metric, Param, RunTag

    now = time.time_ns() // 1_000_000
    metrics = [Metric(key, value, now, step) for key, value in record.metrics.items()]
    params = [Param(key, value) for key, value in record.params.items()]
    tags = [RunTag(key, value) for key, value in record.tags.items()]
    client.log_batch(run_id, params=params, tags=tags)
    for first in range(0, len(metrics), MOST_METRICS):
        client.log_batch(run_id, metrics=metrics[first : first + MOST_METRICS])
    for file, text in record.artifacts.items():
        client.log_text(run_id, text, file)


def _run_of(name: str) -> str:
    """Return the run that this process is in, or a new and finished one."""
    import mlflow

    active = mlflow.active_run()
    if active is not None:
        return str(active.info.run_id)
    with _refusals("new run"), mlflow.start_run(run_name=name, log_system_metrics=False) as run:
        return str(run.info.run_id)


def _named(model_version: str) -> tuple[str, str]:
    name, slash, version = model_version.rpartition("/")
    if not (slash and name and version.isdigit()):
        raise ConfigError(
            f"model version {model_version!r}: expected NAME/VERSION as in MLflow's registry; "
            "write for example churn/3"
        )
    return name, version


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    try:
        yield
    except ModelExporterError:
        raise
    except Exception as error:  # stores of artifacts raise whatever their clients raise
        raise DeliveryError(
            f"{what}: MLflow did not take it: {first_line(error)}; is MLFLOW_TRACKING_URI the "
            "place where it is?"
        ) from error


def first_line(error: Exception) -> str:
    """Return what an error of MLflow's says, without the long answers of servers.

    MLflow puts its address into errors, and users put passwords into the address.
    """
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return CREDENTIALS.sub("://", line)
