"""The SQL of the join: what some predictions and labels contributed to the tiles, and do now.

A change is described by two relations: `changed_prediction` and `changed_label` are the rows that
it concerns, each with whether it counted `before` and whether it does `after`. They are joined
once. From the pairs follow the label that counts for each prediction, before and after, and with
these the difference to add to the tiles.
"""

from collections.abc import Sequence

from model_exporter.job import shadow
from model_exporter.job.columns import prediction_columns, sql_text
from model_exporter.job.config import ModelConfig
from model_exporter.job.tables import HOUR, identity, names_of, outcome_columns, truth_columns
from model_exporter.records import LabelOutcome, LabelPolicy, Task

DELAY_EDGES = (60, 300, 900, 3_600, 21_600, 86_400, 259_200, 604_800, 2_592_000, 7_776_000)
"""Upper bounds in seconds of the buckets of `model_label_delay_seconds`: a minute to 90 days."""
SIDES = ((-1, "before"), (1, "after"))


def changed(relation: str, *, before: str = "true", after: str = "true") -> str:
    """Return the query of the rows of a relation with whether they counted, and whether they do."""
    return f"SELECT *, {before} AS before, {after} AS after FROM {relation}"


def views(**relations: str) -> list[str]:
    """Return the statements that name the results of some queries."""
    return [f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}" for name, sql in relations.items()]


def pair(model: ModelConfig, *, was: int, now: int) -> list[str]:
    """Return the statements that pair the changed predictions with their labels.

    `delta_pair` then has a signed row for each label record, -1 as of `was` and 1 as of `now`. The
    table `pair` also has those that do not count yet, with sign 0.
    """
    columns = [c.name for c in outcome_columns(model)]
    truth = [c.name for c in truth_columns(model)]
    lead = f", {shadow.LEAD} AS lead" if model.shadow else ""
    limit = model.max_label_delay
    late = "false" if limit is None else f"label_ts - ts > {limit.microseconds}"
    of_label = ", ".join(["ts AS label_ts", *truth, "arrived"])
    known = "p.{0} AND l.{0} AND ts <= {1} AND label_ts <= {1}"
    before, after = known.format("before", was), known.format("after", now)
    sign = f"CASE WHEN {before} THEN CASE WHEN {after} THEN [-1, 1] ELSE [-1] END "
    sign += f"WHEN {after} THEN [1] ELSE [0] END"
    return [
        "CREATE OR REPLACE TEMP TABLE pair AS "
        f"SELECT CAST(unnest({sign}) AS BIGINT) AS sign, "
        f"* EXCLUDE (before, after), {late} AS late FROM "
        f"(SELECT {', '.join(columns)}, before, after{lead} FROM changed_prediction) p "
        f"JOIN (SELECT key, {of_label}, before, after FROM changed_label) l USING (key)",
        *views(delta_pair="SELECT * FROM pair WHERE sign <> 0"),
    ]


def several(model: ModelConfig) -> str:
    """Return the statement that finds the label that counts where there are several records."""
    truth = [c.name for c in truth_columns(model)]
    return (
        "CREATE OR REPLACE TEMP TABLE several AS "
        "WITH several AS (SELECT key FROM changed_label GROUP BY key HAVING count(*) > 1) "
        f"SELECT sign, {', '.join(_constant(_kept(model), identity(model)))}, "
        f"{_best(model.label_policy, truth)} AS best, min(label_ts) AS first_ts, "
        "count(*) AS records, count(DISTINCT label) AS labels FROM delta_pair "
        f"SEMI JOIN several USING (key) WHERE NOT late GROUP BY sign, {identity(model)}"
    )


def count(model: ModelConfig, *, several: bool) -> str:
    """Return the statement that names the signed predictions with the label that counts.

    They are in `delta_labeled` then; `several` tells whether the table of that name has rows.
    """
    truth = [c.name for c in truth_columns(model)]
    time = "best_ts" if model.windows_by == "label_timestamp" else "ts"
    rows = (
        f"SELECT sign, {', '.join([*_kept(model), *truth])}, label_ts AS best_ts, "
        "label_ts AS first_ts, 1 AS records, 1 AS labels FROM delta_pair "
    )
    if several:
        best = ", ".join([*_kept(model), *(f"best.{name}" for name in truth)])
        rows += f"ANTI JOIN several USING ({identity(model)}) WHERE NOT late UNION ALL "
        rows += f"SELECT sign, {best}, best.ts, first_ts, records, labels FROM several"
    else:
        rows += "WHERE NOT late"
    (statement,) = views(
        delta_labeled=f"SELECT *, {time} AS time, CAST(floor({time} / {HOUR}.0) AS BIGINT) AS slot "
        f"FROM ({rows})"
    )
    return statement


def join(model: ModelConfig) -> list[str]:
    """Return the statements that decide which labels count; tiles depend on what they say."""
    several_too = several(model), count(model, several=True)
    return [*pair(model, was=0, now=0), *several_too]


