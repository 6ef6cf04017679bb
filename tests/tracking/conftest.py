"""MLflow's own store, in SQLite, and a baseline to write to it."""

import importlib.util
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_exporter import Baseline

ROWS = 200


def required(name: str) -> None:
    """Skip where a package is missing, or fail in CI."""
    if importlib.util.find_spec(name) is None:
        if os.environ.get("REQUIRE_TOOLS") == "1":
            pytest.fail(f"{name} is not installed and REQUIRE_TOOLS=1")
        pytest.skip(f"{name} is not installed: what it would verify stays unverified")


@pytest.fixture(scope="session")
def table() -> dict[str, list[Any]]:
    """Rows that a binary model has scored, with their labels."""
    generator = random.Random(6)
    scores = [generator.random() for _ in range(ROWS)]
    return {
        "age": [generator.uniform(18, 80) for _ in scores],
        "score": scores,
        "prediction": [int(score >= 0.5) for score in scores],
        "label": [int(generator.random() < score) for score in scores],
    }


@pytest.fixture(scope="session")
def baseline(table: dict[str, list[Any]]) -> Baseline:
    return Baseline.from_table(
        table,
        task="binary",
        features={"numeric": ["age"]},
        score="score",
        label="label",
        model_name="churn",
        model_version="3",
    )


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a store; making its tables takes seconds."""
    required("mlflow")
    required("sqlalchemy")
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def client(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return MLflow's client of the store, whose new runs lie in an experiment of their own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.setattr(socket.socket, "connect", _refuse)
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.create_experiment(
        tmp_path.name, artifact_location=(tmp_path / "artifacts").as_uri()
    )
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment)
    yield client
    client.delete_experiment(experiment)


@pytest.fixture
def version(client: Any, tmp_path: Path) -> str:
    """Return name/version of a model that is registered from a run."""
    name = tmp_path.name
    run = client.create_run(os.environ["MLFLOW_EXPERIMENT_ID"]).info
    client.create_registered_model(name)
    found = client.create_model_version(name, f"runs:/{run.run_id}/model", run.run_id)
    return f"{name}/{found.version}"


def _refuse(_: object, address: object) -> None:
    raise AssertionError(f"a local store needs no network, not {address}")
