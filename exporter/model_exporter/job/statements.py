"""The SQL of the embedded store: tables, staging, merging, the join, and lifetime counters.

`touched` names the predictions that a change may concern; `joined` is what they contribute: each
prediction that exists by now with the label that counts by now. The store takes the difference of
`joined` before and after a change, and adds it to the tiles.
"""

from collections.abc import Sequence

import pyarrow as pa

from model_exporter.job.columns import (
    Column,
    binary_classes,
    label_columns,
    prediction_columns,
    select,
    sql_text,
)
from model_exporter.job.config import ModelConfig
from model_exporter.records import LabelOutcome, Task

SCHEMA_VERSION = "1"
SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "preserve_insertion_order": "false",
}
HOUR = 3_600_000_000
"""Microseconds. The slot of a tile is the hour of its rows, counted from 1970."""
DELAY_EDGES = (60, 300, 900, 3_600, 21_600, 86_400, 259_200, 604_800, 2_592_000, 7_776_000)
"""Upper bounds in seconds of the buckets of `model_label_delay_seconds`: a minute to 90 days."""

META = "CREATE TABLE IF NOT EXISTS meta (key VARCHAR, value VARCHAR)"
_TABLES = {
    "cursor": "source VARCHAR, file VARCHAR, position BIGINT, fingerprint VARCHAR",
    "invalid": "source VARCHAR, digest UBIGINT",
    "counts": "version VARCHAR, segment VARCHAR, segment_value VARCHAR, slot BIGINT, "
    "stat VARCHAR, name VARCHAR, key VARCHAR, value BIGINT",
    "sums": "version VARCHAR, segment VARCHAR, segment_value VARCHAR, slot BIGINT, "
    "stat VARCHAR, key VARCHAR, exponent BIGINT, value HUGEINT, rows BIGINT",
    "scores": "version VARCHAR, segment VARCHAR, segment_value VARCHAR, slot BIGINT, "
    "class_name VARCHAR, step BIGINT, rows BIGINT, positives BIGINT",
    "lifetime": "version VARCHAR, stat VARCHAR, name VARCHAR, key VARCHAR, value HUGEINT",
}
_ADDED = {
    "counts": ("value",),
    "sums": ("value", "rows"),
    "scores": ("rows", "positives"),
    "lifetime": ("value",),
}
BECAME_VALID = (
    "SELECT id FROM prediction WHERE ts > $1 AND ts <= $2 "
    "UNION SELECT id FROM label WHERE ts > $1 AND ts <= $2"
)


def create(model: ModelConfig) -> list[str]:
    """Return the statements that make all tables anew."""
    stored = ", ".join(f"{c.name} {c.form.sql_type}" for c in prediction_columns(model))
    tables = {
        **_TABLES,
        "prediction": f"{stored}, digest UBIGINT",
        "label": f"id VARCHAR, ts BIGINT, label {_label_type(model)}",
    }
    return [
        "DELETE FROM meta",
        *(f"CREATE OR REPLACE TABLE {name} ({definition})" for name, definition in tables.items()),
    ]


def empty_incoming(model: ModelConfig, source: str) -> list[str]:
    """Return the statements that make the empty table `incoming` of a source."""
    stored = ", ".join(f"{c.name} {c.form.sql_type}" for c in _plan(model, source))
    return [f"CREATE OR REPLACE TEMP TABLE incoming ({stored}, digest UBIGINT)"]


def stage(model: ModelConfig, source: str, schema: pa.Schema) -> list[str]:
    """Return the statements that add the valid rows of the view `batch` to `incoming`.

    The others are counted by content, so that reading one again does not count it twice.
    """
    plan = _plan(model, source)
    classes = binary_classes(model)
    names = ", ".join(column.name for column in plan)
    read = ", ".join(select(column, schema, binary_classes=classes) for column in plan)
    outcome = "predicted" if source == "predictions" else "label"
    usable = f"{outcome} IS NOT NULL"
    if model.task is Task.REGRESSION:
        usable += f" AND isfinite({outcome})"
    elif classes:
        usable += f" AND {outcome} IN ({', '.join(map(sql_text, classes))})"
    valid = f"id IS NOT NULL AND ts IS NOT NULL AND {usable}"
    return [
        f"CREATE OR REPLACE TEMP TABLE staged AS SELECT *, hash(row({names})) AS digest, "
        f"({valid}) IS TRUE AS valid FROM (SELECT {read} FROM batch)",
        "INSERT INTO incoming BY NAME SELECT * EXCLUDE (valid) FROM staged WHERE valid",
        "INSERT INTO invalid SELECT DISTINCT s.source, s.digest FROM "
        f"(SELECT {sql_text(source)} AS source, digest FROM staged WHERE NOT valid) s "
        "ANTI JOIN invalid USING (source, digest)",
    ]


def _plan(model: ModelConfig, source: str) -> tuple[Column, ...]:
    return prediction_columns(model) if source == "predictions" else label_columns(model)


