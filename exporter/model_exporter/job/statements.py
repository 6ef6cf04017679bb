"""The SQL of the embedded store: tables, staging, merging, the join, and lifetime counters.

A change is described by four relations: the predictions and the labels that it concerns, as they
were and as they are. From them follow the pairs of prediction and label, the label that counts for
each prediction, and with these the difference to add to the tiles.
"""

from collections.abc import Sequence

import pyarrow as pa

from model_exporter.job import shadow
from model_exporter.job.columns import (
    Column,
    Form,
    amount_columns,
    binary_classes,
    label_columns,
    prediction_columns,
    select,
    sql_text,
)
from model_exporter.job.config import ModelConfig
from model_exporter.records import LabelOutcome, LabelPolicy, Task

SCHEMA_VERSION = "7"
HOUR = 3_600_000_000
"""Microseconds. The slot of a tile is the hour of its rows, counted from 1970."""
DELAY_EDGES = (60, 300, 900, 3_600, 21_600, 86_400, 259_200, 604_800, 2_592_000, 7_776_000)
"""Upper bounds in seconds of the buckets of `model_label_delay_seconds`: a minute to 90 days."""

MAX_AMOUNT = "1e150"
"""Amounts beyond it count as missing: their squares would overflow."""

MAX_OUTCOME = "1e75"
"""Predictions and labels of a regression beyond it are invalid: fourth powers would overflow."""

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
    label = _definitions(_truth_columns(model))
    tables = {
        **_TABLES,
        "prediction": _definitions(prediction_columns(model)),
        "label": f"key UHUGEINT, ts BIGINT, {label}, arrived BIGINT",
        "labeled": f"{_definitions(_outcome_columns(model))}, time BIGINT, first_ts BIGINT, "
        f"{label}",
    }
    return [
        "DELETE FROM meta",
        *(f"CREATE OR REPLACE TABLE {name} ({definition})" for name, definition in tables.items()),
    ]


def fresh(model: ModelConfig) -> list[str]:
    """Return the statements that make the empty temporary tables of what was added of late."""
    rows = _definitions((*_outcome_columns(model), *_truth_columns(model)))
    tables = {**_TILES, "labeled": f"sign BIGINT, slot BIGINT, {rows}"}
    return [f"CREATE OR REPLACE TEMP TABLE fresh_{kind} ({tables[kind]})" for kind in tables]


def staged(model: ModelConfig, source: str) -> list[str]:
    """Return the statements that make the empty table `staged`, and `incoming`, its valid rows."""
    definition = f"{_definitions(_plan(model, source))}, reason VARCHAR"
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
        f"SELECT min({PLACE}) AS place, arg_min(reason, {PLACE}) AS reason, "
        f"{_digest(model, source)} AS digest FROM ({canonical}) WHERE reason IS NOT NULL "
        f"AND {_is_new(model, source)} GROUP BY digest ORDER BY place"
    )


def any_refused(model: ModelConfig, source: str) -> str:
    """Return the query of whether `staged` has a record that is refused anew."""
    new = _is_new(model, source)
    return f"SELECT 1 FROM staged WHERE reason IS NOT NULL AND {new} LIMIT 1"


def _is_new(model: ModelConfig, source: str) -> str:
    known = f"SELECT digest FROM invalid WHERE source = {sql_text(source)}"
    return f"{_digest(model, source)} NOT IN ({known})"


def _canonical(model: ModelConfig, source: str, schema: pa.Schema, *, more: str = "") -> str:
    plan = _plan(model, source)
    classes = binary_classes(model)
    read = ", ".join(select(column, schema, binary_classes=classes) for column in plan)
    filled = ", ".join(_filled(model, source))
    filled = f"* REPLACE ({filled})" if filled else "*"
    reason = _verdict(model, source)
    return f"SELECT {filled}, {reason} AS reason FROM (SELECT {more}{read} FROM batch)"


def verdicts(model: ModelConfig, source: str, schema: pa.Schema) -> str:
    """Return the query of why each row of the view `batch` is refused; null if it is not."""
    plan = [c for c in _plan(model, source) if c.name in ("key", "ts", "predicted", "label")]
    classes = binary_classes(model)
    read = ", ".join(select(column, schema, binary_classes=classes) for column in plan)
    return f"SELECT {_verdict(model, source)} FROM (SELECT {read} FROM batch)"


