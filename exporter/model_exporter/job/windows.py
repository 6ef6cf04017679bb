"""Windows as sums of tiles.

A window is (end - length, end]. The hours that lie inside it whole come from tiles; what is left
at its two ends is computed from rows, so that a window is exact to the microsecond.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model_exporter.job.config import ModelConfig
from model_exporter.job.statements import HOUR
from model_exporter.job.store import Store
from model_exporter.records import ALL_VERSIONS, OTHER

MAX_SEGMENT_VALUES = 50
"""Values of a segment that are served by name; rarer ones are pooled."""

Interval = tuple[int, int]


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
        By class: arrays of step, rows and positives.
    """

    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    sums: dict[tuple[str, str], tuple[int, dict[int, int]]] = field(default_factory=dict)
    scores: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def count(self, stat: str, name: str = "", key: str = "") -> int:
        """Return rows of one kind."""
        return self.counts.get((stat, name, key), 0)

    def keys(self, stat: str, name: str = "") -> dict[str, int]:
        """Return rows by key."""
        return {k: n for (s, m, k), n in self.counts.items() if s == stat and m == name and n}

    def add(self, other: "Totals") -> None:
        """Add the totals of other rows."""
        for place, count in other.counts.items():
            self.counts[place] = self.counts.get(place, 0) + count
        for term, (rows, parts) in other.sums.items():
            known, total = self.sums.get(term, (0, {}))
            merged = {e: total.get(e, 0) + parts.get(e, 0) for e in {*total, *parts}}
            self.sums[term] = (known + rows, merged)
        for name, steps in other.scores.items():
            if name in self.scores:
                steps = _merge_steps(np.hstack([self.scores[name], steps]))
            self.scores[name] = steps


@dataclass(frozen=True, slots=True, eq=False)
class WindowTotals:
    """All groups of one window, pooled versions included."""

    text: str
    interval: Interval
    groups: Mapping[Group, Totals]


def read_windows(store: Store) -> Iterator[WindowTotals]:
    """Yield the totals of each of the model's windows as of `store.now`."""
    model = store.model
    end = store.now - model.maturity.microseconds + 1
    intervals = [(end - window.microseconds, end) for window in model.windows]
    pieces = _pieces(intervals)
    with store.pieces(pieces):
        for window, interval in zip(model.windows, intervals, strict=True):
            groups = _read(store, interval, pieces)
            yield WindowTotals(window.text, interval, _pool(groups, model))


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


def _read(store: Store, interval: Interval, pieces: Sequence[Interval]) -> dict[Group, Totals]:
    ends = _ends(interval)
    used = [i for i, (a, b) in enumerate(pieces) if any(p[0] <= a and b <= p[1] for p in ends)]
    first, last = _whole_hours(interval)

    def union(kind: str) -> str:
        slots = ", ".join(map(str, used)) or "-1"
        return (
            f"(SELECT * FROM {kind} WHERE slot >= {first} AND slot < {last} "
            f"UNION ALL BY NAME SELECT * FROM piece_{kind} WHERE slot IN ({slots}))"
        )

    groups: dict[Group, Totals] = {}
    _read_counts(store, union("counts"), groups)
    _read_sums(store, union("sums"), groups)
    _read_scores(store, union("scores"), groups)
    return groups


def _read_counts(store: Store, source: str, groups: dict[Group, Totals]) -> None:
    sql = (
        "SELECT version, segment, segment_value, stat, name, key, CAST(sum(value) AS BIGINT) "
        f"FROM {source} GROUP BY ALL HAVING sum(value) <> 0"
    )
    for version, segment, value, stat, name, key, count in store.query(sql):
        totals = groups.setdefault(Group(version, segment, value), Totals())
        totals.counts[stat, name, key] = count


def _read_sums(store: Store, source: str, groups: dict[Group, Totals]) -> None:
    sql = (
        "SELECT version, segment, segment_value, stat, key, exponent, sum(value), "
        f"CAST(sum(rows) AS BIGINT) FROM {source} GROUP BY ALL HAVING sum(rows) <> 0"
    )
    for version, segment, value, stat, key, exponent, whole, rows in store.query(sql):
        totals = groups.setdefault(Group(version, segment, value), Totals())
        known, parts = totals.sums.setdefault((stat, key), (0, {}))
        parts[exponent] = int(whole)
        totals.sums[stat, key] = (known + rows, parts)


def _read_scores(store: Store, source: str, groups: dict[Group, Totals]) -> None:
    sql = (
        "SELECT version, segment, segment_value, class_name, step, "
        "CAST(sum(rows) AS BIGINT) AS rows, CAST(sum(positives) AS BIGINT) AS positives "
        f"FROM {source} GROUP BY ALL HAVING sum(rows) <> 0 ORDER BY ALL"
    )
    found = store.arrays(sql)
    names = [found[c] for c in ("version", "segment", "segment_value", "class_name")]
    steps = np.vstack([found["step"], found["rows"], found["positives"]]).astype(np.int64)
    size = steps.shape[1]
    changed = np.zeros(size, dtype=bool)
    for column in names:
        changed[1:] |= column[1:] != column[:-1]
    for part in np.split(np.arange(size), np.flatnonzero(changed)):
        if part.size:
            version, segment, value, name = (column[part[0]] for column in names)
            totals = groups.setdefault(Group(version, segment, value), Totals())
            totals.scores[name] = steps[:, part]


def _merge_steps(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    values, place = np.unique(steps[0], return_inverse=True)
    merged = np.zeros((3, values.size), dtype=np.int64)
    merged[0] = values
    np.add.at(merged[1], place, steps[1])
    np.add.at(merged[2], place, steps[2])
    return merged


def _pool(groups: dict[Group, Totals], model: ModelConfig) -> dict[Group, Totals]:
    """Pool rare segment values, then versions; there is always a total of the whole model."""
    pooled: dict[Group, Totals] = {Group(ALL_VERSIONS): Totals()}
    kept = {segment: _common_values(groups, segment) for segment in model.segments}
    for group in sorted(groups, key=lambda g: (g.version, g.segment, g.segment_value)):
        value = group.segment_value
        if group.segment and value not in kept[group.segment]:
            value = OTHER
        for version in (group.version, ALL_VERSIONS):
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
