"""Databases to read from: one function each, from a query to Arrow tables of bounded size.

Each opens the database for reading only, binds the parameters, and limits the time of the query
and of each fetch. Rows are fetched by the databases' own drivers, those that Ibis uses: Ibis itself
makes a view to learn what a query returns, which a read-only transaction refuses, and holds all
rows of SQLite in memory.
"""

import contextlib
import datetime
import decimal
import functools
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pyarrow as pa

from model_exporter.errors import SourceError, UnreachableError
from model_exporter.job.secret import Secret, redacted
from model_exporter.job.sources.deadline import cut, deadline

PLAIN = {bool, int, float, str, decimal.Decimal, datetime.datetime, datetime.date, type(None)}
CONNECT_SECONDS = 10
GRACE_SECONDS = 5
"""What a server gets beyond its own time limit before the connection to it is cut."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to read: SQL with `?` for the parameter, if any, and the limits."""

    sql: str
    parameters: Sequence[Any]
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Database:
    """Where to read: a URL without secrets, or a file, and the password."""

    url: str
    path: Path | None = None
    password: Secret | None = None


def read_sqlite(database: Database, query: Query) -> Iterator[pa.Table]:
    """Read from a SQLite file."""
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(database.path))}?mode=ro",
            uri=True,
            timeout=CONNECT_SECONDS,
            check_same_thread=False,  # it is interrupted from another
        )
        with contextlib.closing(connection):
            with deadline(query.seconds, connection.interrupt):
                cursor = connection.execute(query.sql, query.parameters)
            names = [column[0] for column in cursor.description or ()]
            while True:
                with deadline(query.seconds, connection.interrupt):
                    rows = cursor.fetchmany(query.rows)
                if not rows:
                    return
                yield rows_table(names, rows)
    except sqlite3.Error as error:
        raise _failure(database, error, reached="locked" not in str(error)) from error


def read_duckdb(database: Database, query: Query) -> Iterator[pa.Table]:
    """Read from a DuckDB file."""
    if database.path is None or not database.path.is_file():
        raise SourceError(f"{database.url}: no such file; check `url`")
    try:
        with duckdb.connect(database.path, read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            with deadline(query.seconds, connection.interrupt):
                found: Any = connection.sql(query.sql, params=list(query.parameters))
                if found is None:
                    raise SourceError(f"{database.url}: the query returns no rows by its nature")
                # The older name warns in newer versions; rows as tuples would need pytz.
                reader = getattr(found, "to_arrow_reader", None) or found.fetch_arrow_reader
                batches = reader(query.rows)
            while True:
                with deadline(query.seconds, connection.interrupt):
                    batch = next(batches, None)
                if batch is None:
                    return
                yield pa.Table.from_batches([batch])
    except duckdb.Error as error:
        raise _failure(database, error, reached="lock" not in str(error)) from error


def read_postgres(database: Database, query: Query) -> Iterator[pa.Table]:
    """Read from PostgreSQL, in a read-only transaction, through a cursor on the server."""
    try:
        import psycopg
    except ImportError as error:
        raise SourceError(
            f"{database.url}: needs psycopg; pip install 'model-exporter[postgres]'"
        ) from error
    password = database.password.read() if database.password else None
    reached = False
    try:
        connection = psycopg.connect(
            database.url,
            password=password,
            connect_timeout=CONNECT_SECONDS,
            application_name="model-exporter",
        )
        limit = query.seconds + GRACE_SECONDS
        stop = functools.partial(cut, connection.fileno())
        with connection:
            connection.read_only = True
            milliseconds = str(round(query.seconds * 1000))
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [milliseconds])
            connection.execute("SET LOCAL TIME ZONE 'UTC'")
            reached = True
            with connection.cursor(name="model_exporter") as cursor:
                with deadline(limit, stop):
                    cursor.execute(*_psycopg_form(query))
                names = [column.name for column in cursor.description or ()]
                while True:
                    with deadline(limit, stop):
                        rows = cursor.fetchmany(query.rows)
                    if not rows:
                        return
                    yield rows_table(names, rows)
    except psycopg.Error as error:
        reached = reached and not isinstance(error, psycopg.OperationalError)
        raise _failure(database, error, password or "", reached=reached) from error


DATABASES: Mapping[str, Callable[[Database, Query], Iterator[pa.Table]]] = {
    "sqlite": read_sqlite,
    "duckdb": read_duckdb,
    "postgresql": read_postgres,
}


def rows_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return rows as a table; a column of values that Arrow has no one type for becomes text."""
    columns = zip(*rows, strict=True)
    return pa.table([_array(column) for column in columns], names=list(names))


def _psycopg_form(query: Query) -> tuple[str, list[Any] | None]:
    if not query.parameters:
        return query.sql, None
    # The parameter stands last; question marks of the user's own query are operators.
    before, _, after = query.sql.replace("%", "%%").rpartition("?")
    return f"{before}%s{after}", list(query.parameters)


def _array(values: Sequence[Any]) -> pa.Array:
    kinds = set(map(type, values))
    if kinds == {type(None)}:
        return pa.array(values, pa.string())
    if kinds <= PLAIN:
        with contextlib.suppress(pa.ArrowException, OverflowError, TypeError):
            return pa.array(values)
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str) if isinstance(value, (dict, list)) else str(value)


def _failure(database: Database, error: Exception, *secrets: str, reached: bool) -> SourceError:
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    kind = SourceError if reached else UnreachableError
    return kind(f"{database.url}: {redacted(first_line, *secrets)}")
