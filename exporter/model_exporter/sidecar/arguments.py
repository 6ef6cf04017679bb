"""Arguments of kinds that a monitor has many of: texts, numbers, names of features, edges."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from model_exporter.errors import ConfigError


def text(what: str, value: object, *, empty: bool = True) -> str:
    """Check a text argument."""
    if isinstance(value, str) and (value or empty):
        return value
    kind = "a text" if empty else "a text that is not empty"
    raise ConfigError(f"{what}={value!r}: expected {kind}, such as {what}='churn'")


def number(what: str, value: Any, *, least: float) -> Any:
    """Check a numeric argument."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= least:
        return value
    raise ConfigError(f"{what}={value!r}: expected a number of at least {least:g}")


def names(what: str, value: object) -> tuple[str, ...]:
    """Check an argument that lists feature names."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        found = tuple(value)
        if all(isinstance(name, str) and name for name in found):
            return tuple(dict.fromkeys(found))
    raise ConfigError(f"{what}={value!r}: expected a list of feature names, such as {what}=['age']")


def buckets(what: str, value: Sequence[float]) -> tuple[float, ...]:
    """Check histogram edges; an infinite last edge is implied."""
    try:
        edges = tuple(float(edge) for edge in value if edge != math.inf)
    except (TypeError, ValueError):
        edges = ()
    ascending = all(low < high for low, high in itertools.pairwise(edges))
    if edges and ascending and all(map(math.isfinite, edges)):
        return edges
    raise ConfigError(f"{what}={value!r}: expected ascending finite numbers, such as [0.1, 1, 10]")
