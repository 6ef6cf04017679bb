"""Rows that two versions predicted and that have a label, for the paired comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_exporter.comparison import Outputs
from model_exporter.job.columns import score_classes, sql_text
from model_exporter.job.config import ModelConfig
from model_exporter.job.store import Store
from model_exporter.job.totals import Interval
from model_exporter.records import Task

MAX_PAIRS = 50_000
"""Of more, a sample by the hash of the id: a difference of accuracies is then known within 0.3 %,
and a window of millions costs one scan and no more memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Labels, and what either version gave; by index of the class for a classifier."""

    labels: NDArray[Any]
    champion: Outputs
    challenger: Outputs


def read_pairs(
    store: Store,
    interval: Interval,
    versions: tuple[str, str],
    classes: Sequence[str],
    *,
    rows: int,
) -> Pairs:
    """Return the pairs of (champion, challenger) in a window.

    `rows` is the number of labelled rows of the smaller side: no more pairs than that.
    """
    model = store.model
    width = len(score_classes(model))
    sides = {"champion": "a", "challenger": "b"}
    columns = [f"{_code('a.label', classes, model)} AS label"]
    for name, side in sides.items():
        columns.append(f"{_code(f'{side}.predicted', classes, model)} AS {name}")
        columns += [f"{side}.p{i} AS {name}_p{i}" for i in range(width)]
    first, last = interval
    inside = (
        f"time >= {first} AND time < {last} AND hash(key) % {max(1, -(-rows // MAX_PAIRS))} = 0"
    )
    one, other = (f"(SELECT * FROM labeled WHERE version = ${name} AND {inside})" for name in sides)
    # The versions may have unlike labels where one was too late for `max_label_delay`.
    found = store.arrays(
        f"SELECT {', '.join(columns)} FROM {one} a JOIN {other} b "
        "ON a.key = b.key AND a.label = b.label ORDER BY a.key",
        dict(zip(sides, versions, strict=True)),
    )
    return Pairs(_plain(found["label"]), *(_outputs(found, name, width) for name in sides))


def _code(column: str, classes: Sequence[str], model: ModelConfig) -> str:
    """Return the SQL of the index of a class; whatever is not known is of the first class."""
    if model.task is Task.REGRESSION:
        return column
    names = ", ".join(map(sql_text, classes))
    return f"CAST(coalesce(list_position([{names}], {column}), 1) - 1 AS BIGINT)"


def _outputs(found: Mapping[str, Any], name: str, width: int) -> Outputs:
    predictions = _plain(found[name])
    scores = np.empty((predictions.size, width))
    for i in range(width):
        scores[:, i] = _plain(found[f"{name}_p{i}"])
    return Outputs(predictions, scores)


def _plain(column: Any) -> NDArray[Any]:
    """Return an array with NaN for null; whole numbers have none."""
    if isinstance(column, np.ma.MaskedArray):
        plain: NDArray[Any] = column.filled(np.nan) if column.dtype.kind == "f" else column.data
        return plain
    return np.asarray(column)
