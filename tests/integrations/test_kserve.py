"""Both of KServe's protocols are read: features, predictions and ids."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model_exporter import Baseline, ModelMonitor
from model_exporter.integrations.kserve import wrap_model


def tensor(name: str, values: Any) -> Any:
    """Return what has the parts of KServe's InferInput and InferOutput that are read."""
    return SimpleNamespace(name=name, as_numpy=lambda: np.array(values))


def request(*inputs: Any, id: str | None = None) -> Any:
    return SimpleNamespace(inputs=list(inputs), id=id)


ROWS = [[31.0, 1.0], [62.0, 2.0]]
COLUMNS = (tensor("age", [[31.0], [62.0]]), tensor("income", [1.0, 2.0]))
RESPONSE = SimpleNamespace(outputs=[tensor("out", [[0], [1]])])


@pytest.fixture
def monitor(tmp_path: Path) -> Any:
    table = {"age": np.arange(100.0), "income": np.arange(100.0), "prediction": [0, 1] * 50}
    features = {"numeric": ["age", "income"]}
    baseline = Baseline.from_table(table, task="binary", features=features)
    with ModelMonitor("m", baseline=baseline, log=tmp_path / "log", strict=True) as monitor:
        yield monitor


@pytest.mark.parametrize(
    ("payload", "response", "ids"),
    [
        ({"instances": ROWS}, {"predictions": [0, 1]}, ["c-1", "c-2"]),
        ({"inputs": ROWS}, ({"predictions": [0, 1]}, {"x": "y"}), ["c-1", "c-2"]),
        (request(tensor("x", ROWS)), RESPONSE, ["c-1", "c-2"]),
        (request(*COLUMNS, id="r"), RESPONSE, ["r-1", "r-2"]),
    ],
    ids=["v1", "v1 with headers", "v2 rows", "v2 columns"],
)
def test_both_protocols(
    monitor: ModelMonitor, tmp_path: Path, payload: Any, response: Any, ids: list[str]
) -> None:
    """The model returns what it did; its features, classes and ids are those of the request."""

    class Model:
        async def predict(self, payload: Any, headers: Any = None) -> Any:
            return response

    model = wrap_model(Model(), monitor)
    assert asyncio.run(model.predict(payload, {"Ce-Id": "c"})) is response
    read = monitor.registry.get_sample_value
    base = {"model_name": "m", "model_version": ""}
    for feature in ("age", "income"):
        assert read("model_feature_values_total", {**base, "feature": feature}) == 2
    assert read("model_predicted_class_total", {**base, "predicted_class": "1"}) == 1
    monitor.close()
    (log,) = (tmp_path / "log").glob("*.jsonl")
    assert [json.loads(line)["prediction_id"] for line in log.read_text().splitlines()] == ids
