"""Windows as sums of tiles.

A window is (end - length, end]. The hours that lie inside it whole come from tiles; what is left
at its two ends is computed from rows, so that a window is exact to the microsecond.

The sums of the whole hours are kept from one evaluation to the next: what was added to the tiles
meanwhile is added to them, hours that left are taken away and hours that came are added. Whole
numbers make that exact, and the cost follows what is new.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from model_exporter.job.columns import score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.statements import HOUR
from model_exporter.job.store import Store
from model_exporter.job.tiles import LAST_STEP, STEPS_PER_LOG_ODDS, score_counts
from model_exporter.records import ALL_VERSIONS, OTHER

MAX_SEGMENT_VALUES = 50
"""Values of a segment that are served by name; rarer ones are pooled."""
EXACT_ROWS = 100_000
"""Labelled rows up to which a window ranks by the scores themselves, not by steps of a grid."""
FRESH_ROWS = 500_000
"""Additions to the tiles beyond which the windows are summed anew."""

Interval = tuple[int, int]
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
            if known + sign * rows:
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


@dataclass(frozen=True, slots=True, eq=False)
class WindowTotals:
    """All groups of one window, pooled versions included."""

    text: str
    interval: Interval
    groups: Mapping[Group, Totals]


class WindowReader:
    """Reads the windows of a store again and again.

    Attributes
    ----------
    store
        Nobody else may read the windows of it.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        model = store.model
        scored = bool(score_classes(model))
        self._exact = score_counts(model, exact=True) if scored else None
        self._steps = score_counts(model, exact=False) if scored else None
        self._sums: dict[str, tuple[Interval, Groups]] = {}

    def read(self) -> Iterator[WindowTotals]:
        """Yield the totals of each of the model's windows as of `store.now`."""
        model = self.store.model
        end = self.store.now - model.maturity.microseconds + 1
        intervals = [(end - window.microseconds, end) for window in model.windows]
        pieces = _pieces(intervals)
        fresh = self._fresh()
        self._sums, before = {}, self._sums  # where reading fails, all is read anew
        sums = {
            window.text: self._whole_hours(_whole_hours(interval), before.get(window.text), fresh)
            for window, interval in zip(model.windows, intervals, strict=True)
        }
        self.store.watch()
        with self.store.pieces(pieces):
            for window, interval in zip(model.windows, intervals, strict=True):
                groups = self._with_ends(sums[window.text][1], interval, pieces)
                self._rank(groups, interval)
                yield WindowTotals(window.text, interval, _pool(groups, model))
        self._sums = sums

    def _fresh(self) -> bool:
        """Tell whether the sums can be brought up to date with what was added since."""
        if not self.store.fresh:
            return False
        sizes = "SELECT (SELECT count(*) FROM fresh_counts), (SELECT count(*) FROM fresh_labeled)"
        return bool(max(self.store.query(sizes)[0]) < FRESH_ROWS)

    def _whole_hours(
        self, hours: Interval, before: tuple[Interval, Groups] | None, fresh: bool
    ) -> tuple[Interval, Groups]:
        """Return the totals of some whole hours, from those of an earlier range where possible."""
        if before is None or not fresh or not _overlap(before[0], hours):
            groups: Groups = {}
            self._add(groups, "{}", hours)
            return hours, groups
        known, groups = before
        self._add(groups, "fresh_{}", known)
        for (first, last), sign in _moves(known, hours):
            self._add(groups, "{}", (first, last), sign)
        return hours, groups

    def _add(self, groups: Groups, table: str, hours: Interval, sign: int = 1) -> None:
        first, last = hours
        if first >= last:
            return
        inside = f"slot >= {first} AND slot < {last}"
        _read_counts(self.store, f"{table.format('counts')} WHERE {inside}", groups, sign)
        _read_sums(self.store, f"{table.format('sums')} WHERE {inside}", groups, sign)
        if self._steps is not None:
            rows = "SELECT CAST(1 AS BIGINT) AS sign, * FROM labeled "
            rows += f"WHERE time >= {first * HOUR} AND time < {last * HOUR}"
            if table != "{}":
                rows = f"SELECT * FROM {table.format('labeled')} WHERE {inside}"
            _read_scores(self.store, self._steps, rows, groups, sign)

    def _with_ends(self, whole: Groups, interval: Interval, pieces: Sequence[Interval]) -> Groups:
        """Return a copy of the totals of whole hours, with the parts of hours at the ends."""
        groups: Groups = {}
        for group, totals in whole.items():
            groups.setdefault(group, Totals()).add(totals)
        ends = _ends(interval)
        used = [i for i, (a, b) in enumerate(pieces) if any(p[0] <= a and b <= p[1] for p in ends)]
        inside = f"slot IN ({', '.join(map(str, used)) or '-1'})"
        _read_counts(self.store, f"piece_counts WHERE {inside}", groups)
        _read_sums(self.store, f"piece_sums WHERE {inside}", groups)
        if self._steps is not None:
            rows = f"SELECT * FROM delta_labeled WHERE {inside}"
            _read_scores(self.store, self._steps, rows, groups)
        return groups

    def _rank(self, groups: Groups, interval: Interval) -> None:
        """Put the scores in the place of the steps of the grid."""
        if self._exact is None:
            return
        whole = [totals.count("labeled") for group, totals in groups.items() if not group.segment]
        if sum(whole) > EXACT_ROWS:
            for totals in groups.values():
                for steps in totals.scores.values():
                    steps[0] = _score_of(steps[0])
            return
        for totals in groups.values():
            totals.scores.clear()
        rows = "SELECT CAST(1 AS BIGINT) AS sign, * FROM labeled "
        rows += f"WHERE time >= {interval[0]} AND time < {interval[1]}"
        _read_scores(self.store, self._exact, rows, groups)


