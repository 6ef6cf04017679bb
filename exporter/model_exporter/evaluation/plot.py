"""A feature's distribution against the reference, as a picture; needs matplotlib."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

REFERENCE_COLOUR = "#8a8f98"
CURRENT_COLOUR = "#3274d9"
TURNED_FROM = 6
"""Names of bins beyond which they are turned, not to run into each other."""


def bars(
    names: Sequence[str],
    reference: NDArray[Any],
    current: NDArray[Any],
    *,
    title: str,
    axes: Any = None,
) -> Any:
    """Draw the share of each bin on both sides, and return matplotlib's axes.

    Parameters
    ----------
    reference, current
        Counts by bin, of the length of `names`.
    axes
        Where to draw; by default a new figure.
    """
    if axes is None:
        from matplotlib.figure import Figure  # not pyplot: it keeps every figure alive

        axes = Figure(figsize=(7, 3.2), layout="constrained").subplots()
    places = np.arange(len(names))
    for counts, label, shift, colour in (
        (reference, "baseline", -0.2, REFERENCE_COLOUR),
        (current, "current", 0.2, CURRENT_COLOUR),
    ):
        shares = counts / max(1, counts.sum())
        axes.bar(
            places + shift, shares, 0.4, label=f"{label}, {counts.sum():,.0f} rows", color=colour
        )
    turned = len(names) > TURNED_FROM
    axes.set_xticks(places, names, rotation=30 if turned else 0, ha="right" if turned else "center")
    axes.set_ylabel("share of rows")
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return axes
