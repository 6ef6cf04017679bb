"""Takes feature values and ids from the arguments of a call, before the model can change them."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from model_exporter.errors import ConfigError
from model_exporter.sidecar.columns import NOT_CAPTURED, Column, as_numpy
from model_exporter.sidecar.faults import Faults, Stage, TelemetryError
from model_exporter.sidecar.schema import Shape, names_of_frame, shape_of, shapes_of

Arguments = tuple[Any, ...]
Keywords = dict[str, Any]
Hook = Callable[..., Any]


class Place:
    """Where a function takes its features: position and name of its first parameter.

    `self` and `cls` do not count; a hook gets the arguments without them. Of a function that
    takes `**features` only, the keywords are the features.

    Attributes
    ----------
    exists
        False of a function without arguments, which has no features.
    """

    __slots__ = ("exists", "index", "keywords", "name")

    def __init__(self, function: Callable[..., Any], *, bound_first: bool = False) -> None:
        known = True
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # some built-in functions have no signature
            parameters, known = [], False
        first = parameters[0].name if parameters else ""
        self.index = 1 if bound_first or first in ("self", "cls") else 0
        named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        self.name = named[self.index].name if len(named) > self.index else ""
        kinds = {p.kind for p in parameters[self.index :]}
        self.keywords = kinds == {inspect.Parameter.VAR_KEYWORD}
        self.exists = bool(kinds) or not known

    def find(self, args: Arguments, kwargs: Keywords) -> Any:
        """Return the first argument of a call."""
        if len(args) > self.index:
            return args[self.index]
        if self.name in kwargs:
            return kwargs[self.name]
        if self.keywords:
            return kwargs
        raise TelemetryError("the call has no argument to take features from; give features=")


class Hooks:
    """The callables of a user's; all but `output` get the call's own arguments."""

    __slots__ = ("event_time", "features", "output", "prediction_id")

    def __init__(
        self,
        *,
        features: Hook | None = None,
        output: Hook | None = None,
        prediction_id: Hook | None = None,
        event_time: Hook | None = None,
    ) -> None:
        self.features = features
        self.output = output
        self.prediction_id = prediction_id
        self.event_time = event_time


def checked_hooks(**hooks: Hook | None) -> Hooks:
    """Check that hooks are functions."""
    for name, hook in hooks.items():
        if hook is not None and not callable(hook):
            raise ConfigError(f"{name}={hook!r}: expected a function, as in {name}=lambda x: x")
    return Hooks(**hooks)


class RowCapture:
    """Captures one row a call: one value a column.

    Parameters
    ----------
    columns
        Feature names to capture.
    positional
        How many of them, from the first, a list or an array gives by position: those of the
        baseline; 0 without one.
    note
        Takes the names in a row that has others than the columns; None without a baseline.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        positional: int,
        place: Place,
        features: Hook | None,
        faults: Faults,
        note: Callable[[tuple[Any, ...]], None] | None = None,
    ) -> None:
        self._columns = tuple(columns)
        self._note = note
        self._positional = positional
        self._padding = (NOT_CAPTURED,) * (len(columns) - positional)
        self._place = place
        self._features = features
        self._faults = faults
        self._lost = (NOT_CAPTURED,) * len(columns)

    @property
    def whole(self) -> int:
        """Length of a list that is a whole row; -1 where none is."""
        return -1 if self._padding else self._positional

    @property
    def width(self) -> int:
        """Length of a dict with all columns beyond which it has others; see `wide`."""
        return sys.maxsize if self._note is None else len(self._columns)

    def wide(self, row: Mapping[Any, Any]) -> None:
        """Take note of a row that has other names than the columns."""
        if self._note is not None:
            self._note(shape_of(row, self._columns))

    @property
    def getter(self) -> Callable[[dict[str, Any]], tuple[Any, ...]] | None:
        """What takes the columns out of a dict that has them all; None if rows need more work."""
        if self._features is not None or len(self._columns) < 2:
            return None
        return itemgetter(*self._columns)

    def begin(self) -> Callable[[Arguments, Keywords], list[Any]]:
        """Return the capturing function, with everything it needs in its closure.

        It makes the record of a call, with `FIXED` places at its head for `finish` to fill: one
        list from first to last costs least.
        """
        index, get, slow, whole = self._place.index, self.getter, self.capture, self.whole
        width, wide = self.width, self.wide
        if not self._columns:
            return lambda args, kwargs: [0, 0, 0]
        if self._features is None and not self._place.exists:
            return lambda args, kwargs: [0, 0, 0, *self._lost]
        if get is None:
            return lambda args, kwargs: [0, 0, 0, *slow(args, kwargs)]

        def capture(args: Arguments, kwargs: Keywords) -> list[Any]:
            try:
                row = args[index]
                kind = type(row)
                if kind is dict:
                    record = [0, 0, 0, *get(row)]
                    if len(row) > width:
                        wide(row)
                    return record
                if (kind is list or kind is tuple) and len(row) == whole:
                    return [0, 0, 0, *row]
                if kind is np.ndarray and row.shape == (whole,):
                    return [0, 0, 0, *row.tolist()]
            except Exception:  # noqa: S110 - the slow way finds and counts the cause
                pass
            return [0, 0, 0, *slow(args, kwargs)]

        return capture

    def capture(self, args: Arguments, kwargs: Keywords) -> Sequence[Any]:
        """Capture any kind of row; never raises but in strict mode."""
        try:
            if self._features is None:
                return self._values(self._place.find(args, kwargs))
            return self._values(self._features(*args[self._place.index :], **kwargs))
        except Exception as error:
            self._faults.error(Stage.FEATURES, error)
            return self._lost

    def _values(self, row: Any) -> Sequence[Any]:
        row = _single(row)
        if isinstance(row, Mapping):
            if len(row) != len(self._columns) or not all(n in row for n in self._columns):
                self.wide(row)
            return [row.get(name) for name in self._columns]
        values = row.tolist() if isinstance(row, np.ndarray) else row
        if isinstance(values, (list, tuple)) and len(values) == self._positional > 0:
            return (*values, *self._padding)
        raise _unreadable(row, self._positional)


