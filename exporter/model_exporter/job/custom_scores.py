"""Scores that a user wrote, on the labelled rows of a window.

A configuration names them as ``module:function``; they are imported, never evaluated as text. The
function gets arrays and gives a number; whatever it raises stays here, is counted, and leaves its
series out.
"""

import logging
import math
import traceback
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_exporter.job.columns import score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.labeled_rows import labeled_versions, read_labeled
from model_exporter.job.measures import put_measure
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowTotals
from model_exporter.records import Estimate, Task

logger = logging.getLogger("model_exporter")

Rows = tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]


def put_custom_scores(
    snapshot: Snapshot, store: Store, window: WindowTotals, errors: Counter[str]
) -> None:
    """Put the declared scores of one window, by version and of all; `errors` counts by score."""
    model = store.model
    if not model.scoring.functions:
        return
    for version in labeled_versions(window):
        rows = _read(store, window, version)
        for name, function in model.scoring.functions.items():
            labels = (model.name, version, window.text, name)
            try:
                estimate = _estimate(function(*rows))
            except Exception as error:
                errors[name] += 1
                logger.warning("%s: score %s: %s", model.name, name, _place(error))
            else:
                put_measure(snapshot, "model_custom_score", labels, estimate)


def put_custom_score_errors(snapshot: Snapshot, model: ModelConfig, errors: Counter[str]) -> None:
    """Put how often each declared score failed, 0 included."""
    for name in model.scoring.functions:
        snapshot.put("model_custom_score_errors_total", (model.name, name), errors[name])


def _read(store: Store, window: WindowTotals, version: str) -> Rows:
    model = store.model
    names = [f"p{i}" for i in range(len(score_classes(model)))]
    found = read_labeled(store, window, version, columns=("label", "predicted", *names))
    columns = [np.ma.filled(np.ma.asarray(found[n], np.float64), np.nan) for n in names]
    label, predicted = (_outcomes(np.asarray(found[n]), model) for n in ("label", "predicted"))
    scores = np.column_stack(columns) if columns else np.empty((label.size, 0))
    rows = (label, predicted, scores[:, 0] if model.task is Task.BINARY else scores)
    for array in rows:
        array.flags.writeable = False  # the next function gets the same
    return rows


def _outcomes(column: NDArray[Any], model: ModelConfig) -> NDArray[Any]:
    if model.task is Task.BINARY:
        return np.asarray(column == model.positive_label, dtype=np.int64)
    return column if model.task is Task.REGRESSION else np.asarray(column, dtype=str)


def _estimate(found: Any) -> Estimate | None:
    """Return what a function gave: a number, or value, lower and upper end; None is undefined."""
    if found is None:
        return None
    value, *ends = map(float, found if isinstance(found, tuple) else (found,))
    if len(ends) not in (0, 2):
        raise TypeError("a score is a number, or a tuple of value, lower and upper end")
    if not all(map(math.isfinite, (value, *ends))):
        return None
    return Estimate(value, *ends)


def _place(error: Exception) -> str:
    """Name an error without its message, which may hold values of rows."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
