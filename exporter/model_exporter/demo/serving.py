"""The model server of the demo, a process of its own: ``python -m model_exporter.demo.serving``.

It trains three models, puts a monitor on each, and predicts the rows that come on standard input,
one JSON object a line: ``{"model": ..., "columns": {...}}``. It ends with its input, so it cannot
outlive the demo.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from model_exporter import ModelMonitor
from model_exporter.demo.datasets import DATASETS, VERSION, Columns, Dataset
from model_exporter.demo.processes import READY
from model_exporter.demo.training import TrainedModel, train

Predict = Callable[[Columns], None]


def main(directory: Path, *, port: int, addr: str, log_seconds: float) -> None:
    """Train, serve metrics, and predict until standard input ends.

    `log_seconds` is the age at which a log file is finished and the job can read it.
    """
    registry = CollectorRegistry()
    monitors, predictors = [], {}
    for dataset in DATASETS:
        monitor, predict = _deploy(dataset, directory, registry, log_seconds)
        monitors.append(monitor)
        predictors[dataset.model] = predict
    monitors[0].start_metrics_server(port, addr)  # one registry, so one port shows all
    print(READY, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        predictors[request["model"]](request["columns"])
    for monitor in monitors:
        monitor.close()


def _deploy(
    dataset: Dataset, directory: Path, registry: CollectorRegistry, log_seconds: float
) -> tuple[ModelMonitor, Predict]:
    model, baseline = train(dataset)
    path = directory / f"{dataset.model}.baseline.json"
    baseline.save(path)
    monitor = ModelMonitor(
        dataset.model,
        version=VERSION,
        baseline=path,
        log=directory / "predictions" / dataset.model,
        log_features=dataset.logged,
        segments=dataset.segments,
        log_max_seconds=log_seconds,
        registry=registry,
    )
    whole_batches = dataset.task != "multiclass"
    return monitor, (_batches if whole_batches else _rows)(monitor, model)


def _batches(monitor: ModelMonitor, model: TrainedModel) -> Predict:
    """Predict a dict of columns in one call."""

    @monitor(batch=True, prediction_id=lambda columns: columns["prediction_id"])
    def predict(columns: Columns) -> Any:
        return model.predict(columns)

    def serve(columns: Columns) -> None:
        predict(columns)

    return serve


def _rows(monitor: ModelMonitor, model: TrainedModel) -> Predict:
    """Predict row by row, as most services do."""

    @monitor(prediction_id=lambda row: row["prediction_id"])
    def predict(row: dict[str, Any]) -> dict[str, Any]:
        output = model.predict({name: [value] for name, value in row.items()})
        scores = {name: float(p[0]) for name, p in output["scores"].items()}
        return {"prediction": str(output["prediction"][0]), "scores": scores}

    def serve(columns: Columns) -> None:
        for values in zip(*columns.values(), strict=True):
            predict(dict(zip(columns, values, strict=True)))

    return serve


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        port=int(sys.argv[2]),
        addr=sys.argv[3],
        log_seconds=float(sys.argv[4]),
    )
