"""The labelled rows of a window, for scores that no sums can give."""

from collections.abc import Mapping, Sequence
from typing import Any

from model_exporter.job.store import Store
from model_exporter.job.windows import WindowTotals
from model_exporter.records import ALL_VERSIONS

MAX_ROWS = 100_000
"""Of larger windows a fixed sample is read: memory is bounded, and the standard error of a share
among so many rows is below 0.002."""


def labeled_versions(window: WindowTotals) -> Mapping[str, int]:
    """Return the labelled rows of each version, and of all; those without any are left out."""
    counts = {g.version: t.count("labeled") for g, t in window.groups.items() if not g.segment}
    return {version: count for version, count in counts.items() if count}


def read_labeled(
    store: Store, window: WindowTotals, version: str, *, columns: Sequence[str], by: str = "key"
) -> Mapping[str, Any]:
    """Return columns of the labelled rows, in an order that depends on the ids alone.

    A sample is of whole groups of the column `by`.
    """
    count = labeled_versions(window).get(version, 0)
    conditions = [f"time >= {window.interval[0]}", f"time < {window.interval[1]}"]
    parameters = {}
    if version != ALL_VERSIONS:
        conditions.append("version = $version")
        parameters["version"] = version
    if count > MAX_ROWS:
        conditions.append(f"{by} % {-(-count // MAX_ROWS)} = 0")
    sql = f"SELECT {', '.join(columns)} FROM labeled WHERE {' AND '.join(conditions)} ORDER BY key"
    return store.arrays(sql, parameters)
