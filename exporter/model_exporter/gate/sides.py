"""The rows that a gate is about: the labels, and what either version made of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_exporter.baseline import Baseline
from model_exporter.distribution import category_text, class_texts, numeric_values
from model_exporter.errors import SchemaError
from model_exporter.records import OTHER, Task
from model_exporter.reference_table import as_columns
from model_exporter.scores.statistics import binary_classes, multiclass_classes

Column = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of one version.

    `scores` are by class, `""` for a binary model's; `amounts` by name of the amount.
    """

    prediction: str = "prediction"
    scores: Mapping[str, str] = field(default_factory=dict)
    latency: str = ""
    amounts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """Labelled rows of one version; all columns of shape (n,).

    `labels` and `predictions` are values of a regression model, else indices of classes.
    """

    labels: Column
    predictions: Column
    scores: Mapping[str, Floats]
    latency: Floats | None
    amounts: Mapping[str, Floats]
    segments: Mapping[str, Column]

    def take(self, rows: Mask | NDArray[np.int64]) -> "Side":
        """Return some of the rows."""
        return Side(
            self.labels[rows],
            self.predictions[rows],
            {name: column[rows] for name, column in self.scores.items()},
            None if self.latency is None else self.latency[rows],
            {name: column[rows] for name, column in self.amounts.items()},
            {name: column[rows] for name, column in self.segments.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """An evaluation set.

    Attributes
    ----------
    table
        The columns of the candidate's table as they were given, unlabelled rows included.
    ids
        Ids of its rows; None where there are none.
    classes
        Of a classifier; negative, then positive where it is binary.
    champion
        None where there is none: the candidate is held against the baseline then.
    paired
        Whether the rows of the two sides are the same, in the same order.
    """

    task: Task
    table: Mapping[str, Any]
    ids: Column | None
    unlabeled: int
    classes: tuple[str, ...]
    candidate: Side
    champion: Side | None
    paired: bool
    baseline: Baseline | None

    def where(self, segment: str, value: str) -> "Evaluation":
        """Return the rows of a segment."""
        own = np.asarray(self.candidate.segments[segment] == value)
        champion = self.champion
        if champion is not None:
            other = own if self.paired else np.asarray(champion.segments[segment] == value)
            champion = champion.take(other)
        return replace(self, candidate=self.candidate.take(own), champion=champion)


def evaluation(
    table: Any,
    *,
    task: Task,
    label: str,
    candidate: Columns,
    champion: Columns | None = None,
    champion_table: Any = None,
    baseline: Baseline | None = None,
    ids: str = "",
    segments: Sequence[str] = (),
    positive_label: object = 1,
) -> Evaluation:
    """Read an evaluation set from one table, or from a table of each version.

    Versions in one table are compared row by row; in two, on the rows whose ids both have, or as
    two samples where they have none in common. Rows without label or prediction are left out.

    Raises
    ------
    SchemaError
        If a column is missing, a numeric one holds text, or an id comes twice where rows are to be
        joined.
    """
    own = as_columns(table)
    read = _Reader(task, label, segments, category_text(positive_label) or "1", baseline)
    id_column = read.texts(own, ids) if ids else None
    raw, other, paired = read.side(own, candidate), None, False
    if champion is not None and champion_table is None:
        other, paired = read.side(own, champion), True
    elif champion is not None:
        theirs = as_columns(champion_table)
        other = read.side(theirs, champion)
        rows = _common(id_column, read.texts(theirs, ids) if ids else None)
        if rows is not None:
            raw, other, paired = raw.take(rows[0]), other.take(rows[1]), True
    known = read.known(raw)
    if other is not None:
        known = known & read.known(other) if paired else known
        other = other.take(known if paired else read.known(other))
    classes, sides = read.coded(raw.take(known), other)
    return Evaluation(
        task=task,
        table=own,
        ids=id_column,
        unlabeled=int(np.count_nonzero(~read.labelled(raw))),
        classes=classes,
        candidate=sides[0],
        champion=sides[1] if len(sides) > 1 else None,
        paired=paired,
        baseline=baseline,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    task: Task
    label: str
    segments: Sequence[str]
    positive: str
    baseline: Baseline | None

    def column(self, table: Mapping[str, Any], name: str) -> Any:
        if name not in table:
            have = ", ".join(sorted(map(str, table)))
            raise SchemaError(f"the table has no column {name!r}; it has: {have}")
        return table[name]

    def numbers(self, table: Mapping[str, Any], name: str) -> Floats:
        try:
            return numeric_values(self.column(table, name))
        except (TypeError, ValueError) as error:
            raise SchemaError(f"column {name!r} of the table is not numeric ({error})") from error

    def texts(self, table: Mapping[str, Any], name: str) -> Column:
        return _texts(self.column(table, name))

    def side(self, table: Mapping[str, Any], columns: Columns) -> Side:
        outcome = self.numbers if self.task is Task.REGRESSION else self.texts
        return Side(
            outcome(table, self.label),
            outcome(table, columns.prediction),
            {name: self.numbers(table, column) for name, column in columns.scores.items()},
            self.numbers(table, columns.latency) if columns.latency else None,
            {name: self.numbers(table, column) for name, column in columns.amounts.items()},
            {name: self.texts(table, name) for name in self.segments},
        )

    def labelled(self, side: Side) -> Mask:
        return _present(side.labels, self.task)

    def known(self, side: Side) -> Mask:
        return self.labelled(side) & _present(side.predictions, self.task)

    def coded(self, *sides: Side | None) -> tuple[tuple[str, ...], list[Side]]:
        """Return the classes, and the sides with their indices in the place of names."""
        found = [side for side in sides if side is not None]
        if self.task is Task.REGRESSION:
            return (), found
        positive = self.positive if self.task is Task.BINARY else None
        given = self.baseline.classes if self.baseline else ()
        # Of a plain type, each class is looked up once.
        columns = [c.astype(str) for side in found for c in (side.labels, side.predictions)]
        texts = class_texts(columns, positive_label=positive, classes=given)
        seen = {text for column in texts for text in column.tolist()}
        if positive is not None:
            classes: tuple[str, ...] = binary_classes({*seen, *given} - {OTHER}, positive)
        else:
            classes = multiclass_classes({*seen, *found[0].scores}, given)
        place = {name: i for i, name in enumerate(classes)}
        codes = [
            np.array(
                [place.get(text, len(classes) - 1) for text in column.tolist()], dtype=np.int64
            )
            for column in texts
        ]
        return classes, [
            replace(side, labels=codes[2 * i], predictions=codes[2 * i + 1])
            for i, side in enumerate(found)
        ]


def _present(column: Column, task: Task) -> Mask:
    return np.asarray(np.isfinite(column) if task is Task.REGRESSION else column != np.array(None))


def _texts(column: Iterable[object]) -> Column:
    texts: Column = class_texts([np.asarray(column)], positive_label=None)[0]
    return texts


def _common(one: Column | None, other: Column | None) -> tuple[Any, Any] | None:
    """Return the places of the ids that both have; None where they have none in common."""
    if one is None or other is None:
        return None
    sides = []
    for ids in (one, other):
        places = {text: i for i, text in enumerate(ids.tolist()) if text is not None}
        if len(places) < sum(text is not None for text in ids.tolist()):
            raise SchemaError(
                "an id comes twice in a table that is to be joined by id; remove the duplicates"
            )
        sides.append(places)
    both = [text for text in sides[0] if text in sides[1]]
    if not both:
        return None
    return tuple(np.array([places[text] for text in both], dtype=np.int64) for places in sides)  # type: ignore[return-value]  # two
