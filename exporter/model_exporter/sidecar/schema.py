"""Whether inputs have the columns of the baseline: which lack, which are more.

A call leaves the names of an odd row behind, and no more; what is odd about them is found here,
once for all rows of one shape.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from model_exporter.records import OTHER, MismatchReason
from model_exporter.sidecar.counters import Counters
from model_exporter.sidecar.labels import Names
from model_exporter.sidecar.sections import Section

WIDE = 100
"""Names beyond those that are captured of which a row's shape still tells each."""


class Shape(NamedTuple):
    """The names of the columns that some rows had."""

    names: tuple[Any, ...]
    rows: int = 1


def shape_of(row: Collection[Any], columns: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the names in a row; of a very wide one, those captured and `OTHER` for all else."""
    if len(row) <= len(columns) + WIDE:
        return tuple(row)
    return (*(name for name in columns if name in row), OTHER)


def shapes_of(table: Any, rows: int, columns: tuple[str, ...]) -> list[Shape]:
    """Return the names that the rows of a batch came under; none where they came by position."""
    if isinstance(table, Mapping):
        return [Shape(shape_of(table, columns), rows)]
    if hasattr(table, "columns"):
        return [Shape(shape_of(names_of_frame(table), columns), rows)]
    if isinstance(table, np.ndarray) or not all(isinstance(row, Mapping) for row in table):
        return []
    found = Counter(shape_of(row, columns) for row in table)
    return [Shape(*item) for item in found.items()]


def names_of_frame(table: Any) -> list[Any]:
    """Return the names of the columns of a pandas, polars or Arrow table."""
    names = getattr(table, "column_names", None)  # `columns` of an Arrow table are its values
    return list(table.columns if names is None else names)


def count_shapes(
    shapes: Iterable[Shape], counters: Counters, *, columns: frozenset[str], extra: Names
) -> None:
    """Count what rows lack of the counted features, and what they have beyond the columns."""
    for names, rows in shapes:
        present = frozenset(names)
        for feature, counts in counters.features.items():
            if feature not in present:
                counts.absent += rows
        for name in present - columns:
            text = name if isinstance(name, str) else type(name).__name__
            counters.named[Section.EXTRA_COLUMNS][extra.slot(text)] += rows


def mismatches(
    counters: Counters, extra: Mapping[str, int]
) -> Iterable[tuple[str, MismatchReason, float]]:
    """Return name, reason and count; what may lack is known and told at zero."""
    for feature, counts in counters.features.items():
        yield feature, MismatchReason.MISSING_COLUMN, counts.absent[0]
    found = counters.named[Section.EXTRA_COLUMNS]
    for name, slot in extra.items():
        if found[slot]:
            yield name, MismatchReason.EXTRA_COLUMN, found[slot]
