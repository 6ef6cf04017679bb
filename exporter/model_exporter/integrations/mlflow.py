"""MLflow: monitors the `predict` of a pyfunc model."""

import inspect
from typing import Any, TypeVar

from model_exporter.sidecar.monitor import ModelMonitor

Model = TypeVar("Model")


def wrap_pyfunc(model: Model, monitor: ModelMonitor) -> Model:
    """Monitor a model's `predict`, in place; returns the model.

    Parameters
    ----------
    model
        What `mlflow.pyfunc.load_model` returned; or a `PythonModel`, from within its
        `load_context`: a monitor belongs to the process that serves, and is not pickled.
    monitor
        Its predictions are rows: the input is a DataFrame, a list of rows or an array.
    """
    predict: Any = model.predict  # type: ignore[attr-defined]
    names = list(inspect.signature(predict).parameters)
    at = 1 if names[:1] == ["context"] else 0  # MLflow lets a PythonModel leave it out

    def features(*args: Any, **kwargs: Any) -> Any:
        return args[at] if len(args) > at else kwargs[names[at]]

    monitored = monitor(batch=True, features=features)(predict)
    model.predict = monitored  # type: ignore[attr-defined]
    return model
