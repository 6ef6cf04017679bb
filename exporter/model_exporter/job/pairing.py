"""The SQL of the join: what some predictions and labels contributed to the tiles, and do now.

A change is described by four relations: the predictions and the labels that it concerns, as they
were and as they are. From them follow the pairs of prediction and label, the label that counts for
each prediction, and with these the difference to add to the tiles.
"""

from collections.abc import Sequence

from model_exporter.job import shadow
from model_exporter.job.columns import sql_text
from model_exporter.job.config import ModelConfig
from model_exporter.job.tables import HOUR, identity, names_of, outcome_columns, truth_columns
from model_exporter.records import LabelOutcome, LabelPolicy, Task

DELAY_EDGES = (60, 300, 900, 3_600, 21_600, 86_400, 259_200, 604_800, 2_592_000, 7_776_000)
"""Upper bounds in seconds of the buckets of `model_label_delay_seconds`: a minute to 90 days."""


def sides(**relations: str) -> list[str]:
    """Return the statements that name the four relations of a change."""
    return [f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}" for name, sql in relations.items()]


def pair(model: ModelConfig, side: str, now: int) -> list[str]:
    """Return the statements that pair the predictions of a side with their labels as of `now`.

    ``<side>_pair`` has a row for each label record, ``<side>_labeled`` one for each prediction
    with a label that counts.
    """
    columns = names_of(outcome_columns(model))
    truth = [c.name for c in truth_columns(model)]
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
    columns = names_of((*outcome_columns(model), *truth_columns(model)))
    columns += ", time, first_ts"
    return [
        "DELETE FROM labeled WHERE key IN (SELECT key FROM delta_labeled WHERE sign < 0)",
        f"INSERT INTO labeled BY NAME SELECT {columns} FROM delta_labeled WHERE sign > 0",
    ]


def keep_fresh(model: ModelConfig) -> str:
    """Return the statement that notes the labelled rows that were added and taken away."""
    columns = f"sign, slot, {names_of((*outcome_columns(model), *truth_columns(model)))}"
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
