"""For tests of code that uses a monitor: `capture` tells what it recorded.

>>> from model_exporter import ModelMonitor
>>> monitor = ModelMonitor("churn", task="binary", strict=True)
>>> predict = monitor(lambda features: {"prediction": 1, "score": 0.83})
>>> with capture(monitor) as captured:
...     answer = predict({"age": 31})
>>> captured.predictions, captured.scores
([1], [0.83])
>>> captured.metric("model_predictions_total")
1.0
>>> monitor.close()

`strict=True` makes the monitor raise what goes wrong in a hook; in production it is only counted.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_exporter.sidecar.columns import NOT_CAPTURED, Column
from model_exporter.sidecar.event_time import GIVEN
from model_exporter.sidecar.monitor import ModelMonitor
from model_exporter.sidecar.outputs import Outputs

__all__ = ["Captured", "CapturedRow", "capture"]

DIFFERENCES = ("_total", "_count", "_sum", "_bucket")
"""Endings of samples that only grow: of these the growth is of interest."""

Key = tuple[str, frozenset[tuple[str, str]]]


class CapturedRow(NamedTuple):
    """One predicted row, as the monitor understood it.

    Attributes
    ----------
    prediction
        The class, or the value of a regression; None where there was none.
    score
        The score of a classifier, None where there was none.
    scores
        Probabilities by class, of a multiclass model that gives them.
    features
        The features by name: those of the baseline and those that are logged.
    prediction_id
        The caller's id; only with a log.
    """

    prediction: Any
    score: float | None
    scores: dict[str, float]
    features: dict[str, Any]
    prediction_id: str | None


class Captured:
    """What a monitor recorded since `capture` began, up to now or to the end of the block."""

    def __init__(self, monitor: ModelMonitor) -> None:
        self._monitor = monitor
        self._open = True
        self._rows: list[tuple[int, CapturedRow]] = []
        self._before = _samples(monitor)
        self._after: dict[Key, float] = {}

    @property
    def rows(self) -> list[CapturedRow]:
        """The predicted rows, in the order in which their calls ended."""
        if self._open:
            self._monitor.flush()
        return [row for _, row in sorted(self._rows, key=lambda pair: pair[0])]

    @property
    def predictions(self) -> list[Any]:
        """The predicted classes or values, in the order in which their calls ended."""
        return [row.prediction for row in self.rows]

    @property
    def scores(self) -> list[float | None]:
        """The scores, in the same order."""
        return [row.score for row in self.rows]

    @property
    def errors(self) -> dict[str, int]:
        """How many calls raised, by error type."""
        return self._by_label("model_prediction_errors_total", "error_type")

    @property
    def internal_errors(self) -> dict[str, int]:
        """How many errors were kept from the model, by stage: a good test expects none."""
        return self._by_label("model_exporter_internal_errors_total", "stage")

    def metric(self, name: str, **labels: str) -> float | None:
        """Return a sample as scraped; of counters and histograms, what was added to it.

        Parameters
        ----------
        name
            As in the exposition, such as ``"model_prediction_latency_seconds_count"``.
        **labels
            All labels but `model_name` and `model_version`, which are those of the monitor.

        Returns
        -------
        float or None
            None where there is no such sample.
        """
        key = (name, frozenset(labels.items()))
        found = self._now().get(key)
        if found is not None and name.endswith(DIFFERENCES):
            found -= self._before.get(key, 0.0)
        return found

    def _by_label(self, name: str, label: str) -> dict[str, int]:
        named = [dict(labels) for key, labels in self._now() if key == name]
        added = {each[label]: int(self.metric(name, **each) or 0) for each in named}
        return {value: count for value, count in added.items() if count}

    def _now(self) -> dict[Key, float]:
        return _samples(self._monitor) if self._open else self._after

    def _close(self) -> None:
        self._after = _samples(self._monitor)
        self._open = False

    def _tap(
        self,
        ends_ns: NDArray[np.int64],
        outputs: Outputs,
        *,
        ids: Sequence[str | None] | None,
        columns: Mapping[str, Column],
    ) -> None:
        for i, end in enumerate(ends_ns.tolist()):
            value = _plain(outputs.values[i])
            row = CapturedRow(
                prediction=value if outputs.classes is None else _plain(outputs.classes[i]),
                score=None if outputs.classes is None else value,
                scores={name: float(column[i]) for name, column in outputs.scores.items()},
                features={
                    name: _plain(column[i])
                    for name, column in columns.items()
                    if name != GIVEN and column[i] is not NOT_CAPTURED
                },
                prediction_id=None if ids is None else ids[i],
            )
            self._rows.append((end, row))


@contextlib.contextmanager
def capture(monitor: ModelMonitor) -> Iterator[Captured]:
    """Record what a monitor records while the block runs; blocks may be nested.

    Parameters
    ----------
    monitor
        The monitor under test. What it recorded before does not count.
    """
    monitor.flush()
    captured = Captured(monitor)
    taps = monitor._pipeline.fold.taps
    taps.append(captured._tap)
    try:
        yield captured
    finally:
        captured._close()
        taps.remove(captured._tap)


def _samples(monitor: ModelMonitor) -> dict[Key, float]:
    settings = monitor._pipeline.settings
    ours = {"model_name": settings.name, "model_version": settings.version}.items()
    return {
        (sample.name, frozenset(sample.labels.items() - ours)): sample.value
        for family in monitor.registry.collect()
        for sample in family.samples
        if ours <= sample.labels.items()
    }


def _plain(value: Any) -> Any:
    """Return a value as Python's own; None for NaN, so that lists can be compared."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value
