"""What is to be expected of a window's predictions, labelled or not.

Reads rows, as the drift statistics on values do. All that estimates need of them are sums (by
version, segment, predicted class and step of the score), so that tiles may hold them instead.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ibis
import numpy as np
from numpy.typing import NDArray

from model_exporter.baseline import Baseline
from model_exporter.estimates.rows import ExpectedRows, expected_rows
from model_exporter.job.bins import bin_of
from model_exporter.job.columns import binary_classes, feature_names, score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.relations import row_schema
from model_exporter.job.store import Store
from model_exporter.job.totals import Group, Totals
from model_exporter.job.windows import WindowTotals
from model_exporter.records import ALL_VERSIONS, OTHER, Subject, Task
from model_exporter.reference_errors import Calibration

MAX_ROWS = 100_000
"""Of larger windows a fixed sample by id is used; the bands are those of the sample."""

Column = NDArray[Any]
Mask = NDArray[np.bool_]
Parts = Mapping[Group, tuple[list[ExpectedRows], list[ExpectedRows]]]
"""By group: what all its predictions, and what those with a label, are expected to be; one part
for each version, since each may have a baseline of its own."""


def read_expected(store: Store, window: WindowTotals) -> Parts:
    """Return the expected rows of each group of a window of a classifier that logs scores."""
    rows = window.rows[0]
    if not rows or not score_classes(store.model):
        return {}
    found = store.arrays(_rows(store, window.interval, rows))
    columns = {name: _plain(column) for name, column in found.items()}
    names = _names(store.model, columns["predicted"])
    places = {name: i for i, name in enumerate(names)}
    columns["place"] = np.array([places.get(p, 0) for p in columns["predicted"]], dtype=np.int64)
    parts: dict[Group, tuple[list[ExpectedRows], list[ExpectedRows]]] = {}
    for version, baseline, inside in _versions(store.model, columns["version"]):
        for segment, value, chosen in _segments(window, store.model, columns, inside):
            every, labelled = parts.setdefault(Group(version, segment, value), ([], []))
            calibrations = baseline.errors.calibrations if baseline and baseline.errors else {}
            for target, rows_of in ((every, chosen), (labelled, chosen & columns["labelled"])):
                target.append(_expected(store.model, names, calibrations, columns, rows_of))
    return parts


def _versions(model: ModelConfig, versions: Column) -> Iterator[tuple[str, Baseline | None, Mask]]:
    """Yield each version; and all pooled, once for each baseline that some of them share."""
    shared: dict[str, tuple[Baseline | None, list[str]]] = {}
    for version in sorted(set(versions.tolist())):
        baseline = model.baseline(version)
        yield version, baseline, np.asarray(versions == version)
        key = baseline.checksum if baseline else ""
        shared.setdefault(key, (baseline, []))[1].append(version)
    for baseline, known in () if model.shadow else shared.values():
        yield ALL_VERSIONS, baseline, np.isin(versions, known)


def _segments(
    window: WindowTotals, model: ModelConfig, columns: Mapping[str, Column], inside: Mask
) -> Iterator[tuple[str, str, Mask]]:
    """Yield the whole, and each value of a segment; rare ones pooled as in the totals."""
    yield "", "", inside
    for i, segment in enumerate(model.segments):
        values = columns[f"s{i}"]
        pooled = {g.segment_value for g in window.groups if g.segment == segment}
        kept = sorted(pooled - {OTHER})
        masks = {value: inside & (values == value) for value in kept}
        known = {*kept, None}
        masks[OTHER] = inside & np.array([v not in known for v in values.tolist()], dtype=bool)
        yield from ((segment, value, chosen) for value, chosen in masks.items() if chosen.any())


def _rows(store: Store, interval: tuple[int, int], rows: int) -> str:
    model = store.model
    names = ["version", "predicted", *(f"p{i}" for i in range(len(score_classes(model))))]
    names += [f"s{i}" for i in range(len(model.segments))]
    inside = f"time >= {interval[0]} AND time < {interval[1]}"
    share = -(-rows // MAX_ROWS)
    if share > 1:
        inside += f" AND hash(key) % {share} = 0"
    source = "(SELECT *, true AS labelled FROM labeled)"
    if model.windows_by == "prediction_timestamp":
        known = f"SELECT key FROM labeled WHERE {inside}"
        source = (
            f"(SELECT *, ts AS time, key IN ({known}) AS labelled "
            f"FROM prediction WHERE ts <= {store.now})"
        )
    # Sorted, because sums of floats depend on their order in the last bit.
    return f"SELECT {', '.join(names)}, labelled FROM {source} WHERE {inside} ORDER BY ALL"


def _plain(column: Column) -> Column:
    """Return a column of the store with NaN or None where it holds null."""
    masked = np.ma.asarray(column)
    if masked.dtype.kind == "f":
        return np.ma.filled(masked, np.nan)
    return np.ma.filled(masked, None) if masked.dtype.kind == "O" else masked.data


def _names(model: ModelConfig, predicted: Column) -> tuple[str, ...]:
    """Return the classes: those with a score, and others that were predicted."""
    if model.task is Task.BINARY:
        positive = str(model.positive_label)
        others = sorted(set(predicted.tolist()) - {positive})
        return binary_classes(model) or (others[0] if others else OTHER, positive)
    return tuple(dict.fromkeys([*score_classes(model), *sorted(set(predicted.tolist()))]))


def _expected(
    model: ModelConfig,
    names: Sequence[str],
    calibrations: Mapping[str, Calibration],
    columns: Mapping[str, Column],
    inside: Mask,
) -> ExpectedRows:
    return expected_rows(
        names,
        predicted=columns["place"][inside].astype(np.int64),
        scores={
            name: columns[f"p{i}"][inside].astype(np.float64)
            for i, name in enumerate(score_classes(model))
        },
        calibrations=calibrations,
    )


def read_labelled_bins(store: Store, window: WindowTotals) -> dict[str, Totals]:
    """Return, by version, the labelled rows of a window of a regression model by bin.

    The counts are keyed as those of tiles, which hold them of all rows.
    """
    model = store.model
    rows = ibis.table(row_schema(model, features=True), name="labelled")
    subjects = [(Subject.PREDICTION, "", rows.predicted, None)]
    for i, name in enumerate(feature_names(model)):
        subjects.append((Subject.FEATURE, name, rows[f"f{i}"], rows[f"b{i}"]))
    parts = []
    for subject, name, value, index in subjects:
        key = bin_of(rows, value, subject, name, model, index=index).cast("string")
        place = rows.mutate(stat=ibis.literal(str(subject)), name=ibis.literal(name), key=key)
        parts.append(place.group_by(["version", "stat", "name", "key"]).agg(rows=place.count()))
    query = str(ibis.to_sql(ibis.union(*parts), dialect="duckdb"))
    start, end = window.interval
    known = (
        "SELECT CAST(1 AS BIGINT) AS sign, CAST(0 AS BIGINT) AS slot, p.* FROM prediction p "
        f"SEMI JOIN (SELECT key FROM labeled WHERE time >= {start} AND time < {end}) USING (key)"
    )
    found: dict[str, Totals] = {}
    sql = f"WITH labelled AS ({known}) SELECT * FROM ({query})"
    for version, stat, name, key, count in store.query(sql):
        found.setdefault(version, Totals()).counts[stat, name, key] = count
    return found
