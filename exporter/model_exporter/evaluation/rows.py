"""Predictions and the labels that came for them, in memory and bounded."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from model_exporter.errors import SchemaError

Key = Hashable
"""The caller's id as a text, or the number of a row that has none."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction: class or value, score, and the scores by class where there are some."""

    value: Any
    score: float
    scores: Mapping[str, float]


@dataclass
class LabeledRows:
    """Predictions by id or, where they have none, by their order, and the labels alike.

    Attributes
    ----------
    limit
        Predictions kept at most, and labels as well: the oldest are forgotten first.
    """

    limit: int
    predictions: dict[Key, Prediction] = field(default_factory=dict)
    labels: dict[Key, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._logged = 0
        self._next = 0  # the row without id that gets the next label

    def add_predictions(self, predictions: Sequence[Prediction], ids: Sequence[str] | None) -> None:
        """Add predictions; one with an id that is known replaces the one before."""
        keys: Sequence[Key] = _checked("predictions", len(predictions), ids)
        if ids is None:
            keys = range(self._logged, self._logged + len(predictions))
            self._logged = keys.stop
        self.predictions.update(zip(keys, predictions, strict=True))
        for key in _forget(self.predictions, self.limit):
            if isinstance(key, int):
                self._next = max(self._next, key + 1)

    def add_labels(self, labels: Sequence[Any], ids: Sequence[str] | None) -> None:
        """Add labels: by id, where a later one corrects, or for the next predictions in order.

        Raises
        ------
        SchemaError
            If there are more labels than predictions without id that wait for one.
        """
        keys: Sequence[Key] = _checked("labels", len(labels), ids)
        if ids is None:
            keys = range(self._next, self._next + len(labels))
            if keys.stop > self._logged:
                raise SchemaError(
                    f"{len(labels)} labels were given, but {self._logged - self._next} predictions "
                    "wait for one; log the predictions first, or give both the same `ids`"
                )
            self._next = keys.stop
        self.labels.update(zip(keys, labels, strict=True))
        _forget(self.labels, self.limit)

    def matched(self) -> tuple[list[Prediction], list[Any]]:
        """Return the predictions that have a label, and the labels."""
        keys = [key for key in self.predictions if key in self.labels]
        return [self.predictions[key] for key in keys], [self.labels[key] for key in keys]


def _checked(what: str, rows: int, ids: Sequence[str] | None) -> Sequence[str]:
    if ids is not None and len(ids) != rows:
        raise SchemaError(f"{rows} {what}, but {len(ids)} ids; give an id for each")
    return ids or ()


def _forget(rows: dict[Key, Any], limit: int) -> list[Key]:
    """Delete the oldest beyond the limit, and return their keys."""
    keys = list(islice(rows, max(0, len(rows) - limit)))
    for key in keys:
        del rows[key]
    return keys
