"""KServe: monitors the `predict` of a `kserve.Model`, or of anything of its shape.

Nothing of KServe is imported: payloads of both protocols are told by what they have.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from model_exporter.sidecar.ids import SAFE, request_id_of
from model_exporter.sidecar.monitor import ModelMonitor

Model = TypeVar("Model")


def wrap_model(model: Model, monitor: ModelMonitor) -> Model:
    """Monitor a model's `predict(payload, headers)`, in place, be it async or not.

    Parameters
    ----------
    model
        A model or, as a server with ``--workers`` needs, its class: each worker gets the model
        pickled, and makes the monitor anew. It takes and returns ``{"instances": [...]}`` and
        ``{"predictions": [...]}`` (version 1), or inference requests and responses (version 2):
        one tensor of rows, or one a feature.
    monitor
        The id of a request, of version 2 or in a header such as ``Ce-Id``, is the id of its
        prediction; of several rows, with ``-1``, ``-2`` and so on behind it.

    Returns
    -------
    object
        The same model or class.
    """
    decorate = monitor(batch=True, features=_features, output=_output, prediction_id=_ids)
    model.predict = decorate(model.predict)  # type: ignore[attr-defined]
    return model


def _features(payload: Any, *_: Any, **__: Any) -> Any:
    if isinstance(payload, Mapping):
        return payload["instances"] if "instances" in payload else payload["inputs"]
    tensors = {tensor.name: np.asarray(tensor.as_numpy()) for tensor in payload.inputs}
    if len(tensors) == 1:
        (only,) = tensors.values()
        if only.ndim > 1:
            return only
    return {name: values.reshape(-1) for name, values in tensors.items()}


def _output(response: Any) -> Any:
    if isinstance(response, tuple):  # with the headers of the response
        response = response[0]
    if isinstance(response, Mapping):
        return response["predictions"]
    return np.asarray(response.outputs[0].as_numpy()).reshape(-1)


def _ids(payload: Any, headers: Mapping[str, str] | None = None, *_: Any, **__: Any) -> list[Any]:
    rows = _features(payload)
    size = len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    id = getattr(payload, "id", None)
    if not isinstance(id, str) or not SAFE.fullmatch(id):
        id = request_id_of(lambda name: lower.get(name.lower()))
    if id is None:
        return [None] * size
    return [id] if size == 1 else [f"{id}-{i}" for i in range(1, size + 1)]
