"""What a user declares about a feature, and the counter of the values that break it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import category_text
from model_exporter.errors import ConfigError
from model_exporter.sidecar.columns import NOT_CAPTURED, Column, numbers
from model_exporter.sidecar.labels import Lookup

EXAMPLE = "such as constraints={'age': Constraint(min=0, max=120)}"
FINE, BROKEN, MISSING, SKIPPED = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What every value of a feature must be.

    Attributes
    ----------
    min, max
        Bounds of a number, inclusive. What is no number is out of them.
    allowed
        The values there may be, compared as categories: 1, 1.0 and ``"1"`` are one.
    required
        Whether a missing value (None, NaN, absent) breaks it; otherwise none does.

    Raises
    ------
    ConfigError
        If it constrains nothing, or nothing could keep it.

    Examples
    --------
    >>> Constraint(min=0, max=120, required=True).allowed is None
    True
    """

    min: float | None = None
    max: float | None = None
    allowed: Iterable[object] | None = None
    required: bool = False

    def __post_init__(self) -> None:
        for name in ("min", "max"):
            _check_bound(name, getattr(self, name))
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ConfigError(f"min={self.min!r} is above max={self.max!r}; no value could be both")
        if self.allowed is not None:
            object.__setattr__(self, "allowed", _categories(self.allowed))
        bounds = (self.min, self.max, self.allowed)
        if not self.required and all(bound is None for bound in bounds):
            raise ConfigError("a Constraint of nothing; give min, max, allowed or required=True")


def _check_bound(name: str, bound: Any) -> None:
    is_number = isinstance(bound, (int, float)) and not isinstance(bound, bool)
    if bound is None or (is_number and not math.isnan(bound)):
        return
    raise ConfigError(f"{name}={bound!r}: expected a number, as in Constraint({name}=0)")


def _categories(allowed: object) -> tuple[str, ...]:
    if isinstance(allowed, Iterable) and not isinstance(allowed, (str, bytes)):
        texts = [text for text in map(category_text, allowed) if text is not None]
        if texts:
            return tuple(dict.fromkeys(texts))
    raise ConfigError(f"allowed={allowed!r}: expected values, as in Constraint(allowed=['DE'])")


def read_constraints(value: object) -> dict[str, Constraint]:
    """Check the constraints of a monitor."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"constraints={value!r}: expected a dict by feature, {EXAMPLE}")
    for name, constraint in value.items():
        if not isinstance(name, str) or not name or not isinstance(constraint, Constraint):
            raise ConfigError(
                f"constraints={{{name!r}: {constraint!r}}}: expected Constraint, {EXAMPLE}"
            )
    return dict(value)


class Checked(NamedTuple):
    """Values captured of a column, and how many were missing and broke the constraint."""

    values: int
    missing: int
    broken: int


class Check:
    """Counts the values of columns that break a constraint, each once."""

    def __init__(self, constraint: Constraint) -> None:
        self._low = -np.inf if constraint.min is None else constraint.min
        self._high = np.inf if constraint.max is None else constraint.max
        self._is_bounded = constraint.min is not None or constraint.max is not None
        self._allowed = None if constraint.allowed is None else frozenset(constraint.allowed)
        self._required = constraint.required
        self._states = Lookup(self._state)

    def count(self, column: Column) -> Checked:
        """Check a column; what was not captured is neither missing nor wrong."""
        values = column.tolist() if isinstance(column, np.ndarray) else column
        if self._is_bounded:
            states = self._bounded(column, values)
        else:
            states = np.array(self._states(values), dtype=np.int64)
        fine, broken, missing, _ = np.bincount(states, minlength=4).tolist()
        return Checked(fine + broken + missing, missing, broken + missing * self._required)

    def _bounded(self, column: Column, values: Any) -> NDArray[np.int64]:
        read = numbers(column)
        outside = (read.array < self._low) | (read.array > self._high)
        states = np.where(np.isnan(read.array), MISSING, np.where(outside, BROKEN, FINE))
        states[list(read.wrong)] = BROKEN
        if read.skipped:
            states[[value is NOT_CAPTURED for value in values]] = SKIPPED
        if self._allowed is not None:
            other = np.array(self._states(values), dtype=np.int64)
            states[(states == FINE) & (other == BROKEN)] = BROKEN
        return states

    def _state(self, value: Any) -> int:
        if value is NOT_CAPTURED:
            return SKIPPED
        if isinstance(value, (list, tuple, dict, set, bytes, np.ndarray)):
            return FINE if self._allowed is None else BROKEN
        text = category_text(value)
        if text is None:
            return MISSING
        return FINE if self._allowed is None or text in self._allowed else BROKEN