def _verdict(model: ModelConfig, source: str) -> str:
    """Return the expression of the reason for which a row in the canonical form is refused."""
    value, usable = _usable(model, source)
    return (
        "CASE WHEN key IS NULL THEN 'id' WHEN ts IS NULL THEN 'timestamp' "
        f"WHEN {usable} THEN NULL ELSE {sql_text(value)} END"
    )


def _filled(model: ModelConfig, source: str) -> list[str]:
    """Return what stands for a missing value in the columns that have no null.

    A missing amount is the least of all, so that it equals itself and that of two label records
    that tie, the one with an amount counts.
    """
    if source == "predictions":
        return ["coalesce(version, '') AS version"]
    usable = f"CASE WHEN abs({{0}}) <= {MAX_AMOUNT} THEN {{0}} ELSE CAST('-inf' AS DOUBLE) END"
    return [f"{usable.format(c.name)} AS {c.name}" for c in amount_columns(model)]


def _usable(model: ModelConfig, source: str) -> tuple[str, str]:
    """Return what the configuration calls the outcome of a source, and the test it must pass."""
    name, outcome = ("prediction", "predicted") if source == "predictions" else ("label", "label")
    classes = binary_classes(model)
    if model.task is Task.REGRESSION:
        return name, f"abs({outcome}) <= {MAX_OUTCOME}"
    if classes:
        return name, f"{outcome} IN ({', '.join(map(sql_text, classes))})"
    return name, f"{outcome} IS NOT NULL"


def refuse(model: ModelConfig, source: str) -> str:
    """Return the statement that counts invalid rows by content: again is not once more."""
    return (
        f"INSERT INTO invalid SELECT DISTINCT {sql_text(source)}, reason, "
        f"{_digest(model, source)} AS digest FROM staged "
        f"WHERE reason IS NOT NULL AND {_is_new(model, source)}"
    )


def _digest(model: ModelConfig, source: str, of: str = "") -> str:
    return f"hash(row({', '.join(f'{of}{c.name}' for c in _plan(model, source))}))"


# Of a prediction that is logged twice with unlike content, the first counts.

STORED = (
    "CREATE OR REPLACE TEMP TABLE stored AS SELECT * FROM prediction SEMI JOIN incoming USING (key)"
)
REPEATED = "SELECT count(*) > count(DISTINCT key) OR (SELECT count(*) FROM stored) FROM incoming"


def first_logged(model: ModelConfig) -> list[str]:
    """Return the statements that have `incoming` and `stored` keep one prediction of each id."""
    if model.shadow:
        return shadow.first_logged(_digest(model, "predictions"))
    new, old = (_digest(model, "predictions", f"{table}.") for table in ("i", "s"))
    return [
        "CREATE OR REPLACE TEMP TABLE winners AS SELECT i.* FROM (SELECT * FROM incoming i "
        f"QUALIFY row_number() OVER (PARTITION BY key ORDER BY ts, {new}) = 1) i "
        "LEFT JOIN stored s USING (key) WHERE s.key IS NULL OR i.ts < s.ts "
        f"OR (i.ts = s.ts AND {new} < {old})",
        "CREATE OR REPLACE TEMP VIEW incoming AS SELECT * FROM winners",
        "DELETE FROM stored WHERE key NOT IN (SELECT key FROM winners)",
        "DELETE FROM prediction WHERE key IN (SELECT key FROM stored)",
    ]


WITH_LABELS = (
    "CREATE OR REPLACE TEMP TABLE adopted AS SELECT key FROM orphan SEMI JOIN incoming USING (key) "
    "UNION SELECT key FROM stored"
)
ADD_PREDICTIONS = (
    "INSERT INTO prediction BY NAME SELECT * FROM incoming",
    "DELETE FROM orphan WHERE key IN (SELECT key FROM adopted)",
)

# Of labels, every record is kept: which of them counts is decided when they are paired.

KNOWN_LABELS = (
    "CREATE OR REPLACE TEMP TABLE known AS SELECT * FROM label SEMI JOIN incoming USING (key)"
)


