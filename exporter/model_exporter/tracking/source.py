"""Reads a baseline from a file, or from a run or a registered model of MLflow."""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from model_exporter.baseline import Baseline
from model_exporter.errors import BaselineError, ModelExporterError
from model_exporter.tracking.record import BASELINE_FILE, CHECKSUM_TAG, PREFIX

SCHEMES = ("models:/", "runs:/")
FORMS = "write for example runs:/RUN_ID/baseline.json, models:/churn@champion or models:/churn/3"
MODEL_URI = re.compile(
    r"models:/(?P<name>[^/@:]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))(?P<path>/.+)?"
)
BASELINE_TAG = f"{PREFIX}{BASELINE_FILE.rpartition('.')[0]}"


def is_mlflow(source: object) -> bool:
    """Return whether a baseline is named by an address of MLflow's."""
    return isinstance(source, str) and source.startswith(SCHEMES)


def load_baseline(source: str | os.PathLike[str]) -> Baseline:
    """Read a baseline.

    Parameters
    ----------
    source
        The path of a file, or an address of MLflow's: ``runs:/RUN_ID/baseline.json``,
        ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.

    Raises
    ------
    BaselineError
        If there is none, or it was changed since it was written.
    ConfigError
        If MLflow is needed and not installed.
    """
    return _downloaded(str(source)) if is_mlflow(source) else Baseline.load(source)


def _downloaded(uri: str) -> Baseline:
    from model_exporter.tracking.mlflow import client_of_mlflow, first_line

    try:
        client = client_of_mlflow()
        artifact, checksum = _artifact(client, uri)
        with tempfile.TemporaryDirectory(prefix="model-exporter-") as directory:
            path = _fetched(artifact, directory)
            baseline = _loaded(path, uri)
    except ModelExporterError:
        raise
    except Exception as error:  # stores of artifacts raise whatever their clients raise
        raise BaselineError(
            f"{uri}: MLflow gives no baseline: {first_line(error)}; {FORMS}, and "
            "MLFLOW_TRACKING_URI for where MLflow is"
        ) from error
    if checksum is not None and checksum != baseline.checksum:
        raise BaselineError(
            f"{uri}: the baseline is {baseline.checksum}, and the model version was registered "
            f"with {checksum}: the artifact {artifact} was replaced; restore it, or log it to the "
            "version again with `model-exporter baseline --mlflow-model-version`"
        )
    return baseline


def _artifact(client: Any, uri: str) -> tuple[str, str | None]:
    """Return the address of the file, and the checksum that it must have, if that is known."""
    if uri.startswith("runs:/"):
        run_id, _, path = uri.removeprefix("runs:/").strip("/").partition("/")
        return f"runs:/{run_id}/{path or BASELINE_FILE}", None
    found = MODEL_URI.fullmatch(uri)
    if found is None:
        raise BaselineError(f"{uri}: expected an alias or the number of a version; {FORMS}")
    if found["path"]:
        return uri, None
    version = (
        client.get_model_version_by_alias(found["name"], found["alias"])
        if found["alias"]
        else client.get_model_version(found["name"], found["version"])
    )
    tagged = version.tags.get(BASELINE_TAG)
    if tagged is None and not version.run_id:
        raise BaselineError(
            f"{uri}: version {version.version} of {version.name} has no baseline: no tag "
            f"{BASELINE_TAG}, and no run; log one with `model-exporter baseline "
            f"--mlflow-model-version {version.name}/{version.version}`"
        )
    return tagged or f"runs:/{version.run_id}/{BASELINE_FILE}", version.tags.get(CHECKSUM_TAG)


def _fetched(artifact: str, directory: str) -> Path:
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=artifact, dst_path=directory))


def _loaded(path: Path, uri: str) -> Baseline:
    try:
        return Baseline.load(path)
    except BaselineError as error:  # of a file that is gone by the time somebody reads this
        raise BaselineError(str(error).replace(str(path), uri)) from error