def _single(row: Any) -> Any:
    """Unwrap a batch of one row, the way scikit-learn likes its rows."""
    if isinstance(row, (Mapping, np.ndarray)):
        return row[0] if isinstance(row, np.ndarray) and row.ndim == 2 and len(row) == 1 else row
    if hasattr(row, "to_dict"):  # a pandas Series, or a DataFrame of one row
        if hasattr(row, "columns"):
            columns = _columns_of_frame(row)
            return {n: c[0] for n, c in columns.items()} if len(row) == 1 else row
        return row.to_dict()
    if isinstance(row, (list, tuple)) and len(row) == 1:
        inner = row[0]
        return inner if isinstance(inner, (Mapping, list, tuple, np.ndarray)) else row
    return row


class BatchCapture:
    """Captures the columns of a batch, by name, without copying what is an array already."""

    def __init__(
        self, columns: Sequence[str], *, positional: int, place: Place, features: Hook | None
    ) -> None:
        self._columns = tuple(columns)
        self._positional = positional
        self._place = place
        self._features = features

    def capture(
        self, args: Arguments, kwargs: Keywords, *, shapes: list[Shape]
    ) -> dict[str, Column]:
        """Return the columns of a call's rows; raises where it cannot.

        Adds the names that its rows came under, if any, to `shapes`.
        """
        if not self._columns or (self._features is None and not self._place.exists):
            return {}
        if self._features is not None:
            table = self._features(*args[self._place.index :], **kwargs)
        else:
            table = self._place.find(args, kwargs)
        found = self._columns_of(table)
        size = len(next(iter(found.values()), ()))
        if any(len(column) != size for column in found.values()):
            raise TelemetryError("the columns of a batch differ in length")
        shapes.extend(shapes_of(table, size, self._columns))
        absent = [None if shapes else NOT_CAPTURED] * size  # by position, no more can be known
        return {name: found.get(name, absent) for name in self._columns}

    def _columns_of(self, table: Any) -> dict[str, Column]:
        if isinstance(table, Mapping):
            return {name: _as_column(table[name]) for name in self._columns if name in table}
        if hasattr(table, "columns"):
            return {n: c for n, c in _columns_of_frame(table).items() if n in self._columns}
        if isinstance(table, np.ndarray) and table.ndim == 2 and self._width(table.shape[1]):
            return {name: table[:, i] for i, name in enumerate(self._names())}
        if isinstance(table, (list, tuple)):
            return self._columns_of_rows(table)
        raise _unreadable(table, self._positional)

    def _columns_of_rows(self, rows: Sequence[Any]) -> dict[str, Column]:
        if all(isinstance(row, Mapping) for row in rows):
            return {name: [row.get(name) for row in rows] for name in self._columns}
        if all(isinstance(r, (list, tuple, np.ndarray)) and self._width(len(r)) for r in rows):
            return dict(zip(self._names(), map(list, zip(*rows, strict=True)), strict=True))
        raise _unreadable(rows, self._positional)

    def _names(self) -> tuple[str, ...]:
        return self._columns[: self._positional]

    def _width(self, width: int) -> bool:
        return width == self._positional > 0


def _columns_of_frame(table: Any) -> dict[str, Column]:
    return {str(name): _as_column(table[name]) for name in names_of_frame(table)}


def _as_column(values: Any) -> Column:
    values = as_numpy(values)
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return values
    if isinstance(values, (list, tuple)):
        return list(values)
    raise TelemetryError(
        f"a batch needs a column for each feature, got {type(values).__name__}; leave out "
        "batch=True if a call predicts one row"
    )


def _unreadable(row: Any, positional: int) -> TelemetryError:
    shape = f" of shape {row.shape}" if isinstance(row, np.ndarray) else ""
    size = f" of {len(row)}" if isinstance(row, (list, tuple)) else ""
    by_position = (
        f"the {positional} features of the baseline in its order"
        if positional
        else "no list, for want of a baseline that would name its values"
    )
    return TelemetryError(
        f"cannot read features from {type(row).__name__}{shape}{size}; expected a dict by feature "
        f"name, or {by_position}; map the arguments with features="
    )
