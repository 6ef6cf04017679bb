"""Raw values of a window, for the drift statistics that are exact on values."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import NumericDistribution
from model_exporter.job.columns import feature_names, score_classes
from model_exporter.job.pairing import placed_by_label
from model_exporter.job.store import Store
from model_exporter.records import ALL_VERSIONS, Subject, Task

MAX_ROWS = 100_000
"""Of larger windows a fixed sample by id is used: its Kolmogorov-Smirnov distance is within about
0.004 of the window's."""

Values = dict[tuple[str, str], NDArray[np.float64]]


def read_values(store: Store, interval: tuple[int, int], version: str, rows: int) -> Values:
    """Return the finite values of each numeric subject in a window, sorted.

    Only of subjects whose baseline kept its own values: without them there is nothing to compare
    with but bins.
    """
    columns = _columns(store, version)
    if not columns:
        return {}
    conditions = [f"time >= {interval[0]}", f"time < {interval[1]}"]
    if version != ALL_VERSIONS:
        conditions.append("version = $version")
    if rows > MAX_ROWS:
        conditions.append(f"hash(key) % {-(-rows // MAX_ROWS)} = 0")
    parameters = {"version": version} if version != ALL_VERSIONS else {}
    found: dict[str, Any] = {}
    for source, names in _sources(store, columns.values()).items():
        sql = f"SELECT {', '.join(names)} FROM {source} WHERE {' AND '.join(conditions)}"
        found |= store.arrays(sql, parameters) if names else {}
    return {subject: _finite(found[name]) for subject, name in columns.items()}


def _sources(store: Store, columns: Iterable[str]) -> dict[str, list[str]]:
    """Return where the columns are read: of labelled rows, or of all predictions."""
    predictions = f"(SELECT *, ts AS time FROM prediction WHERE ts <= {store.now})"
    if store.model.windows_by == "label_timestamp":
        predictions = placed_by_label(store.model)
    names = list(columns)
    return {
        "labeled": [name for name in names if name == "label"],
        predictions: [name for name in names if name != "label"],
    }


def _columns(store: Store, version: str) -> dict[tuple[str, str], str]:
    model = store.model
    baseline = model.baseline(version)
    assert baseline is not None
    wanted = {(Subject.FEATURE, n): f"f{i}" for i, n in enumerate(feature_names(model))}
    wanted |= {(Subject.SCORE, n): f"p{i}" for i, n in enumerate(score_classes(model))}
    if model.task is Task.REGRESSION:
        wanted[Subject.PREDICTION, ""] = "predicted"
        wanted[Subject.LABEL, ""] = "label"
    found = {}
    for (subject, name), column in wanted.items():
        distribution = baseline.distribution(subject, name)
        if isinstance(distribution, NumericDistribution) and distribution.values.size:
            found[str(subject), name] = column
    return found


def _finite(column: NDArray[np.float64]) -> NDArray[np.float64]:
    plain = np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan)
    return np.sort(plain[np.isfinite(plain)])
