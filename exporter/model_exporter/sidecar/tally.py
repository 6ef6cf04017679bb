"""What one process has counted, and the sum of what several have."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from model_exporter.sidecar.sections import (
    Floats,
    Places,
    Section,
    SlotNames,
    granted,
    slots_of,
)
from model_exporter.sidecar.window import EMPTY, Digest, pooled

GREATEST = slice(2, 4)
"""Place of `Counters.last_ns` and `input_ns`: of these the greatest counts, not the sum."""


class Tally(NamedTuple):
    """The counts of a process at one moment.

    Attributes
    ----------
    array
        Laid out as in `Counters`.
    names
        By section, in the order of the slots: each process gives out its own.
    in_progress, window
        What is true of a living process only.
    """

    array: Floats
    names: SlotNames
    in_progress: int = 0
    window: Digest = EMPTY

    def ended(self) -> "Tally":
        """Return what remains when the process has ended."""
        return self._replace(in_progress=0, window=EMPTY)


def added(tallies: Sequence[Tally], places: Places) -> Tally:
    """Return the sum; where there are more names than slots, those of the first have them.

    What counts of the time of the newest call and input is the greatest; windows are pooled.
    """
    total = np.sum([tally.array for tally in tallies], axis=0)
    total[GREATEST] = np.max([tally.array[GREATEST] for tally in tallies], axis=0)
    names = granted([tally.names for tally in tallies], places)
    for section, place in places.items():
        total[place.start : place.stop] = 0
        for tally in tallies:
            slots = slots_of(tally.names, section, found=names, limit=place.limit)
            counts = tally.array[place.start : place.stop]
            total[place.start : place.stop] += place.moved(counts, slots)
    windows = [_window(tally, names, places) for tally in tallies]
    return Tally(total, names, sum(t.in_progress for t in tallies), pooled(windows))


def _window(tally: Tally, names: SlotNames, places: Places) -> Digest:
    """Return a process's window with the classes in the slots that they have in the sum."""
    place = places[Section.CLASSES]
    slots = slots_of(tally.names, Section.CLASSES, found=names, limit=place.limit)
    return tally.window.with_classes(place.moved(tally.window.classes, slots))
