"""The SQL that reads records in the canonical form, and tells why some are refused."""

import pyarrow as pa

from model_exporter.job.columns import (
    Form,
    amount_columns,
    binary_classes,
    key_of,
    select,
    sql_text,
)
from model_exporter.job.config import ModelConfig
from model_exporter.job.tables import definitions, plan
from model_exporter.records import Task

MAX_AMOUNT = "1e150"
"""Amounts beyond it count as missing: their squares would overflow."""

MAX_OUTCOME = "1e75"
"""Predictions and labels of a regression beyond it are invalid: fourth powers would overflow."""

PLACE = "_place_in_batch"


def staged(model: ModelConfig, source: str) -> list[str]:
    """Return the statements that make the empty table `staged`, and `incoming`, its valid rows."""
    definition = f"{definitions(plan(model, source))}, reason VARCHAR"
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
        f"{digest_of(model, source)} AS digest FROM ({canonical}) WHERE reason IS NOT NULL "
        f"AND {_is_new(model, source)} GROUP BY digest ORDER BY place"
    )


ANY_REFUSED = "SELECT 1 FROM staged WHERE reason IS NOT NULL LIMIT 1"


def _is_new(model: ModelConfig, source: str) -> str:
    known = f"SELECT digest FROM invalid WHERE source = {sql_text(source)}"
    return f"{digest_of(model, source)} NOT IN ({known})"


def _canonical(model: ModelConfig, source: str, schema: pa.Schema, *, more: str = "") -> str:
    classes = binary_classes(model)
    columns = plan(model, source)
    read = ", ".join(select(column, schema, binary_classes=classes) for column in columns)
    filled = ", ".join(_filled(model, source))
    reason = _verdict(model, source)
    return f"SELECT * REPLACE ({filled}), {reason} AS reason FROM (SELECT {more}{read} FROM batch)"


def verdicts(model: ModelConfig, source: str, schema: pa.Schema) -> str:
    """Return the query of why each row of the view `batch` is refused; null if it is not."""
    columns = [c for c in plan(model, source) if c.name in ("key", "ts", "predicted", "label")]
    classes = binary_classes(model)
    read = ", ".join(select(column, schema, binary_classes=classes) for column in columns)
    return f"SELECT {_verdict(model, source)} FROM (SELECT {read} FROM batch)"


def _verdict(model: ModelConfig, source: str) -> str:
    """Return the expression of the reason for which a row in the canonical form is refused."""
    value, usable = _usable(model, source)
    return (
        "CASE WHEN key IS NULL THEN 'id' WHEN ts IS NULL THEN 'timestamp' "
        f"WHEN {usable} THEN NULL ELSE {sql_text(value)} END"
    )


def _filled(model: ModelConfig, source: str) -> list[str]:
    """Return what the store keeps where it is not what was read: keys, and what has no null.

    A missing amount is the least of all, so that it equals itself and that of two label records
    that tie, the one with an amount counts.
    """
    keys = [f"{key_of(c.name)} AS {c.name}" for c in plan(model, source) if c.form is Form.KEY]
    if source == "predictions":
        return [*keys, "coalesce(version, '') AS version"]
    usable = f"CASE WHEN abs({{0}}) <= {MAX_AMOUNT} THEN {{0}} ELSE CAST('-inf' AS DOUBLE) END"
    amounts = [f"{usable.format(c.name)} AS {c.name}" for c in amount_columns(model)]
    return [*keys, *amounts]


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
        f"{digest_of(model, source)} AS digest FROM staged "
        f"WHERE reason IS NOT NULL AND {_is_new(model, source)}"
    )


def digest_of(model: ModelConfig, source: str, of: str = "") -> str:
    """Return the expression of the digest of a record, of the relation `of`."""
    return f"hash(row({', '.join(f'{of}{c.name}' for c in plan(model, source))}))"
