"""How long labels take: the fine histogram of label delays that tiles count.

The delay of a prediction is the time to its first label that is not late. Its bucket grows with
it, sixteen to a doubling, so a tile holds few of them and a quantile is known within 4.5 %.
"""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from model_exporter.job.snapshot import Snapshot

BUCKETS_PER_DOUBLING = 16
LAST_BUCKET = 30 * BUCKETS_PER_DOUBLING
"""Delays beyond 34 years share the last bucket."""
LEVELS = (0.5, 0.9, 0.99)
_MICROSECONDS = 1_000_000


def delay_bucket(rows: ir.Table) -> ir.Value:
    """Return the bucket of the delay of labelled rows: i holds (edge i-1, edge i].

    Bucket 0 is up to a second, and negative delays: a label cannot come before its prediction, but
    its timestamp can.
    """
    delay = rows.first_ts - rows.ts
    doublings = (ibis.greatest(delay, _MICROSECONDS) / _MICROSECONDS).log2()
    return (doublings * BUCKETS_PER_DOUBLING).ceil().clip(upper=LAST_BUCKET).cast("int64")


def delay_edges() -> NDArray[np.float64]:
    """Return the upper end of each bucket in seconds, shape (`LAST_BUCKET` + 1,)."""
    return np.exp2(np.arange(LAST_BUCKET + 1) / BUCKETS_PER_DOUBLING)


def put_delays(snapshot: Snapshot, labels: tuple[str, str, str], delays: Mapping[str, int]) -> None:
    """Put the quantiles of a window, of labelled rows by bucket: the least edge that enough reach.

    An edge is at most 4.5 % above the exact quantile, or at a second. They are of labels that have
    come: of young predictions only the quick ones have.
    """
    counts = np.zeros(LAST_BUCKET + 1, dtype=np.int64)
    for bucket, count in delays.items():
        counts[int(bucket)] = count
    running = counts.cumsum()
    if not running[-1]:
        return
    for level in LEVELS:
        edge = delay_edges()[np.searchsorted(running, level * running[-1])]
        snapshot.put("model_label_delay_quantile_seconds", (*labels, str(level)), float(edge))
