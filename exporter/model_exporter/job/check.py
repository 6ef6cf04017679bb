"""Opens the sources that a configuration names, and refuses columns that cannot be what it says.

Done before anything is ingested: a misspelt column or a label column of another type is refused
at start, in one line, not found out weeks later in an empty dashboard.
"""

import time
from collections.abc import Iterable

import duckdb
import pyarrow as pa

from model_exporter.errors import SchemaError, SourceError, UnreachableError
from model_exporter.job.columns import (
    Column,
    Form,
    binary_classes,
    feature_names,
    known_classes,
    label_columns,
    prediction_columns,
    select,
)
from model_exporter.job.config import Config, ModelConfig
from model_exporter.job.counters import CounterReader
from model_exporter.job.intake import read_token
from model_exporter.job.source_section import PROMETHEUS, PUSH, SourceConfig
from model_exporter.job.sources.prometheus import Prometheus
from model_exporter.records import Task

SAMPLE_ROWS = 1_000
ESSENTIAL = ("key", "ts", "predicted", "label")


def check_sources(config: Config) -> list[str]:
    """Check some rows of every source; one that holds none yet is fine.

    Returns
    -------
    list of str
        What could not be checked, since its server did not answer. That is no mistake of the
        configuration, and must not keep the other sources from being served.

    Raises
    ------
    SourceError, SchemaError
        At the first source that is missing, unreadable, lacks a column, or has a column in which
        no value is of the type that the configuration implies.
    """
    unchecked = []
    for model in config.models:
        for source in filter(None, (model.predictions, model.labels)):
            try:
                _check(model, source)
            except UnreachableError as error:
                unchecked.append(str(error))
    return unchecked


def check_batch(columns: Iterable[Column], table: pa.Table, where: str) -> None:
    """Refuse rows without the columns that make a record: what changed may be changed back.

    Raises
    ------
    SchemaError
        If one is absent altogether. (A line of JSON may leave a key out, so that this is nothing
        for JSON Lines; there a record without it is invalid.)
    """
    have = set(table.column_names)
    for column in columns:
        if column.name in ESSENTIAL and not have & set(column.candidates):
            raise SchemaError(_absent(where, column.candidates[0], column.key, table))


def _check(model: ModelConfig, source: SourceConfig) -> None:
    if source.type == PUSH:
        _check_token(source)
        return
    if source.type == PROMETHEUS:
        _check_counters(model, source)
        return
    try:
        found = source.open().sample()
    except SourceError as error:
        raise type(error)(f"{source.place}: {error}") from error
    if found is None:
        return
    name, table = found
    of_labels = source is model.labels
    columns = label_columns(model) if of_labels else prediction_columns(model)
    where = f"{source.place}: {name}"
    _check_names(model, columns, table, where)
    _check_types(model, columns, table.slice(0, SAMPLE_ROWS), where)


def _check_counters(model: ModelConfig, source: SourceConfig) -> None:
    """Ask once; a model that counts in other bins today may be replaced tomorrow: no refusal."""
    assert source.prometheus is not None
    try:
        CounterReader(Prometheus(source.prometheus), model).check(round(time.time() * 1_000_000))
    except SourceError as error:
        raise UnreachableError(f"{source.place}: {error}") from error


def _check_token(source: SourceConfig) -> None:
    path = source.token_file
    if path is not None and read_token(path) is None:
        raise SourceError(
            f"{source.place}: {path}: expected a readable file with one line of visible ASCII, the "
            "bearer token; write one"
        )


def _check_names(
    model: ModelConfig, columns: Iterable[Column], table: pa.Table, where: str
) -> None:
    have = set(table.column_names)
    for column in columns:
        if column.required and not have & set(column.candidates):
            raise SchemaError(_absent(where, column.candidates[0], column.key, table))
    if any(column.name == "predicted" for column in columns):
        for name in feature_names(model):
            if not have & {name, f"features.{name}", f"bins.{name}"}:
                raise SchemaError(_absent(where, name, "features", table))


def _absent(where: str, name: str, key: str, table: pa.Table) -> str:
    have = ", ".join(table.column_names)
    return f"{where} has no column {name!r}; it has: {have}; correct `{key}`"


def _check_types(
    model: ModelConfig, columns: Iterable[Column], sample: pa.Table, where: str
) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("batch", sample)
        for column in columns:
            name = next((c for c in column.candidates if c in sample.column_names), None)
            if name is None:
                continue
            quoted = '"' + name.replace('"', '""') + '"'
            read = select(column, sample.schema, binary_classes=binary_classes(model))
            raw, example, good = connection.execute(
                f"SELECT count(raw), any_value(raw), count(*) FILTER ({_good(column, model)}) "
                f"FROM (SELECT nullif(CAST({quoted} AS VARCHAR), '') AS raw, {read} FROM batch)"
            ).fetchall()[0]
            if raw and not good:
                raise SchemaError(
                    f"{where}: column {name!r} holds {example!r}, expected "
                    f"{_expected(column, model)}; correct `{column.key}` or the file"
                )


def _outcome(column: Column) -> bool:
    return column.name in ("predicted", "label")


def _allowed(column: Column, model: ModelConfig) -> tuple[str, ...]:
    """Return the classes that an outcome can have, where that is known."""
    if not _outcome(column) or model.task is Task.REGRESSION:
        return ()
    return binary_classes(model) if model.task is Task.BINARY else known_classes(model)


def _good(column: Column, model: ModelConfig) -> str:
    allowed = _allowed(column, model)
    if allowed:
        texts = ", ".join("'" + c.replace("'", "''") + "'" for c in allowed)
        return f"{column.name} IN ({texts})"
    if column.form is Form.NUMBER:
        return f"{column.name} IS NOT NULL AND NOT isnan({column.name})"
    return f"{column.name} IS NOT NULL"


def _expected(column: Column, model: ModelConfig) -> str:
    allowed = _allowed(column, model)
    if allowed:
        return f"one of the classes {', '.join(allowed)} of a {model.task} model"
    if _outcome(column):
        return f"{column.form.expected} for a {model.task} model"
    return column.form.expected
