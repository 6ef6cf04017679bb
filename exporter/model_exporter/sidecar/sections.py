"""The sections of the flat array whose slots have names: the values that a label has taken."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Section(StrEnum):
    """What the names of a section are."""

    CLASSES = "classes"
    ERROR_TYPES = "error_types"
    EXTRA_COLUMNS = "extra_columns"
    MEASURES = "measures"


LIMITS = {
    Section.CLASSES: 50,
    Section.ERROR_TYPES: 20,
    Section.EXTRA_COLUMNS: 20,
    Section.MEASURES: 20,
}
"""Names that have a slot of their own; beyond, they share the last slot, of `OTHER`."""

SlotNames = Mapping[Section, list[str]]
"""The names of the slots taken, in their order; a section may be left out that has none."""


class Place(NamedTuple):
    """Where a section is in the flat array."""

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


Places = Mapping[Section, Place]


def granted(names: Sequence[SlotNames], places: Places) -> dict[Section, list[str]]:
    """Return the names of each section that get a slot, those first that come first."""
    return {
        section: _first((each.get(section, ()) for each in names), limit=place.limit)
        for section, place in places.items()
    }


def _first(names: Iterable[Iterable[str]], *, limit: int) -> list[str]:
    return list(dict.fromkeys(name for each in names for name in each))[:limit]


def slots_of(names: SlotNames, section: Section, *, found: SlotNames, limit: int) -> list[int]:
    """Return the slots among those of `found` that the names of a section have."""
    by_name = {name: slot for slot, name in enumerate(found[section])}
    return [by_name.get(name, limit) for name in names.get(section, ())]
