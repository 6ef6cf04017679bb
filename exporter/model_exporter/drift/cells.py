"""Cells large enough for the chi-squared distribution to hold, and what is left over."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_EXPECTED = 5.0
"""Rows that a cell must be expected to hold on both sides; the usual rule of Cochran. The
statistic of `detect` keeps its level from here on, as the simulations in its tests show."""


def pooled(table: Floats) -> tuple[Floats, Floats | None]:
    """Pool the rare bins of a table of two rows (reference, window) by bins.

    A bin is rare where fewer than `LEAST_EXPECTED` rows are expected in either row if both came
    from one distribution. Rare bins are pooled in their order, so that numeric neighbours stay
    together, into cells that are just frequent enough. All this follows from the sums of both rows
    alone: pooling does not look at the difference that is tested.

    Returns
    -------
    cells
        The frequent bins, then the pools.
    rare
        What was left at the end and not frequent enough, shape (2,); it is in the least frequent
        cell, where a test of `cells` hardly sees it. None where nothing was left.
    """
    table = table[:, table.any(axis=0)]
    smaller = table.sum(axis=1).min() / table.sum()
    common = table.sum(axis=0) * smaller >= LEAST_EXPECTED
    cells = list(table[:, common].T)
    pool = np.zeros(2)
    for rare in table[:, ~common].T:
        pool = pool + rare
        if pool.sum() * smaller >= LEAST_EXPECTED:
            cells.append(pool)
            pool = np.zeros(2)
    if not pool.any():
        return np.column_stack(cells), None
    if not cells:
        return pool[:, None], pool
    least = min(range(len(cells)), key=lambda i: cells[i].sum())
    cells[least] = cells[least] + pool
    return np.column_stack(cells), pool
