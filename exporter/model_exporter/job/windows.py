"""Windows as sums of tiles.

A window is (end - length, end], a cohort (now - oldest, now - youngest]: both are intervals of
time, and read as such. The hours that lie inside it whole come from tiles; what is left
at its two ends is computed from rows, so that a window is exact to the microsecond.

The sums are kept from one evaluation to the next: the rows that changed meanwhile are added to
them, what left an interval is taken away and what came into it is added. Whole numbers make that
exact, and the cost follows what is new.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from model_exporter.job.config import ModelConfig
from model_exporter.job.score_steps import LAST_STEP, STEPS_PER_LOG_ODDS
from model_exporter.job.store import Store
from model_exporter.job.tables import HOUR
from model_exporter.job.totals import (
    Group,
    Groups,
    Interval,
    Totals,
    TotalsReader,
    add_all,
    cut,
    within,
)
from model_exporter.records import ALL_VERSIONS, OTHER

MAX_SEGMENT_VALUES = 50
"""Values of a segment that are served by name; rarer ones are pooled."""
EXACT_ROWS = 50_000
"""Labelled rows up to which a window ranks by the scores themselves, not by steps of a grid."""
Moves = Mapping[str, Sequence[tuple[Interval, int]]]
"""By window: ranges to add to it (1) or to take away (-1)."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowTotals:
    """All groups of one interval, a window or a cohort; pooled versions included."""

    text: str
    interval: Interval
    groups: Mapping[Group, Totals]

    @property
    def rows(self) -> tuple[int, int]:
        """Predictions of all versions, and those of them that have a label."""
        versions = [
            totals
            for group, totals in self.groups.items()
            if not group.segment and group.version != ALL_VERSIONS
        ]
        predictions = sum(totals.count("predictions") for totals in versions)
        return predictions, sum(totals.count("labeled") for totals in versions)


class WindowReader:
    """Reads the windows of a store again and again.

    Attributes
    ----------
    store
        Nobody else may read the windows of it.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._reader = TotalsReader(store)
        self._sums: dict[str, tuple[Interval, Groups]] = {}

    def read(self, intervals: Mapping[str, Interval]) -> Iterator[WindowTotals]:
        """Yield the totals of each interval as of `store.now`.

        `intervals` are half-open, in microseconds, by a text of their own each: under the same one
        the next reading begins with the sums of this.
        """
        self._update(intervals)
        found = {
            text: {group: totals.copy() for group, totals in self._sums[text][1].items()}
            for text in intervals
        }
        self._rank(found, intervals)
        for text, interval in intervals.items():
            yield WindowTotals(text, interval, pool(found[text], self.store.model))

    def _update(self, intervals: Mapping[str, Interval]) -> None:
        """Bring the sums up to date, or make them."""
        before, self._sums = self._sums, {}  # where reading fails, all is read anew
        known = {
            text: before[text]
            for text, wanted in (intervals if self.store.fresh else {}).items()
            if text in before and _overlap(before[text][0], wanted)
        }
        sums = {text: known[text][1] if text in known else {} for text in intervals}
        moves = {
            text: _moves(known[text][0], wanted) if text in known else [(wanted, 1)]
            for text, wanted in intervals.items()
        }
        hours = _each(moves, lambda range_: [_whole_hours(range_)])
        ends = _each(moves, _ends)
        changes = {text: [(kept[0], 1)] for text, kept in known.items()}
        parts = _parts(hours)
        _add(sums, hours, parts, self._reader.hours(parts))
        parts, fresh = _parts(ends), _parts(changes)
        found = self._reader.pieces(parts, fresh)
        _add(sums, ends, parts, found[: len(parts)])
        _add(sums, changes, fresh, found[len(parts) :])
        self.store.watch()
        self._sums = {text: (intervals[text], groups) for text, groups in sums.items()}

    def _rank(self, found: Mapping[str, Groups], intervals: Mapping[str, Interval]) -> None:
        """Put the scores in the place of the steps of the grid."""
        small = [text for text in intervals if _labeled(found[text]) <= EXACT_ROWS]
        for text in intervals:
            for totals in found[text].values():
                if text in small:
                    totals.scores.clear()
                for name, (steps, *rows) in totals.scores.items():
                    totals.scores[name] = np.vstack([_score_of(steps), *rows])
        parts = cut(intervals[text] for text in small)
        for part, totals_of in zip(parts, self._reader.ranked(parts), strict=True):
            for text in small:
                if within(part, intervals[text]):
                    add_all(found[text], totals_of)


def _each(moves: Moves, parts_of: Callable[[Interval], Sequence[Interval]]) -> Moves:
    """Return some parts of each range, with its sign."""
    return {
        text: [(part, sign) for range_, sign in each for part in parts_of(range_)]
        for text, each in moves.items()
    }


def _parts(moves: Moves) -> list[Interval]:
    return cut(part for each in moves.values() for part, _ in each if part[0] < part[1])


def _add(
    sums: Mapping[str, Groups],
    moves: Moves,
    parts: Sequence[Interval],
    found: Sequence[Groups],
) -> None:
    """Add what was found in each of the parts to the windows whose moves it lies in."""
    for part, groups in zip(parts, found, strict=True):
        for text, each in moves.items():
            for moved, sign in each:
                if within(part, moved):
                    add_all(sums[text], groups, sign)


def _labeled(groups: Groups) -> int:
    return sum(totals.count("labeled") for group, totals in groups.items() if not group.segment)


def windows_of(model: ModelConfig, now: int, *, maturity: int) -> dict[str, Interval]:
    """Return the interval of each of the model's windows; times in microseconds."""
    end = now - maturity + 1
    return {window.text: (end - window.microseconds, end) for window in model.windows}


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


def pool(groups: Groups, model: ModelConfig) -> Groups:
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
