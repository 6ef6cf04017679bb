"""What a predict function returned, read as predictions.

In the call only `read` runs, and only for what is not a plain scalar; `split` turns many recorded
outputs into columns, in the fold.
"""

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import category_text
from model_exporter.records import Task
from model_exporter.sidecar.columns import Column, as_numpy, numbers
from model_exporter.sidecar.faults import TelemetryError

SCALARS = frozenset(
    {type(None), bool, float, int, str}
    | {np.bool_, np.float16, np.float32, np.float64, np.str_}
    | {np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64}
)
"""Types recorded as they are: none of them can change after the call."""
KEYS = ("prediction", "score", "scores")

Scored = tuple[Any, Any, tuple[tuple[str, Any], ...]]
"""A class, its score, and the scores by class."""
Reader = Callable[[Any], Any]


class Outputs:
    """Predictions as columns.

    Attributes
    ----------
    classes
        Predicted classes, None where there is none; None for regression.
    values
        Score of a classifier or value of a regression, NaN where there is none.
    scores
        Probabilities by class, for a multiclass model that gives them.
    """

    __slots__ = ("classes", "scores", "values")

    def __init__(
        self,
        classes: Sequence[Any] | None,
        values: NDArray[np.float64],
        scores: Mapping[str, NDArray[np.float64]],
    ) -> None:
        self.classes = classes
        self.values = values
        self.scores = scores


class OutputReader:
    """Reads outputs of one task.

    Parameters
    ----------
    positive_label
        The class whose probability is the score of a binary model.
    name
        Gives the text of a class.
    threshold, negative
        From where on a probability without a class is of the positive one, else of `negative`:
        0.0 and 1.0 are probabilities then, too. Without a threshold they are classes.
    """

    def __init__(
        self,
        task: Task,
        positive_label: str,
        *,
        name: Callable[[Any], str | None] = category_text,
        threshold: float | None = None,
        negative: str = "",
    ) -> None:
        self._name = name
        self._regression = task is Task.REGRESSION
        self._binary = task is Task.BINARY
        self._positive = positive_label
        self._threshold, self._negative = threshold, negative

    def read(self, output: Any) -> Any:
        """Return one output as a scalar, or as a `Scored` that holds no part of it."""
        if type(output) in SCALARS:
            return output
        if isinstance(output, Mapping):
            return self._from_mapping(output)
        if isinstance(output, tuple) and len(output) == 2 and not self._regression:
            return (_scalar(output[0]), _scalar(output[1]), ())
        return _scalar(output)

    def _from_mapping(self, output: Mapping[str, Any]) -> Any:
        if not any(key in output for key in KEYS):
            raise TelemetryError(
                "a dict was returned without any of the keys 'prediction', 'score', 'scores'; "
                "say where they are with output=, as in output=lambda r: {'prediction': r['label']}"
            )
        prediction = _scalar(output.get("prediction"))
        if self._regression:
            return prediction
        scores = tuple(
            (self._name(c) or "", _scalar(p)) for c, p in (output.get("scores") or {}).items()
        )
        score = _scalar(output.get("score"))
        if score is None and scores:
            wanted = self._positive if self._binary else self._name(prediction)
            score = dict(scores).get(wanted or "")
        return (prediction, score, () if self._binary else scores)

    def read_batch(self, output: Any) -> tuple[int, Any]:
        """Return the rows of a batch output, and it as a column or a dict of columns, copied."""
        if isinstance(output, Mapping):
            return self._batch_from_mapping(output)
        column = _column(output)
        if isinstance(column, np.ndarray):
            return len(column), column
        return len(column), [self.read(item) for item in column]

    def _batch_from_mapping(self, output: Mapping[str, Any]) -> tuple[int, Any]:
        columns: dict[str, Any] = {k: _column(output[k]) for k in KEYS[:2] if k in output}
        by_class = output.get("scores") or {}
        scores = {self._name(c) or "": _column(p) for c, p in by_class.items()}
        lengths = {len(column) for column in (*columns.values(), *scores.values())}
        if len(lengths) != 1:
            raise TelemetryError(
                "a batch returned as a dict needs columns of one length under 'prediction', "
                "'score' or 'scores'; say where they are with output="
            )
        return lengths.pop(), {**columns, "scores": scores}

    def split(self, recorded: Any) -> Outputs:
        """Return recorded outputs (a list, an array or a dict of columns) as columns."""
        if self._regression:
            values = recorded.get("prediction", ()) if isinstance(recorded, dict) else recorded
            return Outputs(None, numbers(values).array, {})
        by_name = isinstance(recorded, dict)
        outputs = self._split_columns(recorded) if by_name else self._split_rows(recorded)
        return outputs if self._threshold is None else self._decided(outputs)

    def _decided(self, outputs: Outputs) -> Outputs:
        """Return outputs with a class for each probability that has none."""
        values, classes = outputs.values, outputs.classes or ()
        is_positive = values >= (self._threshold or 0.0)  # not of NaN
        decided = np.where(is_positive, self._positive, self._negative).tolist()
        known = ((values >= 0) & (values <= 1)).tolist()
        chosen = [
            new if old is None and is_known else old
            for old, new, is_known in zip(classes, decided, known, strict=True)
        ]
        return Outputs(chosen, values, outputs.scores)

    def _are_probabilities(self, values: Any) -> Any:
        """Return where bare numbers are probabilities."""
        if self._threshold is None:
            return (values > 0) & (values < 1)
        return (values >= 0) & (values <= 1)

    def _split_columns(self, columns: dict[str, Any]) -> Outputs:
        scores = {name: numbers(p).array for name, p in columns["scores"].items()}
        score, classes = columns.get("score"), columns.get("prediction")
        values = None if score is None else numbers(score).array
        if classes is not None:
            classes = classes.tolist() if isinstance(classes, np.ndarray) else classes
        if values is None and self._binary:
            values = scores.get(self._positive)
        elif values is None and classes is not None and scores:
            values = _of_class(scores, [self._name(c) or "" for c in classes])
        size = len(next(c for c in (classes, values, *scores.values()) if c is not None))
        values = np.full(size, math.nan) if values is None else values
        return Outputs(classes or [None] * size, values, {} if self._binary else scores)

    def _split_rows(self, rows: Column) -> Outputs:
        items = rows.tolist() if isinstance(rows, np.ndarray) else rows
        kinds = set(map(type, items))
        if self._binary and kinds == {float}:
            values = numbers(items).array
            if self._are_probabilities(values).all():
                return Outputs([None] * len(items), values, {})
        if not any(issubclass(kind, (tuple, float, np.floating)) for kind in kinds):
            return Outputs(items, np.full(len(items), math.nan), {})
        triples = [self._triple(item) for item in items]
        values = numbers([score for _, score, _ in triples]).array
        return Outputs([c for c, _, _ in triples], values, _by_class([s for _, _, s in triples]))

    def _triple(self, item: Any) -> Scored:
        if type(item) is tuple:
            return item
        is_number = self._binary and isinstance(item, (float, np.floating))
        if is_number and self._are_probabilities(item):
            return (None, item, ())
        return (item, None, ())


