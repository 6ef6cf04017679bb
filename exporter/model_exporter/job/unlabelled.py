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
from model_exporter.estimates.rows import ExpectedRows, UnlabelledRows
from model_exporter.job.bins import bin_of
from model_exporter.job.columns import (
    binary_classes,
    feature_names,
    score_classes,
    sql_text,
)
from model_exporter.job.config import ModelConfig
from model_exporter.job.relations import row_schema
from model_exporter.job.store import Store
from model_exporter.job.totals import Group, Totals
from model_exporter.job.windows import WindowTotals
from model_exporter.records import ALL_VERSIONS, OTHER, Subject, Task

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
    known = _known(window, store.model)
    found = store.arrays(_rows(store, window.interval, rows, known))
    plain = {name: _plain(column) for name, column in found.items()}
    scores = [plain[f"p{i}"] for i in range(len(score_classes(store.model)))]
    # Sums of floats depend on their order in the last bit. A plain sort takes a sixth of the time.
    order = np.lexsort(scores) if len(scores) > 1 else scores[0].argsort()
    columns = {name: column[order] for name, column in plain.items()}
    predicted = [known["predicted"][place] for place in np.unique(columns["predicted"])]
    names = _names(store.model, predicted)
    places = [names.index(p) if p in names else 0 for p in known["predicted"]]
    columns["place"] = np.array(places, dtype=np.int64)[columns["predicted"]]
    parts: dict[Group, tuple[list[ExpectedRows], list[ExpectedRows]]] = {}
    for version, baseline, inside in _versions(store.model, known["version"], columns["version"]):
        expected = _expected(store.model, names, baseline, columns, inside)
        for segment, value, chosen in _segments(store.model, known, columns, inside):
            every, labelled = parts.setdefault(Group(version, segment, value), ([], []))
            every.append(expected.sums(chosen[inside]))
            labelled.append(expected.sums((chosen & columns["labelled"])[inside]))
    return parts


def _known(window: WindowTotals, model: ModelConfig) -> dict[str, list[str]]:
    """Return the texts there are, by column; of segments those that are not pooled."""
    known = {
        f"s{i}": sorted({g.segment_value for g in window.groups if g.segment == name} - {OTHER})
        for i, name in enumerate(model.segments)
    }
    whole = {g.version: t for g, t in window.groups.items() if not g.segment}
    known["version"] = sorted(v for v, t in whole.items() if t.count("predictions"))
    predicted = {name for totals in whole.values() for name in totals.keys(Subject.PREDICTION)}
    return {**known, "predicted": sorted(predicted)}


def _versions(
    model: ModelConfig, known: Sequence[str], versions: Column
) -> Iterator[tuple[str, Baseline | None, Mask]]:
    """Yield each version; and all pooled, once for each baseline that some of them share."""
    shared: dict[str, tuple[Baseline | None, list[int]]] = {}
    for place in np.unique(versions).tolist():
        baseline = model.baseline(known[place])
        yield known[place], baseline, np.asarray(versions == place)
        key = baseline.checksum if baseline else ""
        shared.setdefault(key, (baseline, []))[1].append(place)
    for baseline, places in () if model.shadow else shared.values():
        yield ALL_VERSIONS, baseline, np.isin(versions, places)


def _segments(
    model: ModelConfig,
    known: Mapping[str, Sequence[str]],
    columns: Mapping[str, Column],
    inside: Mask,
) -> Iterator[tuple[str, str, Mask]]:
    """Yield the whole, and each value of a segment; rare ones pooled as in the totals."""
    yield "", "", inside
    for i, segment in enumerate(model.segments):
        for place, value in enumerate([*known[f"s{i}"], OTHER]):
            chosen = inside & (columns[f"s{i}"] == place)
            if chosen.any():
                yield segment, value, chosen


def _rows(
    store: Store, interval: tuple[int, int], rows: int, known: Mapping[str, Sequence[str]]
) -> str:
    """Return the query of the rows; texts are places among the known ones, or else the next."""
    model = store.model
    names = [_place(name, known[name]) for name in ("version", "predicted")]
    names += [f"p{i}" for i in range(len(score_classes(model)))]
    names += [_place(f"s{i}", known[f"s{i}"]) for i in range(len(model.segments))]
    inside = f"time >= {interval[0]} AND time < {interval[1]}"
    share = -(-rows // MAX_ROWS)
    if share > 1:
        inside += f" AND hash(key) % {share} = 0"
    source = "(SELECT *, true AS labelled FROM labeled)"
    if model.windows_by == "prediction_timestamp":
        labelled = f"SELECT key FROM labeled WHERE {inside}"
        source = (
            f"(SELECT *, ts AS time, key IN ({labelled}) AS labelled "
            f"FROM prediction WHERE ts <= {store.now})"
        )
    return f"SELECT {', '.join(names)}, labelled FROM {source} WHERE {inside}"


def _place(column: str, known: Sequence[str]) -> str:
    """Return the SQL of the place of a text; -1 where there is none."""
    texts = ", ".join(map(sql_text, known))
    place = f"coalesce(list_position(CAST([{texts}] AS VARCHAR[]), {column}) - 1, {len(known)})"
    return f"CASE WHEN {column} IS NULL THEN -1 ELSE {place} END AS {column}"


def _plain(column: Column) -> Column:
    """Return a column of the store with NaN where it holds null; whole numbers have none."""
    masked = np.ma.asarray(column)
    return np.ma.filled(masked, np.nan) if masked.dtype.kind == "f" else masked.data


def _names(model: ModelConfig, predicted: Sequence[str]) -> tuple[str, ...]:
    """Return the classes: those with a score, and others that were predicted."""
    if model.task is Task.BINARY:
        positive = str(model.positive_label)
        others = [name for name in predicted if name != positive]
        return binary_classes(model) or (others[0] if others else OTHER, positive)
    return tuple(dict.fromkeys([*score_classes(model), *predicted]))


def _expected(
    model: ModelConfig,
    names: Sequence[str],
    baseline: Baseline | None,
    columns: Mapping[str, Column],
    inside: Mask,
) -> UnlabelledRows:
    return UnlabelledRows(
        names,
        predicted=columns["place"][inside],
        scores={
            name: columns[f"p{i}"][inside].astype(np.float64)
            for i, name in enumerate(score_classes(model))
        },
        calibrations=baseline.errors.calibrations if baseline and baseline.errors else {},
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
