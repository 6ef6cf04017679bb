"""Keeps a forked child from counting, logging or serving what belongs to its parent."""

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Has state that a forked child must not share."""

    def after_fork(self) -> None:
        """Forget the parent's state; runs in the child, before anything else does."""


_forkables: "weakref.WeakSet[Forkable]" = weakref.WeakSet()


def track(forkable: Forkable) -> None:
    """Call `forkable.after_fork()` in every child forked while it lives."""
    _forkables.add(forkable)


def _after_fork() -> None:
    for forkable in list(_forkables):
        forkable.after_fork()


if hasattr(os, "register_at_fork"):
    # A registration cannot be undone, so there is one for the whole module.
    os.register_at_fork(after_in_child=_after_fork)
