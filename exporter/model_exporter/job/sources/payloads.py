"""What serving systems log of a request, taken apart into predictions: a function for each.

Rows come as the sources give them: from JSON with nested objects under dotted names and lists as
text, from Parquet and databases with values of any type.
"""

import base64
import binascii
import csv
import datetime
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model_exporter.errors import SourceError

Record = dict[str, Any]
HOUR_IN_PATH = re.compile(r"/(\d{4})/(\d\d)/(\d\d)/(\d\d)/")


def kserve(row: Record, where: str) -> Iterator[Record]:
    """Yield the predictions of a KServe response: an event, or a row of a blob.

    Requests are left out: they come apart from their responses, which alone hold predictions.
    """
    kind = str(row.get("reqType") or row.get("type") or "")
    if not kind.endswith("response"):
        return
    time = row.get("occurrenceTime") or row.get("time") or row.get("ce-time")
    if time is None:
        raise SourceError(
            f"{where}: KServe writes no time into CSV and Parquet; have its logger write JSON"
        )
    packed = row.get("bytes") or row.get("data_base64")
    body = _unpacked(packed, where) if packed else _part(row, "data")
    common = {
        "timestamp": time,
        "model_version": row.get("endpoint") or row.get("component"),
        "model_name": row.get("inferenceService") or row.get("inferenceservicename"),
    }
    yield from _numbered(row.get("id"), _outcomes(body), common)


def seldon(row: Record, where: str) -> Iterator[Record]:
    """Yield the prediction of a document of Seldon's request logger, or the label of a feedback."""
    document = _part(row, "_source") or row
    response, request = _part(document, "response"), _part(document, "request")
    identity = row.get("_id") or document.get("Ce-Requestid") or document.get("requestid")
    time = document.get("@timestamp") or _get(request, "ce-time")
    common = {
        "timestamp": time,
        "model_version": document.get("Ce-Modelid") or document.get("modelid"),
        **_features(_get(request, "elements") or _get(request, "instance")),
    }
    truth = _get(_part(document, "feedback"), "truth")
    if truth is not None:
        yield {"prediction_id": identity, "label": _first(truth), "label_timestamp": time}
    if response:
        yield from _numbered(identity, [_outcome(_get(response, "instance"))], common)


def sagemaker(row: Record, where: str) -> Iterator[Record]:
    """Yield the predictions of a SageMaker data capture, or the labels of a ground truth record.

    Ground truth has no time of its own: it is the hour in the path, ``.../yyyy/mm/dd/hh/...``.
    """
    event = _part(row, "eventMetadata") or {}
    identity = event.get("inferenceId") or event.get("eventId")
    truth = _part(row, "groundTruthData")
    if truth:
        found = HOUR_IN_PATH.search(where)
        time = "{}-{}-{}T{}:00:00Z".format(*found.groups()) if found else None
        labels = [{"label": _first(value)} for value in _encoded(truth, where)]
        yield from _numbered(event.get("eventId"), labels, {"label_timestamp": time})
        return
    capture = _part(row, "captureData") or {}
    given = _encoded(_part(capture, "endpointInput") or {}, where)
    answered = _encoded(_part(capture, "endpointOutput") or {}, where)
    records = _paired([_fields(value) for value in answered], given)
    yield from _numbered(identity, records, {"timestamp": event.get("inferenceTime")})


def azureml(row: Record, where: str) -> Iterator[Record]:
    """Yield the predictions of an Azure ML data collector record; inputs are left out.

    What was too large for the record, and is in a blob, counts as invalid.
    """
    kind = f"{row.get('type') or ''} {where}"
    if "inputs" in kind or "request" in kind:
        return
    common = {"timestamp": row.get("time"), "model_version": row.get("modelversion")}
    data = _json(row.get("data"))
    if str(row.get("datainblob", "")).lower() == "true" or not isinstance(data, list):
        yield {"prediction_id": row.get("correlationid"), "prediction": None, **common}
        return
    yield from _numbered(row.get("correlationid"), [_fields(item) for item in data], common)


def databricks(row: Record, where: str) -> Iterator[Record]:
    """Yield the predictions of a row of a Databricks inference table; failed requests have none."""
    if str(row.get("status_code") or 200) != "200":
        return
    request, response = _part(row, "request"), _part(row, "response")
    identity = row.get("client_request_id") or row.get("databricks_request_id")
    common = {
        "timestamp": row.get("request_time") or row.get("timestamp_ms"),
        "model_version": row.get("served_entity_id") or row.get("request_metadata.model_version"),
    }
    yield from _numbered(identity, _paired(_outcomes(response), _instances(request)), common)


def vertex(row: Record, where: str) -> Iterator[Record]:
    """Yield the predictions of a row of Vertex AI's request-response logging."""
    response, request = _json(row.get("response_payload")), _json(row.get("request_payload"))
    common = {
        "timestamp": row.get("logging_time"),
        "model_version": row.get("deployed_model_id"),
    }
    records = _paired(_outcomes(response), _instances(request))
    yield from _numbered(row.get("request_id"), records, common)