def read_windows(store: Store) -> Iterator[WindowTotals]:
    """Yield the totals of each of the model's windows, once."""
    return WindowReader(store).read()


def _overlap(one: Interval, other: Interval) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _moves(known: Interval, wanted: Interval) -> list[tuple[Interval, int]]:
    """Return the ranges to add (1) and to take away (-1) from one interval to reach another."""
    (a, b), (c, d) = known, wanted
    moves = [((c, a), 1), ((b, d), 1), ((a, c), -1), ((d, b), -1)]
    return [(part, sign) for part, sign in moves if part[0] < part[1]]


def _score_of(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middle of each step of the grid; 0 and 1 are themselves."""
    scores = expit((steps + 0.5) / STEPS_PER_LOG_ODDS)
    scores[steps < -LAST_STEP] = 0.0
    scores[steps > LAST_STEP] = 1.0
    return np.asarray(scores, dtype=np.float64)


def _whole_hours(interval: Interval) -> Interval:
    return -(-interval[0] // HOUR), interval[1] // HOUR


def _ends(interval: Interval) -> list[Interval]:
    """Return the parts of an interval that no whole hour covers."""
    start, end = interval
    first, last = _whole_hours(interval)
    if first >= last:
        return [interval]
    return [part for part in ((start, first * HOUR), (last * HOUR, end)) if part[0] < part[1]]


def _pieces(intervals: Iterable[Interval]) -> list[Interval]:
    """Cut the ends of all windows into disjoint intervals."""
    ends = [part for interval in intervals for part in _ends(interval)]
    cuts = sorted({bound for part in ends for bound in part})
    candidates = itertools.pairwise(cuts)
    return [(a, b) for a, b in candidates if any(p[0] <= a and b <= p[1] for p in ends)]


def _read_counts(store: Store, source: str, groups: Groups, sign: int = 1) -> None:
    sql = (
        "SELECT version, segment, segment_value, stat, name, key, CAST(sum(value) AS BIGINT) "
        f"FROM {source} GROUP BY ALL HAVING sum(value) <> 0"
    )
    found: Groups = {}
    for version, segment, value, stat, name, key, count in store.query(sql):
        totals = found.setdefault(Group(version, segment, value), Totals())
        totals.counts[stat, name, key] = count
    _add_all(groups, found, sign)


def _read_sums(store: Store, source: str, groups: Groups, sign: int = 1) -> None:
    sql = (
        "SELECT version, segment, segment_value, stat, key, exponent, sum(value), "
        f"CAST(sum(rows) AS BIGINT) FROM {source} GROUP BY ALL"
    )
    found: Groups = {}
    for version, segment, value, stat, key, exponent, whole, rows in store.query(sql):
        totals = found.setdefault(Group(version, segment, value), Totals())
        known, parts = totals.sums.setdefault((stat, key), (0, {}))
        parts[exponent] = int(whole)
        totals.sums[stat, key] = (known + rows, parts)
    _add_all(groups, found, sign)


def _read_scores(store: Store, counts: str, rows: str, groups: Groups, sign: int = 1) -> None:
    """Add the scores of some signed rows, by `counts`, the query of `tiles.score_counts`."""
    columns = "version, segment, segment_value, class_name, score"
    found = store.arrays(
        f"WITH scored AS ({rows}) SELECT {columns}, rows, positives FROM ({counts}) "
        f"WHERE rows <> 0 OR positives <> 0 ORDER BY {columns}"
    )
    names = [found[c] for c in ("version", "segment", "segment_value", "class_name")]
    steps = np.vstack([found["score"], found["rows"], found["positives"]]).astype(np.float64)
    size = steps.shape[1]
    changed = np.zeros(size, dtype=bool)
    for column in names:
        changed[1:] |= column[1:] != column[:-1]
    read: Groups = {}
    for part in np.split(np.arange(size), np.flatnonzero(changed)):
        if part.size:
            version, segment, value, name = (column[part[0]] for column in names)
            totals = read.setdefault(Group(version, segment, value), Totals())
            totals.scores[name] = steps[:, part]
    _add_all(groups, read, sign)


def _add_all(groups: Groups, found: Groups, sign: int) -> None:
    for group, totals in found.items():
        known = groups.setdefault(group, Totals())
        known.add(totals, sign)
        if not (known.counts or known.sums or known.scores):
            del groups[group]


def _merge_steps(steps: Steps) -> Steps:
    values, place = np.unique(steps[0], return_inverse=True)
    rows = np.bincount(place, weights=steps[1], minlength=values.size)
    positives = np.bincount(place, weights=steps[2], minlength=values.size)
    left = (rows != 0) | (positives != 0)
    return np.vstack([values[left], rows[left], positives[left]])


def _pool(groups: Groups, model: ModelConfig) -> Groups:
    """Pool rare segment values, then versions; there is always a total of the whole model.

    Versions that shadow each other are not pooled: every id would count several times.
    """
    pooled: Groups = {} if model.shadow else {Group(ALL_VERSIONS): Totals()}
    kept = {segment: _common_values(groups, segment) for segment in model.segments}
    for group in sorted(groups, key=lambda g: (g.version, g.segment, g.segment_value)):
        value = group.segment_value
        if group.segment and value not in kept[group.segment]:
            value = OTHER
        for version in (group.version,) if model.shadow else (group.version, ALL_VERSIONS):
            target = Group(version, group.segment, value)
            pooled.setdefault(target, Totals()).add(groups[group])
    return pooled


def _common_values(groups: Mapping[Group, Totals], segment: str) -> set[str]:
    sizes: dict[str, int] = {}
    for group, totals in groups.items():
        if group.segment == segment:
            count = totals.count("predictions")
            sizes[group.segment_value] = sizes.get(group.segment_value, 0) + count
    by_size = sorted(sizes, key=lambda value: (-sizes[value], value))
    return set(by_size[:MAX_SEGMENT_VALUES])
