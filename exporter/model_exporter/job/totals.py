"""Totals of tiles, and how they are read: many ranges of time in one query of each kind."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model_exporter.job import cells, tables
from model_exporter.job.columns import score_classes
from model_exporter.job.score_steps import PLACE, score_counts
from model_exporter.job.store import Store
from model_exporter.job.tables import HOUR

STEP = ("score", "rows", "positives")
Interval = tuple[int, int]
"""Half-open."""
Steps = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Group:
    """The rows that a set of totals is about; segment ``""`` is the whole model."""

    version: str
    segment: str = ""
    segment_value: str = ""


@dataclass(slots=True, eq=False)
class Totals:
    """Tiles of a group, added up.

    Attributes
    ----------
    counts
        Rows by (statistic, name, key).
    sums
        By (statistic, key): rows, and whole numbers by exponent (see `losses`).
    scores
        By class: score (or step), rows and positives; shape (3, m), scores ascending.
    """

    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    sums: dict[tuple[str, str], tuple[int, dict[int, int]]] = field(default_factory=dict)
    scores: dict[str, Steps] = field(default_factory=dict)

    def count(self, stat: str, name: str = "", key: str = "") -> int:
        """Return rows of one kind."""
        return self.counts.get((stat, name, key), 0)

    def keys(self, stat: str, name: str = "") -> dict[str, int]:
        """Return rows by key."""
        return {k: n for (s, m, k), n in self.counts.items() if s == stat and m == name and n}

    def copy(self) -> Self:
        """Return totals that can be added to."""
        return type(self)(dict(self.counts), dict(self.sums), dict(self.scores))

    def add(self, other: "Totals", sign: int = 1) -> None:
        """Add the totals of other rows, or take them away."""
        for place, count in other.counts.items():
            total = self.counts.get(place, 0) + sign * count
            if total:
                self.counts[place] = total
            else:
                self.counts.pop(place, None)
        for term, (rows, parts) in other.sums.items():
            known, totals = self.sums.get(term, (0, {}))
            merged = dict(totals)
            for exponent, whole in parts.items():
                merged[exponent] = merged.get(exponent, 0) + sign * whole
            # Rows that come and go may differ in what they sum to, until all are added.
            if known + sign * rows or any(merged.values()):
                self.sums[term] = (known + sign * rows, merged)
            else:
                self.sums.pop(term, None)
        for name, steps in other.scores.items():
            signed = steps * np.array([[1], [sign], [sign]])
            merged_steps = _merge_steps(np.hstack([self.scores.get(name, NO_STEPS), signed]))
            if merged_steps.size:
                self.scores[name] = merged_steps
            else:
                self.scores.pop(name, None)


NO_STEPS: Steps = np.empty((3, 0))
Groups = dict[Group, Totals]


def _merge_steps(steps: Steps) -> Steps:
    values, place = np.unique(steps[0], return_inverse=True)
    rows = np.bincount(place, weights=steps[1], minlength=values.size)
    positives = np.bincount(place, weights=steps[2], minlength=values.size)
    left = (rows != 0) | (positives != 0)
    return np.vstack([values[left], rows[left], positives[left]])


def add_all(groups: Groups, found: Groups, sign: int = 1) -> None:
    """Add the totals of other rows to those of each group, or take them away."""
    for group, totals in found.items():
        known = groups.setdefault(group, Totals())
        known.add(totals, sign)
        if not (known.counts or known.sums or known.scores):
            del groups[group]


def cut(ranges: Iterable[Interval]) -> list[Interval]:
    """Return disjoint intervals of which each range is made."""
    known = list(ranges)
    bounds = sorted({bound for part in known for bound in part})
    return [part for part in itertools.pairwise(bounds) if any(within(part, r) for r in known)]


def within(part: Interval, whole: Interval) -> bool:
    """Tell whether an interval lies inside another."""
    return whole[0] <= part[0] and part[1] <= whole[1]


class TotalsReader:
    """Reads the totals of disjoint intervals from the tiles and rows of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        model = store.model
        scored = bool(score_classes(model))
        self._exact = score_counts(model, exact=True) if scored else ""
        self._steps = score_counts(model, exact=False) if scored else ""

    def hours(self, hours: Sequence[Interval]) -> list[Groups]:
        """Return the totals of ranges of hours, by steps of the grid of scores."""
        if not hours:
            return []
        times = [(first * HOUR, last * HOUR) for first, last in hours]
        tiles = {kind: _totalled(kind, hours) for kind in self._store.tiles.of_rows()}
        return self._sum(len(hours), tiles, _placed("labeled", "time", times, sign=True))

    def pieces(self, bounds: Sequence[Interval], fresh: Sequence[Interval] = ()) -> list[Groups]:
        """Return the totals of intervals of time, in microseconds, as their rows give them.

        Of the intervals of `fresh`, which come last, it is what has changed since `Store.watch`.
        """
        if not bounds and not fresh:
            return []
        self._store.place(bounds, fresh)
        tiles = {
            kind: f"SELECT slot AS place, * EXCLUDE (slot) FROM ({sql})"
            for kind, sql in self._store.tiles.of_rows().items()
        }
        rows = "SELECT slot AS place, * FROM delta_labeled"
        return self._sum(len(bounds) + len(fresh), tiles, rows)

    def ranked(self, times: Sequence[Interval]) -> list[Groups]:
        """Return the scores themselves of intervals of time, in microseconds."""
        found: list[Groups] = [{} for _ in times]
        if not times or not self._exact:
            return found
        self._add_scores(found, self._exact, _placed("labeled", "time", times, sign=True))
        return found

    def _sum(self, count: int, tiles: Mapping[str, str], rows: str) -> list[Groups]:
        """Return the totals of each place: what the queries of tiles find, and scores of rows."""
        found: list[Groups] = [{} for _ in range(count)]
        decode = {"counts": _counts, "sums": _sums, "cells": self._cells}
        for kind, query in tiles.items():
            of_groups: dict[tuple[int, Group], list[Any]] = {}
            sql = f"SELECT {', '.join([*_keys(kind), *tables.ADDED[kind]])} FROM ({query})"
            for place, version, segment, value, *row in self._store.query(sql):
                of_groups.setdefault((place, Group(version, segment, value)), []).append(row)
            for (place, group), of_group in of_groups.items():
                totals = found[place].setdefault(group, Totals())
                counts, sums = decode[kind](group, of_group)
                totals.counts |= counts
                totals.sums |= sums
        if self._steps:
            self._add_scores(found, self._steps, rows)
        return found

    def _cells(self, group: Group, rows: Iterable[Any]) -> tuple[cells.Counts, cells.Sums]:
        return cells.decoded(rows, self._store.model, whole=not group.segment)

    def _add_scores(self, found: list[Groups], counts: str, rows: str) -> None:
        """Add the scores of signed rows, or their steps, as `score_counts` counts them."""
        names = ", ".join(PLACE)
        read = self._store.arrays(
            f"WITH scored AS ({rows}) SELECT {names}, {', '.join(f'list({c})' for c in STEP)} "
            f"FROM ({counts}) WHERE rows <> 0 OR positives <> 0 GROUP BY {names}"
        )
        for place, version, segment, value, name, *steps in zip(*read.values(), strict=True):
            totals = found[place].setdefault(Group(version, segment, value), Totals())
            columns = np.vstack(steps).astype(np.float64)
            totals.scores[name] = columns[:, columns[0].argsort()]


