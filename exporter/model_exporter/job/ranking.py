"""Ranking among the first k rows of each request, from the labelled rows of a window."""

import numpy as np

from model_exporter.job.labeled_rows import labeled_versions, read_labeled
from model_exporter.job.measures import put_measure
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowTotals
from model_exporter.records import Task
from model_exporter.scores.ranked_lists import Lists, at_k, ranked

LIST = "CAST(g % 9223372036854775783 AS BIGINT) AS list"
"""Numpy has no whole numbers of 128 bits; a collision among 63 is not to be expected."""


def put_ranking(snapshot: Snapshot, store: Store, window: WindowTotals) -> None:
    """Put NDCG and precision at each configured k, by version and of all."""
    model = store.model
    for version in labeled_versions(window) if model.scoring.top_k else ():
        lists = _read(store, window, version)
        for k in model.scoring.top_k:
            labels = (model.name, version, window.text, str(k))
            found = at_k(lists, k)
            put_measure(snapshot, "model_ndcg_at_k", labels, found["ndcg"])
            put_measure(snapshot, "model_precision_at_k_ratio", labels, found["precision"])


def _read(store: Store, window: WindowTotals, version: str) -> Lists:
    """Return the lists of rows that have a request and a score."""
    model = store.model
    binary = model.task is Task.BINARY
    score = "p0" if binary else "predicted"
    columns = ("g IS NOT NULL AS known", LIST, f"{score} AS score", "label")
    found = read_labeled(store, window, version, columns=columns, by="g")
    scores = np.ma.filled(np.ma.asarray(found["score"], np.float64), np.nan)
    usable = np.asarray(found["known"], dtype=bool) & np.isfinite(scores)
    label = np.asarray(found["label"])
    gains = label == model.positive_label if binary else np.maximum(label, 0.0)
    groups = np.ma.filled(found["list"], 0).astype(np.int64)
    return ranked(groups[usable], scores[usable], gains[usable].astype(np.float64))