def new_labels(model: ModelConfig) -> str:
    """Return the statement that keeps the label records that are not known yet."""
    record = f"key, ts, {_names(_truth_columns(model))}"
    return (
        "CREATE OR REPLACE TEMP TABLE news AS SELECT *, $arrived::BIGINT AS arrived FROM "
        f"(SELECT DISTINCT {record} FROM incoming) ANTI JOIN known USING ({record})"
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


def forget(model: ModelConfig, horizon: int) -> list[str]:
    """Return the statements that forget predictions before an hour, and labels that found none.

    Labels that wait for a prediction from before it can no longer be matched: they expire.
    """
    old = f"SELECT key FROM prediction WHERE ts < {horizon}"
    unmatched = (
        "SELECT key FROM orphan SEMI JOIN (SELECT key FROM label GROUP BY key "
        f"HAVING max(ts) < {horizon}) USING (key)"
    )
    forgotten = f"{old} UNION ALL SELECT key FROM expired"
    gone = (
        shadow.forget(horizon, forgotten)
        if model.shadow
        else [
            f"CREATE OR REPLACE TEMP TABLE forgotten AS {forgotten}",
            *(
                f"DELETE FROM {table} WHERE key IN (SELECT key FROM forgotten)"
                for table in ("label", "labeled", "orphan", "prediction")
            ),
        ]
    )
    return [
        f"CREATE OR REPLACE TEMP TABLE expired AS {unmatched}",
        f"INSERT INTO lifetime SELECT '', 'ledger', {sql_text(LabelOutcome.EXPIRED)}, '', count(*) "
        "FROM label SEMI JOIN expired USING (key)",
        *gone,
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


def waiting(model: ModelConfig) -> str:
    """Return the query of the number of label records whose prediction is not known."""
    return shadow.WAITING if model.shadow else WAITING


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
    truth = [c.name for c in _truth_columns(model)]
    of_label, of_best = (", ".join(f"{of}.{c}" for c in truth) for of in ("l", "best"))
    limit = model.max_label_delay
    late = "false" if limit is None else f"l.ts - p.ts > {limit.microseconds}"
    time = "best_ts" if model.windows_by == "label_timestamp" else "ts"
    same, lead, leads, kept = identity(model), "", "", columns
    if model.shadow:
        lead, leads, kept = (
            f", {shadow.LEAD} AS lead",
            "any_value(lead) AS lead, ",
            f"{columns}, lead",
        )
    return [
        f"CREATE OR REPLACE TEMP TABLE {side}_pair AS SELECT p.*, l.ts AS label_ts, {of_label}, "
        f"l.arrived, {late} AS late FROM (SELECT {columns}{lead} FROM {side}_prediction "
        f"WHERE ts <= {now}) p JOIN (SELECT * FROM {side}_label WHERE ts <= {now}) l USING (key)",
        f"CREATE OR REPLACE TEMP TABLE {side}_several AS "
        f"WITH several AS (SELECT key FROM {side}_label GROUP BY key HAVING count(*) > 1) "
        f"SELECT {same}, {leads}{_best(model.label_policy, truth)} AS best, "
        "min(label_ts) AS first_ts, "
        f"count(*) AS records, count(DISTINCT label) AS labels FROM {side}_pair "
        f"SEMI JOIN several USING (key) WHERE NOT late GROUP BY {same}",
        f"CREATE OR REPLACE TEMP VIEW {side}_labeled AS SELECT *, {time} AS time FROM ("
        f"SELECT {kept}, {', '.join(truth)}, label_ts AS best_ts, label_ts AS first_ts, "
        "1 AS records, 1 AS labels "
        f"FROM {side}_pair ANTI JOIN {side}_several USING ({same}) WHERE NOT late "
        f"UNION ALL SELECT {kept}, {of_best}, best.ts, first_ts, records, labels "
        f"FROM {side}_prediction JOIN {side}_several USING ({same}))",
    ]


def rows(model: ModelConfig, side: str, now: int) -> str:
    """Return the statement that names the predictions of a side that have a place in time."""
    query = f"SELECT *, ts AS time FROM {side}_prediction WHERE ts <= {now}"
    if model.windows_by == "label_timestamp":
        same = identity(model)
        query = (
            f"SELECT p.*, time FROM {side}_prediction p "
            f"JOIN (SELECT {same}, time FROM {side}_labeled) USING ({same})"
        )
    return f"CREATE OR REPLACE TEMP VIEW {side}_prediction_rows AS {query}"


def _best(policy: LabelPolicy, truth: Sequence[str]) -> str:
    """Return the aggregate of the record that counts; ties go to the greatest label."""
    values = ", ".join(f"'{name}': {name}" for name in truth)
    record = f"{{'ts': label_ts, {values}}}"
    return {
        LabelPolicy.LATEST: f"max({record})",
        LabelPolicy.FIRST: f"arg_max({record}, {{'order': -label_ts, {values}}})",
        LabelPolicy.LAST_ARRIVAL: f"arg_max({record}, "
        f"{{'order': arrived, 'ts': label_ts, {values}}})",
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
    columns = _names((*_outcome_columns(model), *_truth_columns(model)))
    columns += ", time, first_ts"
    return [
        "DELETE FROM labeled WHERE key IN (SELECT key FROM delta_labeled WHERE sign < 0)",
        f"INSERT INTO labeled BY NAME SELECT {columns} FROM delta_labeled WHERE sign > 0",
    ]


def keep_fresh(model: ModelConfig) -> str:
    """Return the statement that notes the labelled rows that were added and taken away."""
    columns = f"sign, slot, {_names((*_outcome_columns(model), *_truth_columns(model)))}"
    return f"INSERT INTO fresh_labeled BY NAME SELECT {columns} FROM delta_labeled"


def lifetime(model: ModelConfig) -> str:
    """Return the statement that adds a change to the counters since the beginning.

    A label record counts once: as the one that its prediction is matched with, for a value that
    is new (corrected; superseded where the first counts), for a repeated value (duplicate), or as
    late. None of these can fall when more records arrive, in whatever order.
    """
    first = model.label_policy is LabelPolicy.FIRST
    lead, counted, counts = (", lead", " WHERE lead", " AND lead") if model.shadow else ("",) * 3
    ledger = {
        LabelOutcome.MATCHED: "matched",
        LabelOutcome.SUPERSEDED if first else LabelOutcome.CORRECTED: "corrected",
        LabelOutcome.DUPLICATE: "duplicate",
    }
    bucket = " + ".join(f"(first_ts - ts > {edge}000000)::INT" for edge in DELAY_EDGES)
    parts = [
        f"SELECT version, 'ledger' AS stat, {sql_text(outcome)} AS name, '' AS key, "
        f"{amount} AS value FROM labeled_by_delay{counted}"
        for outcome, amount in ledger.items()
    ]
    parts += [
        "SELECT version, 'delay', '', CAST(bucket AS VARCHAR), matched FROM labeled_by_delay",
        "SELECT version, 'delay_sum', '', '', delay FROM labeled_by_delay",
        f"SELECT version, 'ledger', {sql_text(LabelOutcome.LATE)}, '', sum(sign) FROM delta_pair "
        f"WHERE late{counts} GROUP BY version",
    ]
    if model.task is not Task.REGRESSION:
        parts.append(
            "SELECT version, 'confusion', label, predicted, sum(sign) FROM delta_pair "
            "WHERE NOT late GROUP BY version, label, predicted"
        )
    return (
        f"INSERT INTO lifetime WITH labeled_by_delay AS (SELECT version{lead}, {bucket} AS bucket, "
        "sum(sign) AS matched, sum(sign * (labels - 1)) AS corrected, "
        "sum(sign * (records - labels)) AS duplicate, sum(sign * (first_ts - ts)) AS delay "
        f"FROM delta_labeled GROUP BY version{lead}, bucket) {' UNION ALL '.join(parts)}"
    )


def piece_rows(model: ModelConfig, bounds: Sequence[tuple[int, int]], now: int) -> list[str]:
    """Return the statements that take as `delta` the rows in each of some intervals.

    `bounds` are half-open, in microseconds; the slot of a row is the place of its interval.
    """
    source = "(SELECT *, ts AS time FROM prediction)"
    if model.windows_by == "label_timestamp":
        source = placed_by_label(model)
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


def placed_by_label(model: ModelConfig) -> str:
    """Return the relation of predictions with the time of their label."""
    same = identity(model)
    return (
        f"(SELECT p.*, time FROM prediction p JOIN (SELECT {same}, time FROM labeled) "
        f"USING ({same}))"
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


def identity(model: ModelConfig) -> str:
    """Return the columns that tell one prediction from another."""
    return "key, version" if model.shadow else "key"


def _plan(model: ModelConfig, source: str) -> tuple[Column, ...]:
    return prediction_columns(model) if source == "predictions" else label_columns(model)


def _outcome_columns(model: ModelConfig) -> tuple[Column, ...]:
    """Return the columns that go with a label: features are of no concern to the scores."""
    return tuple(c for c in prediction_columns(model) if c.name[0] not in "fb")


def _truth_columns(model: ModelConfig) -> tuple[Column, ...]:
    """Return the columns that a label brings: `label`, and the amounts of the business."""
    form = Form.NUMBER if model.task is Task.REGRESSION else Form.CATEGORY
    return (Column("label", form, (), ""), *amount_columns(model))


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.name for column in columns)


def _definitions(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.name} {column.form.sql_type}" for column in columns)
