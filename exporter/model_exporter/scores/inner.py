"""Sums of products over the places of a histogram."""

from typing import Any

from numpy.typing import NDArray


def inner(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the sum of the products of two vectors.

    ``one @ other`` hands long vectors to the threads of BLAS. On a busy machine these cost a
    thousand times what they spare, and the last bit of the sum depends on how many there are.
    """
    return float((one * other).sum())