def _kept(model: ModelConfig) -> list[str]:
    return [*(c.name for c in outcome_columns(model)), *["lead"] * model.shadow]


def _constant(columns: Sequence[str], same: str) -> list[str]:
    """List the columns of a group of pairs of one prediction."""
    return [c if c in same.split(", ") else f"any_value({c}) AS {c}" for c in columns]


def predicted(model: ModelConfig, *, was: int, now: int) -> list[str]:
    """Return the statements that name the signed predictions that have a place in time."""
    signed = " UNION ALL ".join(
        f"SELECT CAST({sign} AS BIGINT) AS sign, CAST(floor(ts / {HOUR}.0) AS BIGINT) AS slot, * "
        f"FROM changed_prediction WHERE {side} AND ts <= {at}"
        for (sign, side), at in zip(SIDES, (was, now), strict=True)
    )
    if model.windows_by == "label_timestamp":
        same = identity(model)
        signed = (
            f"SELECT sign, slot, time, p.* FROM changed_prediction p "
            f"JOIN (SELECT sign, slot, time, {same} FROM delta_labeled) USING ({same}) "
            "WHERE CASE WHEN sign < 0 THEN before ELSE after END"
        )
    return views(delta_prediction=signed)


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


DROP_LABELED = "DELETE FROM labeled WHERE key IN (SELECT key FROM delta_labeled WHERE sign < 0)"


def keep_labeled(model: ModelConfig) -> str:
    """Return the statement that adds the predictions that have a label now to `labeled`."""
    return (
        f"INSERT INTO labeled BY NAME SELECT {_labeled_columns(model)} FROM delta_labeled "
        "WHERE sign > 0"
    )


def _labeled_columns(model: ModelConfig) -> str:
    columns = names_of((*outcome_columns(model), *truth_columns(model)))
    return f"{columns}, time, first_ts"


FRESH = (
    "CREATE OR REPLACE TEMP TABLE fresh_prediction AS "
    "SELECT CAST(1 AS BIGINT) AS sign, *, ts AS time FROM prediction LIMIT 0",
    "CREATE OR REPLACE TEMP TABLE fresh_labeled AS "
    "SELECT CAST(1 AS BIGINT) AS sign, * FROM labeled LIMIT 0",
)
"""Statements that make the empty tables of the signed rows of the changes of late."""


def keep_fresh(model: ModelConfig, rows: str) -> str:
    """Return the statement that notes the signed rows of a change, `prediction` or `labeled`."""
    columns = names_of(prediction_columns(model))
    if rows == "labeled":
        columns = _labeled_columns(model)
    elif model.windows_by == "prediction_timestamp":
        columns += ", ts AS time"
    else:
        columns += ", time"
    return f"INSERT INTO fresh_{rows} BY NAME SELECT sign, {columns} FROM delta_{rows}"


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


def piece_rows(
    model: ModelConfig,
    bounds: Sequence[tuple[int, int]],
    fresh: Sequence[tuple[int, int]],
    now: int,
) -> list[str]:
    """Return the statements that take as `delta` the rows in each of some intervals.

    There is at least one interval; they are half-open, in microseconds. Of those of `bounds` it is
    all rows, of those of `fresh` the changes of late. The slot of a row is the place of its
    interval, first in `bounds`, then in `fresh`.
    """
    source = "(SELECT *, ts AS time FROM prediction)"
    if model.windows_by == "label_timestamp":
        source = placed_by_label(model)

    def rows(of: str, table: str, more: str) -> str:
        inside = [f"time >= {start} AND time < {end}" for start, end in (*bounds, *fresh)]
        parts = [
            f"SELECT CAST(1 AS BIGINT) AS sign, CAST({i} AS BIGINT) AS slot, * FROM {table} "
            f"WHERE {inside[i]}{more}"
            for i in range(len(bounds))
        ]
        parts += [
            f"SELECT CAST({i} AS BIGINT) AS slot, * FROM fresh_{of} WHERE {inside[i]}"
            for i in range(len(bounds), len(inside))
        ]
        return " UNION ALL BY NAME ".join(parts)

    pieces = {
        "prediction": rows("prediction", source, f" AND ts <= {now}"),
        "labeled": rows("labeled", "labeled", ""),
    }
    return [
        # Tables, because each is read several times and a plan grows with the intervals.
        *(f"CREATE OR REPLACE TEMP TABLE piece_{of} AS {sql}" for of, sql in pieces.items()),
        *views(**{f"delta_{of}": f"SELECT * FROM piece_{of}" for of in pieces}),
    ]


def placed_by_label(model: ModelConfig) -> str:
    """Return the relation of predictions with the time of their label."""
    same = identity(model)
    return (
        f"(SELECT p.*, time FROM prediction p JOIN (SELECT {same}, time FROM labeled) "
        f"USING ({same}))"
    )
