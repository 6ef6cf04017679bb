"""What one process has counted, and the sum of what several have."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_exporter.sidecar.window import EMPTY, Digest, pooled

Floats = NDArray[np.float64]

GREATEST = slice(2, 4)
"""Place of `Counters.last_ns` and `input_ns`: of these the greatest counts, not the sum."""


class Named(NamedTuple):
    """A section of the flat array with a slot a name; `OTHER` has the last."""

    start: int
    stop: int

    @property
    def limit(self) -> int:
        """How many names have a slot of their own."""
        return self.stop - self.start - 1

    def moved(self, counts: Floats, slots: Sequence[int]) -> Floats:
        """Return counts by slot with each named one in its new slot, `OTHER` where it was."""
        target = np.zeros(self.limit + 1)
        if counts.size:
            np.add.at(target, np.array(slots, dtype=np.int64), counts[: len(slots)])
            target[self.limit] += counts[self.limit]
        return target


UNNAMED: list[str] = []


class Tally(NamedTuple):
    """The counts of a process at one moment.

    Attributes
    ----------
    array
        Laid out as in `Counters`.
    classes, errors, extra
        The names of the slots taken, in their order: each process gives out its own.
    in_progress, window
        What is true of a living process only.
    """

    array: Floats
    classes: list[str]
    errors: list[str]
    in_progress: int = 0
    window: Digest = EMPTY
    extra: list[str] = UNNAMED

    def ended(self) -> "Tally":
        """Return what remains when the process has ended."""
        return self._replace(in_progress=0, window=EMPTY)


def granted(tallies: Iterable[list[str]], *, limit: int) -> list[str]:
    """Return the names that get a slot, those first that come first."""
    return list(dict.fromkeys(name for names in tallies for name in names))[:limit]


NO_NAMES = Named(0, 0)


def added(
    tallies: Sequence[Tally], *, classes: Named, errors: Named, extra: Named = NO_NAMES
) -> Tally:
    """Return the sum; where there are more names than slots, those of the first have them.

    What counts of the time of the newest call and input is the greatest; windows are pooled.
    """
    total = np.sum([tally.array for tally in tallies], axis=0)
    total[GREATEST] = np.max([tally.array[GREATEST] for tally in tallies], axis=0)
    class_names, class_slots = _named(total, tallies, [t.classes for t in tallies], classes)
    error_names, _ = _named(total, tallies, [t.errors for t in tallies], errors)
    extra_names, _ = _named(total, tallies, [t.extra for t in tallies], extra)
    windows = [
        tally.window.with_classes(classes.moved(tally.window.classes, slots))
        for tally, slots in zip(tallies, class_slots, strict=True)
    ]
    in_progress = sum(tally.in_progress for tally in tallies)
    return Tally(total, class_names, error_names, in_progress, pooled(windows), extra_names)


def _named(
    total: Floats, tallies: Sequence[Tally], names: list[list[str]], section: Named
) -> tuple[list[str], list[list[int]]]:
    """Sum a section by name; return the names that get a slot, and that of each tally's names."""
    places = slice(section.start, section.stop)
    found = granted(names, limit=section.limit)
    by_name = {name: slot for slot, name in enumerate(found)}
    slots = [[by_name.get(name, section.limit) for name in each] for each in names]
    total[places] = 0
    for tally, each in zip(tallies, slots, strict=True):
        total[places] += section.moved(tally.array[places], each)
    return found, slots
