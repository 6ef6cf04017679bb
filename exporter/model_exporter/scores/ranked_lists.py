"""How good the order is in which rows of one request are shown: NDCG and precision at k."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_exporter.records import Estimate
from model_exporter.scores.intervals import bounded, wilson

Floats = NDArray[np.float64]

DRAWN = 4.0
"""Lists with the widest spread there can be at a mean, added before the variance is taken: few
lists near the best order show too little spread. 0 covered 80 % of 50 lists at a mean of 0.996,
4 covers 97 %."""


class Lists(NamedTuple):
    """Rows of ranked lists, each list from the highest score down; all of shape (n,).

    Attributes
    ----------
    list
        The number of the row's list, 0 to m - 1, ascending.
    tie
        The number of the row among those of unlike list or score, ascending.
    position
        Of the row in its list, from 0.
    gain
        How relevant the row is, 0 or more.
    """

    list: NDArray[np.int64]
    tie: NDArray[np.int64]
    position: NDArray[np.int64]
    gain: Floats


def ranked(groups: NDArray[np.int64], scores: Floats, gains: Floats) -> Lists:
    """Sort rows into lists; all arguments have shape (n,), and groups any order."""
    order = np.lexsort((-scores, groups))
    groups, scores, gains = groups[order], scores[order], gains[order]
    first = np.ones(groups.size, dtype=bool)
    first[1:] = groups[1:] != groups[:-1]
    unlike = first.copy()
    unlike[1:] |= scores[1:] != scores[:-1]
    number = np.cumsum(first) - 1
    position = np.arange(groups.size) - np.flatnonzero(first)[number]
    return Lists(number, np.cumsum(unlike) - 1, position, gains)


def at_k(lists: Lists, k: int) -> Mapping[str, Estimate | None]:
    """Return the means over lists of NDCG and precision among the first k rows, 0 to 1.

    ``ndcg`` is sum(gain / log2(position + 2)) over that of the best order, of lists with a gain
    at all; ``precision`` the share of the k places that hold a row with a gain, so that a list of
    less than k rows has less. Both take rows of equal score at the mean over their orders, and
    are None without lists. Mislead where only rows that were shown get a label. The interval is
    Wilson's with the effective number of lists, which are taken as independent. It covers 93 to
    97 % of 50 to 5,000 lists, and 90 % where nearly every list is perfect (a mean above 0.99): the
    few that are not decide.

    Examples
    --------
    >>> lists = ranked(
    ...     np.array([7, 7, 7, 8, 8]), np.array([0.9, 0.5, 0.1, 0.8, 0.7]),
    ...     np.array([0.0, 1.0, 0.0, 1.0, 0.0]),
    ... )
    >>> {name: round(e.value, 3) for name, e in at_k(lists, 2).items()}
    {'ndcg': 0.815, 'precision': 0.5}

    References
    ----------
    Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, ACM Trans. Inf.
    Syst. 20 (2002) 422-446. McSherry and Najork, Computing information retrieval performance
    measures efficiently in the presence of tied scores, ECIR 2008.
    """
    count = int(lists.list[-1]) + 1 if lists.list.size else 0
    inside = lists.position < k
    weights = np.where(inside, 1 / np.log2(lists.position + 2), 0.0)
    best = np.lexsort((-lists.gain, lists.list))
    ideal = np.bincount(lists.list, lists.gain[best] * weights, minlength=count)
    reached = _over_ties(lists, lists.gain, weights, count)
    hits = _over_ties(lists, (lists.gain > 0).astype(np.float64), inside.astype(np.float64), count)
    useful = ideal > 0
    return {"ndcg": _mean(reached[useful] / ideal[useful]), "precision": _mean(hits / k)}


def _over_ties(lists: Lists, gains: Floats, weights: Floats, count: int) -> Floats:
    """Return by list the sum of gain times weight, the gain being the mean of its tie."""
    mean = np.bincount(lists.tie, gains) / np.maximum(np.bincount(lists.tie), 1)
    total = np.bincount(lists.list, mean[lists.tie] * weights, minlength=count)
    return np.asarray(total, dtype=np.float64)


def _mean(values: Floats) -> Estimate | None:
    if not values.size:
        return None
    value = min(1.0, float(values.mean()))
    widest = value * (1 - value)
    trials = float(values.size)
    if widest > 0:
        squares = float(((values - value) ** 2).sum())
        spread = (squares + DRAWN * widest) / (values.size - 1 + DRAWN)
        trials = max(1.0, widest / spread * values.size)
    return bounded(value, wilson(value, trials))