def _numbered(identity: Any, records: Sequence[Record], common: Record) -> Iterator[Record]:
    for place, record in enumerate(records):
        own = identity if len(records) == 1 or identity is None else f"{identity}-{place}"
        times = {k: v.isoformat() for k, v in common.items() if isinstance(v, datetime.datetime)}
        yield {"prediction_id": own, **common, **times, **record}


def _paired(outcomes: list[Record], instances: list[Any]) -> list[Record]:
    """Put the features of each instance to its outcome, where there is one for each."""
    if len(outcomes) != len(instances):
        return outcomes
    return [{**_features(i), **o} for i, o in zip(instances, outcomes, strict=True)]


def _outcomes(body: Any) -> list[Record]:
    """Return the outcome of each instance of a response, in one of the common protocols."""
    if isinstance(body, dict):
        outputs = _json(body.get("outputs"))
        if isinstance(outputs, list):
            return _tensors(outputs)
        body = _json(body.get("predictions"))
    return [_outcome(_json(value)) for value in body] if isinstance(body, list) else []


def _tensors(outputs: list[Any]) -> list[Record]:
    """Return the rows of the tensors of the open inference protocol; the first has the outcome."""
    rows: list[Record] = []
    for place, tensor in enumerate(outputs):
        data, shape = tensor.get("data") or [], tensor.get("shape") or [0]
        count = int(shape[0])
        width = math.prod(int(size) for size in shape[1:])
        if count * width != len(data):
            raise ValueError(f"a tensor of shape {shape} holds {len(data)} values")
        cells = [data[i * width : (i + 1) * width] for i in range(count)]
        values = [cell[0] if len(cell) == 1 else cell for cell in cells]
        rows = rows or [{} for _ in values]
        for row, value in zip(rows, values, strict=False):
            row[f"outputs.{tensor.get('name')}"] = value
            row.update(_outcome(value) if place == 0 else {})
    return rows


def _outcome(value: Any) -> Record:
    if isinstance(value, dict):
        return {f"outputs.{name}": item for name, item in value.items()} | {
            name: value[name] for name in ("prediction", "score") if name in value
        }
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list) and value and all(isinstance(v, (int, float)) for v in value):
        scores = {f"scores.{i}": score for i, score in enumerate(value)}
        return {"prediction": value.index(max(value)), **scores}
    return {"prediction": value}


def _fields(value: Any) -> Record:
    """Return the outcome in a row of text fields or named columns; the first is the prediction."""
    if isinstance(value, dict):
        first = next(iter(value.values()), None)
        return {"prediction": first, **_outcome(value)}
    if isinstance(value, list):
        fields = {f"outputs.{i}": item for i, item in enumerate(value)}
        return {"prediction": _first(value), **fields}
    return {"prediction": value}


def _instances(body: Any) -> list[Any]:
    if not isinstance(body, dict):
        return [_json(item) for item in body] if isinstance(body, list) else []
    for key in ("dataframe_records", "instances", "inputs"):
        found = _json(body.get(key))
        if isinstance(found, list):
            return found
    split = _part(body, "dataframe_split")
    if isinstance(split, dict):
        columns, rows = _json(split.get("columns")) or [], _json(split.get("data")) or []
        return [dict(zip(columns, row, strict=False)) for row in rows]
    return []


def _features(instance: Any) -> Record:
    instance = _json(instance)
    if isinstance(instance, list):
        instance = dict(enumerate(instance))
    if not isinstance(instance, dict):
        return {}
    return {f"features.{name}": value for name, value in instance.items()}


def _encoded(part: Mapping[str, Any], where: str) -> list[Any]:
    """Return the rows of a payload of SageMaker: CSV, JSON, or either in base 64."""
    data, encoding = part.get("data"), str(part.get("encoding") or "CSV").upper()
    if data is None:
        return []
    if encoding == "BASE64":
        data = _decoded(data, where).decode("utf-8", "replace")
        encoding = "JSON" if data.lstrip()[:1] in ("{", "[") else "CSV"
    if encoding == "CSV":
        return [row for row in csv.reader(str(data).splitlines()) if row]
    body = _json(data)
    if isinstance(body, dict):
        rows = _json(body.get("predictions"))
        return rows if isinstance(rows, list) else [body]
    return body if isinstance(body, list) else [body]


def _unpacked(packed: Any, where: str) -> Any:
    return _json(_decoded(packed, where).decode("utf-8", "replace"))


def _decoded(packed: Any, where: str) -> bytes:
    if isinstance(packed, bytes):
        return packed
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, TypeError) as error:
        raise SourceError(f"{where}: a payload is not base 64: {error}") from error


def _part(row: Mapping[str, Any], name: str) -> Any:
    """Return what stands under a name: a value, text of JSON, or names that begin with it."""
    if row.get(name) is not None:
        return _json(row[name])
    prefix = f"{name}."
    found = {key[len(prefix) :]: v for key, v in row.items() if key.startswith(prefix)}
    return found if any(value is not None for value in found.values()) else None


def _get(part: Any, name: str) -> Any:
    return _part(part, name) if isinstance(part, dict) else None


def _first(value: Any) -> Any:
    while isinstance(value, list):
        value = value[0] if value else None
    return value


def _json(value: Any) -> Any:
    """Return what a text of JSON says; any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
