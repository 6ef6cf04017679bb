"""The rows of the prediction log, as JSON lines or as a Parquet table."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import category_text
from model_exporter.records import Task
from model_exporter.sidecar.columns import NOT_CAPTURED, Column, numbers
from model_exporter.sidecar.ids import uuid7s
from model_exporter.sidecar.labels import clean_label
from model_exporter.sidecar.outputs import Outputs


class LogSchema(NamedTuple):
    """What all rows of a log share: constants and column names.

    `numeric` are those of `features` that the baseline holds to be numbers; in Parquet, where a
    column has one type, the others are text.
    """

    model_name: str
    model_version: str
    task: Task
    classes: tuple[str, ...]
    baseline: str
    bins: tuple[str, ...]
    segments: tuple[str, ...]
    features: tuple[str, ...]
    numeric: frozenset[str]
    class_name: Callable[[Any], str | None]


class LogRows(NamedTuple):
    """Predictions to log, as columns of one length.

    Attributes
    ----------
    ends_ns
        Unix time of each prediction.
    ids
        The caller's ids; an id is made where there is none.
    bins, segments, features
        Columns by feature name: bin indices, and raw values.
    """

    ends_ns: NDArray[np.int64]
    ids: Sequence[str | None] | None
    outputs: Outputs
    bins: Mapping[str, NDArray[np.int64]]
    segments: Mapping[str, Column]
    features: Mapping[str, Column]

    @property
    def size(self) -> int:
        """How many rows there are."""
        return self.ends_ns.size

    def prediction_ids(self) -> list[str]:
        """Return the id of each prediction."""
        if self.ids is None:
            return uuid7s(self.ends_ns)
        missing = [i for i, text in enumerate(self.ids) if text is None]
        made = dict(zip(missing, uuid7s(self.ends_ns[missing]), strict=True)) if missing else {}
        return [made[i] if text is None else text for i, text in enumerate(self.ids)]

    def predictions(self, name: Callable[[Any], str | None]) -> list[Any]:
        """Return predicted classes as text, or values as numbers; None where there is none."""
        if self.outputs.classes is None:
            return finite(self.outputs.values)
        return list(map(name, self.outputs.classes))


def finite(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers as a list, None for those that JSON does not have."""
    return [v if math.isfinite(v) else None for v in values.tolist()]


def segment_texts(column: Column) -> list[str | None]:
    """Return the text of each value of a segment."""
    texts = [None if v is NOT_CAPTURED else category_text(v) for v in column]
    return [None if text is None else clean_label(text) for text in texts]


def raw_values(column: Column) -> list[Any]:
    """Return feature values as JSON has them; None for missing ones, text for odd ones."""
    values = column.tolist() if isinstance(column, np.ndarray) else column
    return [_raw(value) for value in values]


def _raw(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if (
        value is None
        or value is NOT_CAPTURED
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        return None
    return value if isinstance(value, (bool, int, float, str)) else category_text(value)


def json_lines(schema: LogSchema, rows: LogRows) -> bytes:
    """Return one JSON object a line.

    Examples
    --------
    A line of a binary model with one feature in its baseline::

        {"prediction_id":"018bcfe5-...","timestamp":"2023-11-14T22:13:20.123456Z",
         "model_name":"churn","model_version":"3","prediction":"1","score":0.83,
         "bins":{"age":4},"baseline":"sha256:...","segments":{"country":"de"}}
    """
    micro = np.datetime_as_string((rows.ends_ns // 1000).view("datetime64[us]")).tolist()
    columns: dict[str, list[Any]] = {
        "prediction_id": rows.prediction_ids(),
        "timestamp": [f"{text}Z" for text in micro],
        "model_name": [schema.model_name] * rows.size,
        "model_version": [schema.model_version] * rows.size,
        "prediction": rows.predictions(schema.class_name),
    }
    if schema.task is Task.BINARY:
        columns["score"] = finite(rows.outputs.values)
    if schema.task is Task.MULTICLASS:
        columns["scores"] = _objects(
            {c: finite(p) for c, p in rows.outputs.scores.items()}, rows.size
        )
    if schema.baseline:
        columns["bins"] = _objects({n: i.tolist() for n, i in rows.bins.items()}, rows.size)
        columns["baseline"] = [schema.baseline] * rows.size
    if schema.segments:
        columns["segments"] = _objects(
            {n: segment_texts(c) for n, c in rows.segments.items()}, rows.size
        )
    if schema.features:
        columns["features"] = _objects(
            {n: raw_values(c) for n, c in rows.features.items()}, rows.size
        )
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    return "".join(f"{encode(row)}\n" for row in _objects(columns, rows.size)).encode()


def _objects(columns: Mapping[str, list[Any]], size: int) -> list[dict[str, Any]]:
    if not columns:
        return [{} for _ in range(size)]
    names = tuple(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def arrow_table(schema: LogSchema, rows: LogRows) -> Any:
    """Return a pyarrow table with the same content in flat columns of dotted names.

    Its columns follow from the schema alone, so that all files of a log can be read as one.
    """
    import pyarrow as pa

    size = rows.size
    number, text = pa.float64(), pa.string()
    columns: dict[str, Any] = {
        "prediction_id": pa.array(rows.prediction_ids(), text),
        "timestamp": pa.array(rows.ends_ns // 1000, pa.timestamp("us", tz="UTC")),
        "model_name": pa.array([schema.model_name] * size, text),
        "model_version": pa.array([schema.model_version] * size, text),
    }
    predicted = number if schema.task is Task.REGRESSION else text
    columns["prediction"] = pa.array(rows.predictions(schema.class_name), predicted)
    if schema.task is Task.BINARY:
        columns["score"] = pa.array(finite(rows.outputs.values), number)
    scores = rows.outputs.scores
    for name in schema.classes or scores:
        by_row = finite(scores[name]) if name in scores else [None] * size
        columns[f"scores.{name}"] = pa.array(by_row, number)
    for name in schema.bins:
        columns[f"bins.{name}"] = pa.array(rows.bins[name], pa.int32())
    if schema.baseline:
        columns["baseline"] = pa.array([schema.baseline] * size, text)
    for name in schema.segments:
        columns[f"segments.{name}"] = pa.array(segment_texts(rows.segments[name]), text)
    for name in schema.features:
        column = rows.features[name]
        columns[f"features.{name}"] = (
            pa.array(finite(numbers(column).array), number)
            if name in schema.numeric
            else pa.array([_text(v) for v in raw_values(column)], text)
        )
    return pa.table(columns)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else category_text(value)