def _counts(_: Group, rows: Iterable[Any]) -> tuple[cells.Counts, cells.Sums]:
    return {(stat, name, key): count for stat, name, key, count in rows if count}, {}


def _sums(_: Group, rows: Iterable[Any]) -> tuple[cells.Counts, cells.Sums]:
    sums: cells.Sums = {}
    for stat, key, exponent, total, count in rows:
        known, parts = sums.setdefault((stat, key), (0, {}))
        parts[exponent] = int(total)
        sums[stat, key] = (known + count, parts)
    return {}, sums


def _keys(kind: str) -> list[str]:
    """Return the columns that tell totals of tiles apart; the group comes first."""
    return ["place", *(name for name in tables.keys_of(kind) if name != "slot")]


def _totalled(kind: str, hours: Sequence[Interval]) -> str:
    """Return the query of the totals of a kind of tiles in ranges of hours."""
    sums = ", ".join(f"sum({name}) AS {name}" for name in tables.ADDED[kind])
    rows = _placed(kind, "slot", hours)
    return f"SELECT {', '.join(_keys(kind))}, {sums} FROM ({rows}) GROUP BY ALL"


def _placed(table: str, column: str, ranges: Sequence[Interval], *, sign: bool = False) -> str:
    """Return the query of the rows of each range, with its place; `sign` has all count once."""
    more = "CAST(1 AS BIGINT) AS sign, " if sign else ""
    return " UNION ALL ".join(
        f"SELECT CAST({i} AS BIGINT) AS place, {more}* FROM {table} "
        f"WHERE {column} >= {first} AND {column} < {last}"
        for i, (first, last) in enumerate(ranges)
    )
