"""Databases to read from: one function each, from a query to Arrow tables of bounded size.

Each opens the database for reading only, binds the parameters, and limits the time of the query
and of each fetch. Rows are fetched by the databases' own drivers, those that Ibis uses: Ibis itself
makes a view to learn what a query returns, which a read-only transaction refuses, and holds all
rows of SQLite in memory.
"""

import contextlib
import datetime
import decimal
import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pyarrow as pa

from model_exporter.errors import SourceError, UnreachableError
from model_exporter.job.secret import Secret, redacted

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
            with _deadline(query.seconds, connection.interrupt):
                cursor = connection.execute(query.sql, query.parameters)
            names = [column[0] for column in cursor.description or ()]
            while True:
                with _deadline(query.seconds, connection.interrupt):
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
            with _deadline(query.seconds, connection.interrupt):
                found: Any = connection.sql(query.sql, params=list(query.parameters))
                if found is None:
                    raise SourceError(f"{database.url}: the query returns no rows by its nature")
                # The older name warns in newer versions; rows as tuples would need pytz.
                reader = getattr(found, "to_arrow_reader", None) or found.fetch_arrow_reader
                batches = reader(query.rows)
            while True:
                with _deadline(query.seconds, connection.interrupt):
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
        with connection, _cut_off(connection, query.seconds + GRACE_SECONDS) as guarded:
            connection.read_only = True
            milliseconds = str(round(query.seconds * 1000))
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [milliseconds])
            connection.execute("SET LOCAL TIME ZONE 'UTC'")
            reached = True
            with connection.cursor(name="model_exporter") as cursor:
                with guarded():
                    cursor.execute(*_psycopg_form(query))
                names = [column.name for column in cursor.description or ()]
                while True:
                    with guarded():
                        rows = cursor.fetchmany(query.rows)
                    if not rows:
                        return
                    yield rows_table(names, rows)
    except psycopg.Error as error:
        cut = isinstance(error, psycopg.OperationalError)
        raise _failure(database, error, password or "", reached=reached and not cut) from error


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


@contextlib.contextmanager
def _deadline(seconds: float, stop: Callable[[], None]) -> Iterator[None]:
    late = threading.Event()

    def interrupt() -> None:
        late.set()
        stop()

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise UnreachableError(
                f"no answer within {seconds:g} s; make the query cheaper, or raise `timeout`"
            ) from error
        raise
    finally:
        timer.cancel()


@contextlib.contextmanager
def _cut_off(
    connection: Any, seconds: float
) -> Iterator[Callable[[], contextlib.AbstractContextManager[None]]]:
    """Provide a guard that cuts the connection of a server that no longer keeps its own limit."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        yield lambda: _deadline(seconds, lambda: line.shutdown(socket.SHUT_RDWR))


def _failure(database: Database, error: Exception, *secrets: str, reached: bool) -> SourceError:
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    kind = SourceError if reached else UnreachableError
    return kind(f"{database.url}: {redacted(first_line, *secrets)}")
