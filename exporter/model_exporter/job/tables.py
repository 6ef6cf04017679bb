"""The tables of the embedded store, and the columns that its statements speak of."""

from collections.abc import Sequence

from model_exporter.job import cells
from model_exporter.job.columns import (
    Column,
    Form,
    amount_columns,
    label_columns,
    prediction_columns,
)
from model_exporter.job.config import ModelConfig
from model_exporter.records import Task

SCHEMA_VERSION = "9"
HOUR = 3_600_000_000
"""Microseconds. The slot of a tile is the hour of its rows, counted from 1970."""

META = "CREATE TABLE IF NOT EXISTS meta (key VARCHAR, value VARCHAR)"
_GROUP = "version VARCHAR, segment VARCHAR, segment_value VARCHAR, slot BIGINT"
TILES = {
    "counts": f"{_GROUP}, stat VARCHAR, name VARCHAR, key VARCHAR, value BIGINT",
    "sums": f"{_GROUP}, stat VARCHAR, key VARCHAR, exponent BIGINT, value HUGEINT, rows BIGINT",
    "cells": f"{_GROUP}, label VARCHAR, predicted VARCHAR, bin BIGINT, "
    + ", ".join(f"{name} HUGEINT" for name in cells.AMOUNTS),
}
TABLES = {
    "cursor": "source VARCHAR, file VARCHAR, position BIGINT, fingerprint VARCHAR",
    "invalid": "source VARCHAR, reason VARCHAR, digest UBIGINT",
    "orphan": "key UHUGEINT",
    "lifetime": "version VARCHAR, stat VARCHAR, name VARCHAR, key VARCHAR, value HUGEINT",
    **TILES,
}
ADDED = {
    "counts": ("value",),
    "sums": ("value", "rows"),
    "cells": cells.AMOUNTS,
    "lifetime": ("value",),
}
"""By table: the columns that add up."""
SCRATCH = ("staged", "winners", "stored", "adopted", "near", "known", "unseen", "pair", "several")
"""Temporary tables with rows of what is taken in."""


def create(model: ModelConfig) -> list[str]:
    """Return the statements that make all tables anew."""
    label = definitions(truth_columns(model))
    tables = {
        **TABLES,
        "prediction": definitions(prediction_columns(model)),
        "label": f"key UHUGEINT, ts BIGINT, {label}, arrived BIGINT",
        "labeled": f"{definitions(outcome_columns(model))}, time BIGINT, first_ts BIGINT, {label}",
    }
    return [
        "DELETE FROM meta",
        *(f"CREATE OR REPLACE TABLE {name} ({definition})" for name, definition in tables.items()),
    ]


def append(kind: str, tiles: str) -> str:
    """Return the statement that adds tiles, without those that cancelled out."""
    changed = " OR ".join(f"{name} <> 0" for name in ADDED[kind])
    return f"INSERT INTO {kind} BY NAME SELECT * FROM ({tiles}) WHERE {changed}"


def keys_of(table: str) -> list[str]:
    """Return the columns of a table of `ADDED` that tell its rows apart."""
    columns = [part.split()[0] for part in TABLES[table].split(", ")]
    return [name for name in columns if name not in ADDED[table]]


def drop_scratch() -> list[str]:
    """Return the statements that give back the memory of what was taken in."""
    return [f"DROP TABLE IF EXISTS temp.{table}" for table in SCRATCH]


def compact() -> list[str]:
    """Return the statements that merge appended tiles."""
    statements = []
    for table, added in ADDED.items():
        keys = ", ".join(keys_of(table))
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


def plan(model: ModelConfig, source: str) -> tuple[Column, ...]:
    """Return the columns of the records of a source."""
    return prediction_columns(model) if source == "predictions" else label_columns(model)


def outcome_columns(model: ModelConfig) -> tuple[Column, ...]:
    """Return the columns that go with a label: features are of no concern to the scores."""
    return tuple(c for c in prediction_columns(model) if c.name[0] not in "fb")


def truth_columns(model: ModelConfig) -> tuple[Column, ...]:
    """Return the columns that a label brings: `label`, and the amounts of the business."""
    form = Form.NUMBER if model.task is Task.REGRESSION else Form.CATEGORY
    return (Column("label", form, (), ""), *amount_columns(model))


def names_of(columns: Sequence[Column]) -> str:
    """List the names of columns."""
    return ", ".join(column.name for column in columns)


def definitions(columns: Sequence[Column]) -> str:
    """List columns with their types."""
    return ", ".join(f"{column.name} {column.form.sql_type}" for column in columns)
