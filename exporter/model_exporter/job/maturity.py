"""How far windows are shifted back, so that labels had time to come.

Under `maturity: auto` the shift follows from the records. Young predictions have had no time to
get slow labels; leaving them out wastes what they tell, and counting them as unlabelled makes
labels look quick or rare. The Kaplan-Meier estimate does neither: for each delay it asks which
share of those that were still unlabelled, and old enough to know, got their label then.

Some predictions never get a label, and nothing tells which. So coverage is not of all predictions
but of those that get a label within the longest shift allowed.

References
----------
Kaplan and Meier, Nonparametric estimation from incomplete observations, J. American Statistical
Association 53 (1958).
"""

import numpy as np
from numpy.typing import NDArray

from model_exporter.job.delays import delay_edges
from model_exporter.job.store import Store
from model_exporter.job.tables import HOUR

DAY = 24 * HOUR
MIN_PREDICTIONS = 30
"""Predictions that must be old enough to know, for a delay to be taken into account: the last few
of a Kaplan-Meier estimate decide all that lies beyond them."""

Counts = NDArray[np.int64]


def maturity_of(store: Store) -> int:
    """Return the shift of the windows of a model as of `store.now`, in microseconds.

    Estimated as of the last midnight (UTC), so that windows move at most once a day, and in whole
    hours. 0 as long as no label had come by then.
    """
    model = store.model
    longest = model.maturity.microseconds
    if model.maturity_coverage is None:
        return longest
    end = (store.now + 1) // DAY * DAY // HOUR
    reach = longest + max(window.microseconds for window in model.windows)
    predictions, delays = _by_hour(store, end - -(-reach // HOUR), end)
    edges = delay_edges()
    edges = edges[edges * 1_000_000 <= longest]
    curve = labeled_by(predictions, delays[:, : edges.size], edges)
    if not curve.size or not curve[-1]:
        return 0
    reached = edges[np.argmax(curve >= model.maturity_coverage * curve[-1])]
    return min(-(-int(np.ceil(reached * 1_000_000)) // HOUR) * HOUR, longest)


def labeled_by(
    predictions: Counts, delays: Counts, edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Estimate the share of predictions that are labelled by each delay.

    Parameters
    ----------
    predictions
        By hour of the prediction, shape (h,); the last hour ended at the instant of the estimate.
    delays
        Labelled predictions by hour and delay, shape (h, k).
    edges
        Upper end of each delay in seconds, shape (k,), ascending.

    Returns
    -------
    Shape (m,), m at most k: as far as `MIN_PREDICTIONS` or more are old enough to know.

    Examples
    --------
    Half of what is an hour old is labelled, and half of what then was not after three hours.

    >>> hours = np.array([40, 40, 40, 40, 40])
    >>> labeled = np.array([[20, 10], [20, 10], [20, 0], [20, 0], [0, 0]])
    >>> labeled_by(hours, labeled, np.array([3600.0, 3 * 3600.0]))
    array([0.5 , 0.75])
    """
    hours = np.maximum(predictions.size - np.ceil(edges / 3600).astype(np.int64), 0)
    known = np.concatenate([[0], predictions.cumsum()])[hours]
    enough = known >= MIN_PREDICTIONS
    so_far = np.vstack([np.zeros_like(delays[:1]), delays.cumsum(axis=0)])[hours]
    now = np.diagonal(so_far)
    left = known - (so_far.cumsum(axis=1).diagonal() - now)
    return np.asarray(1 - np.cumprod(1 - now[enough] / np.maximum(left[enough], 1)))


def _by_hour(store: Store, first: int, end: int) -> tuple[Counts, Counts]:
    """Return predictions by hour, and labelled ones by hour and bucket of their delay."""
    found = store.arrays(
        "SELECT slot, CASE stat WHEN 'delay' THEN CAST(key AS BIGINT) ELSE -1 END AS bucket, "
        "CAST(sum(value) AS BIGINT) AS rows FROM counts WHERE segment = '' "
        f"AND stat IN ('predictions', 'delay') AND slot >= {first} AND slot < {end} GROUP BY ALL"
    )
    counts = np.zeros((end - first, delay_edges().size + 1), dtype=np.int64)
    counts[found["slot"] - first, found["bucket"] + 1] = found["rows"]
    return counts[:, 0], counts[:, 1:]
