"""All scores of labelled rows by name: for the loops that train and test."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from model_exporter.distribution import category_text
from model_exporter.errors import ConfigError
from model_exporter.records import Task
from model_exporter.tracking.names import metrics

EXPECTED = {
    Task.BINARY: "one probability a row",
    Task.MULTICLASS: "probabilities by class, as in scores={'sunny': [...], 'rain': [...]}",
    Task.REGRESSION: "none",
}


def score_metrics(
    labels: ArrayLike,
    predictions: ArrayLike,
    *,
    task: str,
    scores: ArrayLike | Mapping[str, ArrayLike] | None = None,
    classes: Sequence[object] | None = None,
    positive_label: object = 1,
) -> dict[str, float]:
    """Return every score of the rows with its 95 % interval, as `mlflow.log_metrics` takes them.

    Needs ``model-exporter[exporter]``.

    Parameters
    ----------
    labels, predictions
        What came true, what the model said; of shape (rows,).
    task
        ``"binary"``, ``"multiclass"`` or ``"regression"``.
    scores
        Probabilities, 0 to 1: of `positive_label`, of shape (rows,), if binary; by class if
        multiclass.
    classes
        All classes, where the rows may lack some.

    Returns
    -------
    dict
        By the names of `expectations:`, the bounds with ``_lower`` and ``_upper``; an undefined
        score is absent.

    Raises
    ------
    ConfigError
        If there is no such task, or the scores are not of its form.

    Examples
    --------
    >>> found = score_metrics([1, 0, 1, 1], [1, 0, 0, 1], task="binary")
    >>> found["accuracy"], round(found["accuracy_lower"], 2), round(found["f1"], 2)
    (0.75, 0.3, 0.8)
    """
    # Imported here: whoever only reads a baseline must not pay for the scores.
    from model_exporter.scores import SCORES
    from model_exporter.scores.statistics import statistics_from_rows

    if task not in tuple(Task):
        raise ConfigError(f"task={task!r}: expected one of {', '.join(map(repr, map(str, Task)))}")
    kind = Task(task)
    statistics = statistics_from_rows(
        task=kind,
        labels=_column(labels),
        predictions=_column(predictions),
        scores=_scores(scores, kind),
        classes=[text for text in map(category_text, classes or ()) if text is not None],
        positive_label=positive_label if kind is Task.BINARY else None,
    )
    quality = {
        score.name: dict(score.compute(statistics)) for score in SCORES if kind in score.tasks
    }
    return metrics(quality, kind)


def _column(values: ArrayLike) -> Any:
    array = np.asarray(values)
    return array.ravel() if array.ndim == 2 and array.shape[1] == 1 else array


def _scores(
    given: ArrayLike | Mapping[str, ArrayLike] | None, task: Task
) -> Mapping[str, ArrayLike]:
    if given is None:
        return {}
    if task is Task.REGRESSION or isinstance(given, Mapping) != (task is Task.MULTICLASS):
        raise ConfigError(
            f"scores={type(given).__name__}: a {task} model has {EXPECTED[task]}; give it so"
        )
    if isinstance(given, Mapping):
        return {
            category_text(name) or "": np.asarray(column, np.float64)
            for name, column in given.items()
        }
    return {"": np.asarray(given, np.float64)}
