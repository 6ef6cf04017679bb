"""The SQL of the embedded store: tables, staging, merging, the join, and lifetime counters.

A change is described by four relations: the predictions and the labels that it concerns, as they
were and as they are. From them follow the pairs of prediction and label, the label that counts for
each prediction, and with these the difference to add to the tiles.
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
from model_exporter.records import LabelOutcome, LabelPolicy, Task

SCHEMA_VERSION = "2"
SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "preserve_insertion_order": "false",
}
HOUR = 3_600_000_000
"""Microseconds. The slot of a tile is the hour of its rows, counted from 1970."""
DELAY_EDGES = (60, 300, 900, 3_600, 21_600, 86_400, 259_200, 604_800, 2_592_000, 7_776_000)
"""Upper bounds in seconds of the buckets of `model_label_delay_seconds`: a minute to 90 days."""

PLACE = "_place_in_batch"
META = "CREATE TABLE IF NOT EXISTS meta (key VARCHAR, value VARCHAR)"
_GROUP = "version VARCHAR, segment VARCHAR, segment_value VARCHAR, slot BIGINT"
_TILES = {
    "counts": f"{_GROUP}, stat VARCHAR, name VARCHAR, key VARCHAR, value BIGINT",
    "sums": f"{_GROUP}, stat VARCHAR, key VARCHAR, exponent BIGINT, value HUGEINT, rows BIGINT",
}
_TABLES = {
    "cursor": "source VARCHAR, file VARCHAR, position BIGINT, fingerprint VARCHAR",
    "invalid": "source VARCHAR, reason VARCHAR, digest UBIGINT",
    "orphan": "key UHUGEINT",
    "lifetime": "version VARCHAR, stat VARCHAR, name VARCHAR, key VARCHAR, value HUGEINT",
    **_TILES,
}
_ADDED = {"counts": ("value",), "sums": ("value", "rows"), "lifetime": ("value",)}


def create(model: ModelConfig) -> list[str]:
    """Return the statements that make all tables anew."""
    label = f"label {_label_type(model)}"
    tables = {
        **_TABLES,
        "prediction": f"{_definitions(prediction_columns(model))}, digest UBIGINT",
        "label": f"key UHUGEINT, ts BIGINT, {label}, arrived BIGINT",
        "labeled": f"{_definitions(_outcome_columns(model))}, time BIGINT, {label}",
    }
    return [
        "DELETE FROM meta",
        *(f"CREATE OR REPLACE TABLE {name} ({definition})" for name, definition in tables.items()),
    ]


def fresh(model: ModelConfig) -> list[str]:
    """Return the statements that make the empty temporary tables of what was added of late."""
    rows = f"{_definitions(_outcome_columns(model))}, label {_label_type(model)}"
    tables = {**_TILES, "labeled": f"sign BIGINT, slot BIGINT, {rows}"}
    return [f"CREATE OR REPLACE TEMP TABLE fresh_{kind} ({tables[kind]})" for kind in tables]


def staged(model: ModelConfig, source: str) -> list[str]:
    """Return the statements that make the empty table `staged`, and `incoming`, its valid rows."""
    definition = f"{_definitions(_plan(model, source))}, digest UBIGINT, reason VARCHAR"
    return [
        f"CREATE OR REPLACE TEMP TABLE staged ({definition})",
        "CREATE OR REPLACE TEMP VIEW incoming AS "
        "SELECT * EXCLUDE (reason) FROM staged WHERE reason IS NULL",
    ]


def stage(model: ModelConfig, source: str, schema: pa.Schema) -> str:
    """Return the statement that reads the view `batch` into `staged`, in the canonical form."""
    return f"INSERT INTO staged BY NAME {_canonical(model, source, schema)}"


def refused(model: ModelConfig, source: str, schema: pa.Schema) -> str:
    """Return the query of the first place in `batch` of each record that is refused anew.

    The batch must have the column `PLACE`.
    """
    canonical = _canonical(model, source, schema, more=f"{PLACE}, ")
    return (
        f"SELECT min({PLACE}) AS place, arg_min(reason, {PLACE}) AS reason, digest "
        f"FROM ({canonical}) s WHERE reason IS NOT NULL AND {_not_known(source, 's')} "
        "GROUP BY digest ORDER BY place"
    )


def any_refused(source: str) -> str:
    """Return the query of whether `staged` has a record that is refused anew."""
    return f"SELECT 1 FROM staged s WHERE reason IS NOT NULL AND {_not_known(source, 's')} LIMIT 1"


def _not_known(source: str, rows: str) -> str:
    return (
        f"NOT EXISTS (SELECT 1 FROM invalid i WHERE i.source = {sql_text(source)} "
        f"AND i.digest = {rows}.digest)"
    )


def _canonical(model: ModelConfig, source: str, schema: pa.Schema, *, more: str = "") -> str:
    plan = _plan(model, source)
    classes = binary_classes(model)
    names = ", ".join(column.name for column in plan)
    read = ", ".join(select(column, schema, binary_classes=classes) for column in plan)
    value, usable = _usable(model, source)
    filled = "* REPLACE (coalesce(version, '') AS version)" if source == "predictions" else "*"
    return (
        f"SELECT {filled}, hash(row({names})) AS digest, "
        "CASE WHEN key IS NULL THEN 'id' WHEN ts IS NULL THEN 'timestamp' "
        f"WHEN {usable} THEN NULL ELSE {sql_text(value)} END AS reason FROM (SELECT {more}{read} "
        "FROM batch)"
    )


def _usable(model: ModelConfig, source: str) -> tuple[str, str]:
    """Return what the configuration calls the outcome of a source, and the test it must pass."""
    name, outcome = ("prediction", "predicted") if source == "predictions" else ("label", "label")
    classes = binary_classes(model)
    if model.task is Task.REGRESSION:
        return name, f"isfinite({outcome})"
    if classes:
        return name, f"{outcome} IN ({', '.join(map(sql_text, classes))})"
    return name, f"{outcome} IS NOT NULL"


def refuse(source: str) -> str:
    """Return the statement that counts invalid rows by content: again is not once more."""
    return (
        f"INSERT INTO invalid SELECT DISTINCT {sql_text(source)}, reason, digest FROM staged s "
        f"WHERE reason IS NOT NULL AND {_not_known(source, 's')}"
    )


# Of a prediction that is logged twice with unlike content, the first counts.

STORED = (
    "CREATE OR REPLACE TEMP TABLE stored AS SELECT * FROM prediction SEMI JOIN incoming USING (key)"
)
REPEATED = "SELECT count(*) > count(DISTINCT key) OR (SELECT count(*) FROM stored) FROM incoming"
FIRST_LOGGED = (
    "CREATE OR REPLACE TEMP TABLE winners AS SELECT i.* FROM (SELECT * FROM incoming "
    "QUALIFY row_number() OVER (PARTITION BY key ORDER BY ts, digest) = 1) i "
    "LEFT JOIN stored s USING (key) WHERE s.key IS NULL OR i.ts < s.ts "
    "OR (i.ts = s.ts AND i.digest < s.digest)",
    "CREATE OR REPLACE TEMP VIEW incoming AS SELECT * FROM winners",
    "DELETE FROM stored WHERE key NOT IN (SELECT key FROM winners)",
    "DELETE FROM prediction WHERE key IN (SELECT key FROM stored)",
)
WITH_LABELS = (
    "CREATE OR REPLACE TEMP TABLE adopted AS SELECT key FROM orphan SEMI JOIN incoming USING (key) "
    "UNION SELECT key FROM stored"
)
ADD_PREDICTIONS = (
    "INSERT INTO prediction BY NAME SELECT * FROM incoming",
    "DELETE FROM orphan WHERE key IN (SELECT key FROM adopted)",
)

# Of labels, every record is kept: which of them counts is decided when they are paired.

NEW_LABELS = (
    "CREATE OR REPLACE TEMP TABLE known AS SELECT * FROM label SEMI JOIN incoming USING (key)",
    "CREATE OR REPLACE TEMP TABLE news AS SELECT *, $arrived::BIGINT AS arrived FROM "
    "(SELECT DISTINCT key, ts, label FROM incoming) ANTI JOIN known USING (key, ts, label)",
)
ADD_LABELS = (
    "INSERT INTO label BY NAME SELECT * FROM news",
    "INSERT INTO orphan SELECT DISTINCT key FROM news ANTI JOIN near USING (key) "
    "ANTI JOIN orphan USING (key)",
)
BECAME_VALID = (
    "CREATE OR REPLACE TEMP TABLE touched AS SELECT key FROM prediction WHERE ts > $was "
    "AND ts <= $now UNION SELECT key FROM label WHERE ts > $was AND ts <= $now"
)
ALL_ORPHANS = "INSERT INTO orphan SELECT DISTINCT key FROM label ANTI JOIN prediction USING (key)"


def forget(horizon: int) -> list[str]:
    """Return the statements that forget predictions before an hour, and labels that found none.

    Labels that wait for a prediction from before it can no longer be matched: they expire.
    """
    old = f"SELECT key FROM prediction WHERE ts < {horizon}"
    waiting = (
        "SELECT key FROM orphan SEMI JOIN (SELECT key FROM label GROUP BY key "
        f"HAVING max(ts) < {horizon}) USING (key)"
    )
    return [
        f"CREATE OR REPLACE TEMP TABLE expired AS {waiting}",
        f"CREATE OR REPLACE TEMP TABLE forgotten AS {old} UNION ALL SELECT key FROM expired",
        f"INSERT INTO lifetime SELECT '', 'ledger', {sql_text(LabelOutcome.EXPIRED)}, '', count(*) "
        "FROM label SEMI JOIN expired USING (key)",
        *(
            f"DELETE FROM {table} WHERE key IN (SELECT key FROM forgotten)"
            for table in ("label", "labeled", "orphan", "prediction")
        ),
        *(f"DELETE FROM {kind} WHERE slot < {horizon // HOUR}" for kind in _TILES),
    ]


def recent(horizon: int) -> str:
    """Return the statement that has `incoming` leave out predictions that would be forgotten."""
    return (
        "CREATE OR REPLACE TEMP VIEW incoming AS SELECT * EXCLUDE (reason) FROM staged "
        f"WHERE reason IS NULL AND ts >= {horizon}"
    )


WAITING = (
    "SELECT (SELECT count(*) FROM label SEMI JOIN orphan USING (key) WHERE ts <= $now) "
    "+ (SELECT count(*) FROM label SEMI JOIN (SELECT key FROM prediction WHERE ts > $now) "
    "USING (key) WHERE ts <= $now)"
)


def near(table: str, keys: str) -> str:
    """Return the query of the rows of a table whose key is in another."""
    return f"SELECT * FROM {table} SEMI JOIN {keys} USING (key)"


def near_outcomes(model: ModelConfig, keys: str) -> str:
    """Return the query of predictions with those columns that a new label concerns."""
    by_label = model.windows_by == "label_timestamp"
    columns = "*" if by_label else _names(_outcome_columns(model))
    return f"SELECT {columns} FROM prediction SEMI JOIN {keys} USING (key)"


def sides(**relations: str) -> list[str]:
    """Return the statements that name the four relations of a change."""
    return [f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}" for name, sql in relations.items()]


def pair(model: ModelConfig, side: str, now: int) -> list[str]:
    """Return the statements that pair the predictions of a side with their labels as of `now`.

    ``<side>_pair`` has a row for each label record, ``<side>_labeled`` one for each prediction
    with a label that counts.
    """
    columns = _names(_outcome_columns(model))
    limit = model.max_label_delay
    late = "false" if limit is None else f"l.ts - p.ts > {limit.microseconds}"
    time = "best_ts" if model.windows_by == "label_timestamp" else "ts"
    return [
        f"CREATE OR REPLACE TEMP TABLE {side}_pair AS SELECT p.*, l.ts AS label_ts, l.label, "
        f"l.arrived, {late} AS late FROM (SELECT {columns} FROM {side}_prediction "
        f"WHERE ts <= {now}) p JOIN (SELECT * FROM {side}_label WHERE ts <= {now}) l USING (key)",
        f"CREATE OR REPLACE TEMP TABLE {side}_several AS "
        f"WITH several AS (SELECT key FROM {side}_label GROUP BY key HAVING count(*) > 1) "
        f"SELECT key, {_best(model.label_policy)} AS best, min(label_ts) AS first_ts, "
        f"count(*) AS records, count(DISTINCT label) AS labels FROM {side}_pair "
        "SEMI JOIN several USING (key) WHERE NOT late GROUP BY key",
        f"CREATE OR REPLACE TEMP VIEW {side}_labeled AS SELECT *, {time} AS time FROM ("
        f"SELECT {columns}, label, label_ts AS best_ts, label_ts AS first_ts, "
        "1 AS records, 1 AS labels "
        f"FROM {side}_pair ANTI JOIN {side}_several USING (key) WHERE NOT late "
        f"UNION ALL SELECT {columns}, best.label, best.ts, first_ts, records, labels "
        f"FROM {side}_prediction JOIN {side}_several USING (key))",
    ]


def rows(model: ModelConfig, side: str, now: int) -> str:
    """Return the statement that names the predictions of a side that have a place in time."""
    query = f"SELECT *, ts AS time FROM {side}_prediction WHERE ts <= {now}"
    if model.windows_by == "label_timestamp":
        query = (
            f"SELECT p.*, time FROM {side}_prediction p "
            f"JOIN (SELECT key, time FROM {side}_labeled) USING (key)"
        )
    return f"CREATE OR REPLACE TEMP VIEW {side}_prediction_rows AS {query}"


def _best(policy: LabelPolicy) -> str:
    """Return the aggregate of the record that counts; ties go to the greatest label."""
    return {
        LabelPolicy.LATEST: "max({'ts': label_ts, 'label': label})",
        LabelPolicy.FIRST: "arg_max({'ts': label_ts, 'label': label}, "
        "{'order': -label_ts, 'label': label})",
        LabelPolicy.LAST_ARRIVAL: "arg_max({'ts': label_ts, 'label': label}, "
        "{'order': arrived, 'ts': label_ts, 'label': label})",
    }[policy]


def difference(of: str, sides: Sequence[str]) -> str:
    """Return the statement that names the signed rows of some sides: pair, labeled, prediction."""
    signs = {"was": -1, "is": 1}
    slot = "" if of == "pair" else f"CAST(floor(time / {HOUR}.0) AS BIGINT) AS slot, "
    source = "prediction_rows" if of == "prediction" else of
    signed = " UNION ALL BY NAME ".join(
        f"SELECT CAST({signs[side]} AS BIGINT) AS sign, {slot}* FROM {side}_{source}"
        for side in sides
    )
    return f"CREATE OR REPLACE TEMP VIEW delta_{of} AS {signed}"


def keep_labeled(model: ModelConfig) -> list[str]:
    """Return the statements that bring the table `labeled` up to date."""
    columns = f"{_names(_outcome_columns(model))}, time, label"
    return [
        "DELETE FROM labeled WHERE key IN (SELECT key FROM delta_labeled WHERE sign < 0)",
        f"INSERT INTO labeled BY NAME SELECT {columns} FROM delta_labeled WHERE sign > 0",
    ]


def keep_fresh(model: ModelConfig) -> str:
    """Return the statement that notes the labelled rows that were added and taken away."""
    columns = f"sign, slot, {_names(_outcome_columns(model))}, label"
    return f"INSERT INTO fresh_labeled BY NAME SELECT {columns} FROM delta_labeled"


def lifetime(model: ModelConfig) -> str:
    """Return the statement that adds a change to the counters since the beginning.

    A label record counts once: as the one that its prediction is matched with, for a value that
    is new (corrected; superseded where the first counts), for a repeated value (duplicate), or as
    late. None of these can fall when more records arrive, in whatever order.
    """
    first = model.label_policy is LabelPolicy.FIRST
    ledger = {
        LabelOutcome.MATCHED: "matched",
        LabelOutcome.SUPERSEDED if first else LabelOutcome.CORRECTED: "corrected",
        LabelOutcome.DUPLICATE: "duplicate",
    }
    bucket = " + ".join(f"(first_ts - ts > {edge}000000)::INT" for edge in DELAY_EDGES)
    parts = [
        f"SELECT version, 'ledger' AS stat, {sql_text(outcome)} AS name, '' AS key, "
        f"{amount} AS value FROM labeled_by_delay"
        for outcome, amount in ledger.items()
    ]
    parts += [
        "SELECT version, 'delay', '', CAST(bucket AS VARCHAR), matched FROM labeled_by_delay",
        "SELECT version, 'delay_sum', '', '', delay FROM labeled_by_delay",
        f"SELECT version, 'ledger', {sql_text(LabelOutcome.LATE)}, '', sum(sign) FROM delta_pair "
        "WHERE late GROUP BY version",
    ]
    if model.task is not Task.REGRESSION:
        parts.append(
            "SELECT version, 'confusion', label, predicted, sum(sign) FROM delta_pair "
            "WHERE NOT late GROUP BY version, label, predicted"
        )
    return (
        f"INSERT INTO lifetime WITH labeled_by_delay AS (SELECT version, {bucket} AS bucket, "
        "sum(sign) AS matched, sum(sign * (labels - 1)) AS corrected, "
        "sum(sign * (records - labels)) AS duplicate, sum(sign * (first_ts - ts)) AS delay "
        f"FROM delta_labeled GROUP BY version, bucket) {' UNION ALL '.join(parts)}"
    )


def piece_rows(model: ModelConfig, bounds: Sequence[tuple[int, int]], now: int) -> list[str]:
    """Return the statements that take as `delta` the rows in each of some intervals.

    `bounds` are half-open, in microseconds; the slot of a row is the place of its interval.
    """
    source = "(SELECT *, ts AS time FROM prediction)"
    if model.windows_by == "label_timestamp":
        source = (
            "(SELECT p.*, time FROM prediction p JOIN (SELECT key, time FROM labeled) USING (key))"
        )
    inside = [f"time >= {a} AND time < {b}" for a, b in bounds] or ["false"]

    def rows(table: str, more: str) -> str:
        return " UNION ALL ".join(
            f"SELECT CAST(1 AS BIGINT) AS sign, CAST({i} AS BIGINT) AS slot, * FROM {table} "
            f"WHERE {interval}{more}"
            for i, interval in enumerate(inside)
        )

    return sides(
        delta_prediction=rows(source, f" AND ts <= {now}"), delta_labeled=rows("labeled", "")
    )


def append(kind: str, tiles: str, *, to: str = "") -> str:
    """Return the statement that adds tiles, without those that cancelled out."""
    changed = " OR ".join(f"{name} <> 0" for name in _ADDED[kind])
    return f"INSERT INTO {to or kind} BY NAME SELECT * FROM ({tiles}) WHERE {changed}"


def empty_pieces() -> list[str]:
    """Return the statements that make the empty tables ``piece_<kind>``."""
    return [f"CREATE OR REPLACE TEMP TABLE piece_{kind} ({_TILES[kind]})" for kind in _TILES]


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


def _plan(model: ModelConfig, source: str) -> tuple[Column, ...]:
    return prediction_columns(model) if source == "predictions" else label_columns(model)


def _outcome_columns(model: ModelConfig) -> tuple[Column, ...]:
    """Return the columns that go with a label: features are of no concern to the scores."""
    return tuple(c for c in prediction_columns(model) if c.name[0] not in "fb")


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.name for column in columns)


def _definitions(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.name} {column.form.sql_type}" for column in columns)


def _label_type(model: ModelConfig) -> str:
    return "DOUBLE" if model.task is Task.REGRESSION else "VARCHAR"
