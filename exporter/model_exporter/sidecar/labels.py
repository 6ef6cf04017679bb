"""Label values: cleaned, bounded in length and in number."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from model_exporter.distribution import OPPOSITES, TRUTHS, category_text
from model_exporter.records import OTHER

MAX_LENGTH = 64
MAX_CACHED = 1024
"""Distinct raw values remembered by a `Lookup`; more are looked up anew each time."""


def clean_label(text: str) -> str:
    """Return `text` without control characters and lone surrogates, cut to `MAX_LENGTH`.

    Examples
    --------
    >>> clean_label("rain" + chr(10) + chr(0) + "fall"), len(clean_label("x" * 100))
    ('rainfall', 64)
    """
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return text[:MAX_LENGTH] or OTHER


def class_namer(
    classes: Iterable[str], *, positive_label: str | None
) -> Callable[[Any], str | None]:
    """Return what gives the text of a predicted class; None for a missing one.

    For a binary model True and False are the classes they stand for, as they are to the baseline
    and the job.

    Examples
    --------
    >>> name = class_namer(["no", "yes"], positive_label="yes")
    >>> [name(value) for value in (True, "no", 1.0, None)]
    ['yes', 'no', '1', None]
    """
    if positive_label is None or positive_label.lower() in TRUTHS:
        return category_text
    negative = opposite(positive_label, classes)
    if negative is None:
        return category_text
    truths = {"true": positive_label, "false": negative}

    def name(value: Any) -> str | None:
        text = category_text(value)
        return None if text is None else truths.get(text.lower(), text)

    return name


def opposite(positive_label: str, classes: Iterable[str]) -> str | None:
    """Return the other class of a binary model; None where it is not known.

    Examples
    --------
    >>> opposite("yes", ["no", "yes"]), opposite("1", []), opposite("yes", [])
    ('no', '0', None)
    """
    others = {c for c in classes if c.lower() not in TRUTHS} - {positive_label}
    return others.pop() if len(others) == 1 else OPPOSITES.get(positive_label)


class Names:
    """The values a label has taken, each with a slot; beyond `limit` they share the last slot.

    Parameters
    ----------
    known
        Values that exist from the start.
    """

    def __init__(self, known: Iterable[str] = (), *, limit: int) -> None:
        self.limit = limit
        self._slots: dict[str, int] = {}
        self._known = tuple(known)
        self.reset()

    def reset(self) -> None:
        """Forget all but the known values."""
        self._slots.clear()
        for text in self._known:
            self.slot(text)

    @property
    def size(self) -> int:
        """Slots to reserve: one for each value and one for `OTHER`."""
        return self.limit + 1

    def slot(self, text: str) -> int:
        """Return the slot of a value, a new one while there are any."""
        label = clean_label(text)
        found = self._slots.get(label)
        if found is not None:
            return found
        if len(self._slots) >= self.limit or label == OTHER:
            return self.limit
        self._slots[label] = len(self._slots)
        return self._slots[label]

    @property
    def taken(self) -> list[str]:
        """The values that have a slot of their own, in the order of the slots."""
        return list(self._slots)

    def items(self) -> list[tuple[str, int]]:
        """Return the values taken with their slots, then `OTHER` with its own."""
        return [*self._slots.items(), (OTHER, self.limit)]


class Lookup:
    """Maps raw values to whole numbers, many at once.

    Remembers what it resolved, by type and value: 1, 1.0 and True are equal in Python, but True
    is another category. A column of one type, the usual case, costs one dictionary access a value.
    """

    def __init__(self, resolve: Callable[[Any], int]) -> None:
        self._resolve = resolve
        self._caches: dict[type, dict[Any, int]] = {}

    def __call__(self, values: Sequence[Any]) -> list[int]:
        """Return the number of each value."""
        kinds = set(map(type, values))
        if len(kinds) == 1:
            try:
                cache = self._caches.setdefault(kinds.pop(), {})
                found = list(map(cache.get, values))
            except Exception:  # not hashable: most raise TypeError, but any object may come
                return list(map(self._resolve, values))
            if None not in found:
                return found  # type: ignore[return-value]
        return list(map(self._one, values))

    def _one(self, value: Any) -> int:
        cache = self._caches.setdefault(type(value), {})
        try:
            number = cache.get(value)
        except Exception:
            return self._resolve(value)
        if number is None:
            number = self._resolve(value)
            if len(cache) < MAX_CACHED:
                cache[value] = number
        return number