def merge(source: str) -> list[str]:
    """Return the statements that merge `incoming` into the table of its source."""
    if source == "labels":
        return [
            "INSERT INTO label SELECT DISTINCT id, ts, label FROM incoming "
            "ANTI JOIN label USING (id, ts, label)"
        ]
    return [
        "CREATE OR REPLACE TEMP TABLE first_logged AS "
        "SELECT * REPLACE (coalesce(version, '') AS version) FROM incoming "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY ts, digest) = 1",
        "DELETE FROM prediction USING first_logged f WHERE prediction.id = f.id "
        "AND (f.ts < prediction.ts OR (f.ts = prediction.ts AND f.digest < prediction.digest))",
        "INSERT INTO prediction BY NAME SELECT * FROM first_logged ANTI JOIN prediction USING (id)",
    ]


def joined(model: ModelConfig, now: int, *, touched: bool = True) -> str:
    """Return the query of predictions up to `now`, each with the label that counts then."""
    only = " SEMI JOIN touched USING (id)" if touched else ""
    time = "l.best.ts" if model.windows_by == "label_timestamp" else "p.ts"
    return (
        f"SELECT p.* EXCLUDE (digest), l.best.label AS label, l.first_ts, l.history, "
        f"CAST(floor({time} / {HOUR}.0) AS BIGINT) AS slot, {time} AS time "
        f"FROM (SELECT * FROM prediction{only} WHERE ts <= {now}) p LEFT JOIN ("
        "SELECT id, max({'ts': ts, 'label': label}) AS best, min(ts) AS first_ts, "
        f"list(label) AS history FROM label{only} WHERE ts <= {now} GROUP BY id"
        ") l USING (id)"
    )


def lifetime(model: ModelConfig) -> str:
    """Return the statement that adds the `delta` to the counters since the beginning.

    A label record counts once, by itself: as the first of its prediction (matched), for a value
    that is new (corrected), or for a repeated one (duplicate); none of these can fall when more
    records arrive, in whatever order.
    """
    ledger = {
        LabelOutcome.MATCHED: "1",
        LabelOutcome.CORRECTED: "list_unique(history) - 1",
        LabelOutcome.DUPLICATE: "len(history) - list_unique(history)",
    }
    labeled = "FROM delta WHERE label IS NOT NULL"
    edges = ", ".join(f"{edge}000000" for edge in DELAY_EDGES)
    bucket = f"list_sum(list_transform([{edges}], lambda edge: (first_ts - ts > edge)::INT))"
    parts = [
        f"SELECT version, 'ledger' AS stat, {sql_text(outcome)} AS name, '' AS key, "
        f"sum(sign * ({amount})) AS value {labeled} GROUP BY version"
        for outcome, amount in ledger.items()
    ]
    parts.append(
        f"SELECT version, 'delay', '', CAST({bucket} AS VARCHAR) AS key, sum(sign) "
        f"{labeled} GROUP BY version, key"
    )
    parts.append(
        f"SELECT version, 'delay_sum', '', '', sum(sign * (first_ts - ts)) "
        f"{labeled} GROUP BY version"
    )
    if model.task is not Task.REGRESSION:
        parts.append(
            "SELECT version, 'confusion', actual, predicted, sum(sign) FROM "
            "(SELECT version, predicted, sign, unnest(history) AS actual FROM delta) "
            "GROUP BY version, actual, predicted"
        )
    return f"INSERT INTO lifetime {' UNION ALL '.join(parts)}"


def pieces(model: ModelConfig, bounds: Sequence[tuple[int, int]], now: int) -> str:
    """Return the statement that makes a `delta` of the rows in each of some intervals."""
    slot = " ".join(f"WHEN time >= {a} AND time < {b} THEN {i}" for i, (a, b) in enumerate(bounds))
    times = [bound for pair in bounds for bound in pair]
    source = joined(model, now, touched=False)
    inside = f"time >= {min(times, default=0)} AND time < {max(times, default=0)}"
    return (
        "CREATE OR REPLACE TEMP TABLE delta AS SELECT * FROM (SELECT 1 AS sign, * REPLACE ("
        f"CASE {slot or 'WHEN false THEN 0'} END AS slot) FROM ({source}) WHERE {inside}) "
        "WHERE slot IS NOT NULL"
    )


def append(kind: str, tiles: str) -> str:
    """Return the statement that adds tiles, without those that cancelled out."""
    changed = " OR ".join(f"{name} <> 0" for name in _ADDED[kind])
    return f"INSERT INTO {kind} BY NAME SELECT * FROM ({tiles}) WHERE {changed}"


def compact() -> list[str]:
    """Return the statements that merge appended tiles."""
    statements = []
    for table, added in _ADDED.items():
        columns = [part.split()[0] for part in _TABLES[table].split(", ")]
        keys = ", ".join(name for name in columns if name not in added)
        totals = ", ".join(f"sum({name}) AS {name}" for name in added)
        statements += [
            f"CREATE OR REPLACE TEMP TABLE merged AS SELECT {keys}, {totals} FROM {table} "
            f"GROUP BY {keys} HAVING {' OR '.join(f'sum({name}) <> 0' for name in added)}",
            f"DELETE FROM {table}",
            f"INSERT INTO {table} BY NAME SELECT * FROM merged",
        ]
    return statements


def _label_type(model: ModelConfig) -> str:
    return "DOUBLE" if model.task is Task.REGRESSION else "VARCHAR"
