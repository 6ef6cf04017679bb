"""What one process has counted, and the sum of what several have."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_exporter.sidecar.window import EMPTY, Digest, pooled

Floats = NDArray[np.float64]

LAST_NS = 2
"""Place of `Counters.last_ns`: the one number of which the greatest counts, not the sum."""


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


class Tally(NamedTuple):
    """The counts of a process at one moment.

    Attributes
    ----------
    array
        Laid out as in `Counters`.
    classes, errors
        The names of the slots taken, in their order: each process gives out its own.
    in_progress, window
        What is true of a living process only.
    """

    array: Floats
    classes: list[str]
    errors: list[str]
    in_progress: int = 0
    window: Digest = EMPTY

    def ended(self) -> "Tally":
        """Return what remains when the process has ended."""
        return self._replace(in_progress=0, window=EMPTY)


def granted(tallies: Iterable[list[str]], *, limit: int) -> list[str]:
    """Return the names that get a slot, those first that come first."""
    return list(dict.fromkeys(name for names in tallies for name in names))[:limit]


def added(tallies: Sequence[Tally], *, classes: Named, errors: Named) -> Tally:
    """Return the sum; where there are more names than slots, those of the first have them.

    What counts of the time of the newest call is the greatest; windows are pooled.
    """
    total = np.sum([tally.array for tally in tallies], axis=0)
    total[LAST_NS] = max(tally.array[LAST_NS] for tally in tallies)
    class_names = granted((t.classes for t in tallies), limit=classes.limit)
    error_names = granted((t.errors for t in tallies), limit=errors.limit)
    total[classes.start : classes.stop] = 0
    total[errors.start : errors.stop] = 0
    class_slots = {name: slot for slot, name in enumerate(class_names)}
    error_slots = {name: slot for slot, name in enumerate(error_names)}
    windows = []
    for tally in tallies:
        slots = [class_slots.get(name, classes.limit) for name in tally.classes]
        counts = tally.array[classes.start : classes.stop]
        total[classes.start : classes.stop] += classes.moved(counts, slots)
        windows.append(tally.window.with_classes(classes.moved(tally.window.classes, slots)))
        slots = [error_slots.get(name, errors.limit) for name in tally.errors]
        counts = tally.array[errors.start : errors.stop]
        total[errors.start : errors.stop] += errors.moved(counts, slots)
    return Tally(
        total, class_names, error_names, sum(t.in_progress for t in tallies), pooled(windows)
    )