def _scalar(value: Any) -> Any:
    """Return a value that cannot change, unwrapped from arrays and lists of one."""
    for _ in range(4):  # [[x]] from scikit-learn, in a Series, in an array
        if type(value) in SCALARS:
            return value
        if isinstance(value, enum.Enum):
            value = value.value
        elif isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        elif isinstance(value, np.generic):
            value = value.item()
        elif isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]
        elif hasattr(value, "to_numpy"):
            value = as_numpy(value)
        elif hasattr(type(value), "__float__"):  # decimal.Decimal, a tensor of one element
            return float(value)
        else:
            break
    raise TelemetryError(
        f"cannot read a prediction from {type(value).__name__}; map the result with output=, "
        "or, if it holds many predictions, say batch=True"
    )


def _column(values: Any) -> Column:
    """Return a column that shares nothing mutable with `values`."""
    if hasattr(values, "num_columns") and values.num_columns == 1:  # an Arrow table
        values = values.column(0)
    values = as_numpy(values)
    if isinstance(values, np.ndarray):
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim == 1:
            copied: Column = values.tolist() if values.dtype.kind == "O" else values.copy()
            return copied
    elif isinstance(values, (list, tuple)):
        return list(values)
    shape = f" of {values.ndim} dimensions" if isinstance(values, np.ndarray) else ""
    raise TelemetryError(
        f"cannot read a batch of predictions from {type(values).__name__}{shape}; map the result "
        "with output= to a list, a one-dimensional array or a dict of columns"
    )


def _of_class(
    scores: Mapping[str, NDArray[np.float64]], texts: Sequence[str]
) -> NDArray[np.float64]:
    found = [scores[t][i] if t in scores else math.nan for i, t in enumerate(texts)]
    return np.array(found, dtype=np.float64)


def _by_class(scores: list[tuple[tuple[str, Any], ...]]) -> dict[str, NDArray[np.float64]]:
    present = {name: None for row in scores for name, _ in row}
    rows = [dict(row) for row in scores]
    return {name: numbers([row.get(name) for row in rows]).array for name in present}
