"""Rows that a script logs itself: counted and logged like a batch, but no call of a function."""

from collections.abc import Mapping, Sequence
from typing import Any

from model_exporter.errors import ConfigError, SchemaError
from model_exporter.records import Task
from model_exporter.sidecar.calls import BatchSteps
from model_exporter.sidecar.capture import Hooks, Place
from model_exporter.sidecar.columns import as_numpy
from model_exporter.sidecar.faults import TelemetryError
from model_exporter.sidecar.outputs import Outputs
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.sections import LIMITS, Section


class LoggedRows:
    """Counts and logs rows that did not come by a call."""

    def __init__(self, pipeline: Pipeline, hooks: Hooks) -> None:
        self._pipeline = pipeline
        self._featured = BatchSteps(pipeline, Place(lambda features: features), hooks)
        self._bare = BatchSteps(pipeline, Place(lambda: None), Hooks())

    def add(self, output: Any, features: Any, ids: Sequence[str] | None) -> Outputs:
        """Leave rows to the fold, and return their predictions as columns.

        Raises
        ------
        SchemaError
            If the predictions cannot be read.
        """
        reader = self._pipeline.fold.reader
        try:
            rows, recorded = reader.read_batch(output)
        except TelemetryError as error:
            raise SchemaError(str(error)) from None
        steps = self._bare if features is None else self._featured
        call = steps.begin(() if features is None else (features,), {})
        call.ids = None if ids is None else list(ids)
        call.rows, call.output = rows, recorded
        steps.log(call)
        return reader.split(recorded)


def output_of(predictions: Any, scores: Any) -> Any:
    """Return predictions with their scores in the form that a predict function returns."""
    if scores is None:
        return predictions
    return {"prediction": predictions, "scores" if isinstance(scores, Mapping) else "score": scores}


def task_of(output: Any) -> Task:
    """Tell the task by predictions, where the monitor was not told.

    Texts, truth values and up to 50 distinct whole numbers are classes: of a binary model if all
    are 0 and 1, or scores say so; other numbers are a regression's.

    Raises
    ------
    ConfigError
        If they could be either: fractions between 0 and 1, or many whole numbers.

    Examples
    --------
    >>> [str(task_of(output)) for output in ([0, 1, 1], ["rain", "sun"], [12.5, -3.0])]
    ['binary', 'multiclass', 'regression']
    """
    if isinstance(output, Mapping):
        if "scores" in output:
            return Task.MULTICLASS
        return Task.BINARY if "score" in output else task_of(output.get("prediction", ()))
    values = set(_values(output))
    if not values or any(isinstance(value, str) for value in values):
        return Task.MULTICLASS
    if values <= {0, 1}:
        return Task.BINARY
    if all(float(value).is_integer() for value in values):
        if len(values) <= LIMITS[Section.CLASSES]:
            return Task.MULTICLASS
    elif not all(0 <= value <= 1 for value in values):
        return Task.REGRESSION
    raise ConfigError(
        "task=None: these predictions could be of a classifier or of a regression model; say "
        "which, as in ModelMonitor('churn', task='binary')"
    )


def _values(output: Any) -> list[Any]:
    column = as_numpy(output)
    values = column.tolist() if hasattr(column, "tolist") else list(column)
    try:
        return [value for value in values if value is not None and value == value]
    except (TypeError, ValueError):
        return []
