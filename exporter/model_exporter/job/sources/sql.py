"""Tables and queries of a database: SQLite, DuckDB, PostgreSQL.

With `cursor`, a column that only grows (a sequence, the time of insertion), each read takes the
rows at or after the greatest value seen. *At*: rows with this very value may have come since, so
they are read again, and left out if they are those that were read before. Without, everything is
read each time, and chunks that have not changed are left out. Rows that are read twice all the same
have no effect in the store.
"""

import datetime
import decimal
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from model_exporter.errors import SourceError
from model_exporter.job.secret import take_secret
from model_exporter.job.sources.batch import Batch, Cursor, Source
from model_exporter.job.sources.databases import DATABASES, Database, Query
from model_exporter.job.yaml_section import Section

CHUNK_ROWS = 50_000
SAMPLE_ROWS = 1_000
THAW: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "Decimal": decimal.Decimal,
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
}
"""How a value of a cursor column is read back from the store's text."""


@dataclass(frozen=True, slots=True)
class SqlOptions:
    """What the configuration says of an SQL source; `select` is the query or names the table."""

    database: Database
    scheme: str
    select: str
    name: str
    cursor: str
    lookback: datetime.timedelta
    seconds: float


@dataclass(frozen=True, slots=True)
class Reached:
    """The greatest value of the cursor column that was read, and which rows had it."""

    value: Any = None
    rows: int = 0
    digest: int = 0

    def after(self, table: pa.Table, column: str) -> "Reached":
        """Return what is reached after some more rows, in the order of the column."""
        value = table.column(column)[-1].as_py()
        ties = table.filter(pc.equal(table.column(column), table.column(column)[-1]))
        start = self if value == self.value else Reached(value)
        # A sum: the same rows in another order are the same.
        digest = sum(_digest(repr(row)) for row in ties.to_pylist()) + start.digest
        return Reached(value, start.rows + ties.num_rows, digest % (1 << 64))

    def cursor(self) -> Cursor:
        """Return the store's form."""
        kind = type(self.value).__name__
        if kind not in THAW:
            raise SourceError(f"a cursor column cannot hold {kind}; name one of numbers or times")
        text = self.value.isoformat() if isinstance(self.value, datetime.date) else str(self.value)
        return Cursor(self.rows, json.dumps([kind, text, self.digest]))

    @classmethod
    def of(cls, cursor: Cursor | None) -> "Reached":
        """Return what a cursor of the store says."""
        if cursor is None:
            return cls()
        kind, text, digest = json.loads(cursor.fingerprint)
        return cls(THAW[kind](text), cursor.position, digest)


def configure(section: Section) -> Callable[[], Source]:
    """Take the keys of an SQL source from a section."""
    url = section.text("url", expected="a URL such as sqlite:///file.db or postgresql://host/db")
    parts = urlsplit(url)
    if parts.scheme not in DATABASES:
        known = ", ".join(f"{scheme}://" for scheme in DATABASES)
        section.refuse(f"expected a URL that begins with one of {known}", key="url")
    if parts.password or any("password" in key for key, _ in parse_qsl(parts.query)):
        section.refuse("a password is not written here; use `password_file`", key="url")
    path = None
    if parts.scheme != "postgresql":
        if parts.netloc or len(parts.path) < 2:
            section.refuse(f"expected {parts.scheme}:///path of a file", key="url")
        path = section.path.parent / unquote(parts.path[1:])
    database = Database(url, path, take_secret(section, "password"))
    if ("table" in section) == ("query" in section):
        section.refuse("name either a `table` or a `query`")
    table, query = section.text("table", default=""), section.text("query", default="")
    cursor = section.text("cursor", default="", expected="the name of a column")
    lookback = section.duration("lookback", default="0s", positive=False)
    if lookback.seconds and not cursor:
        section.refuse("`lookback` needs a `cursor`", key="lookback")
    what = table or hashlib.sha256(query.encode()).hexdigest()[:12]
    options = SqlOptions(
        database=database,
        scheme=parts.scheme,
        select=query.strip().rstrip(";") or f"SELECT * FROM {_quoted(table, separator='.')}",
        name=f"{url}#{what}",
        cursor=cursor,
        lookback=datetime.timedelta(seconds=lookback.seconds),
        seconds=section.duration("timeout", default="60s").seconds,
    )
    return functools.partial(SqlSource, options)


class SqlSource:
    """A table or query of a database."""

    def __init__(self, options: SqlOptions) -> None:
        self._options = options

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        """Yield the rows at or after the cursor; `final` makes no difference.

        Raises
        ------
        SourceError
            If the database cannot be read.
        """
        if self._options.cursor:
            return self._read_on(cursors)
        return self._read_all(cursors)

    def sample(self) -> tuple[str, pa.Table] | None:
        """Return some rows."""
        query = self._query(self._options.select)
        table = next(self._tables(replace(query, rows=SAMPLE_ROWS)), None)
        return None if table is None else (self._options.name, table)

    def _read_on(self, cursors: Mapping[str, Cursor]) -> Iterator[Batch]:
        name, column = self._options.name, self._options.cursor
        before = Reached.of(cursors.get(name))
        reached, first = Reached(), True
        for table in self._tables(self._incremental(before)):
            reached = reached.after(table, column)
            fresh = _without_known(table, column, before) if first else table
            first = False
            if fresh.num_rows:
                yield Batch(name, fresh, reached.cursor())

    def _read_all(self, cursors: Mapping[str, Cursor]) -> Iterator[Batch]:
        for place, table in enumerate(self._tables(self._query(self._options.select))):
            name = f"{self._options.name}#{place}"
            cursor = Cursor(table.num_rows, f"{_digest(repr(table.to_pydict())):x}")
            if cursors.get(name) != cursor:
                yield Batch(name, table, cursor)

    def _incremental(self, before: Reached) -> Query:
        # Qualified: SQLite takes an unknown quoted name alone for a text.
        column = f"source.{_quoted(self._options.cursor)}"
        source = f"SELECT * FROM (\n{self._options.select}\n) AS source"
        if before.value is None:
            return self._query(f"{source} WHERE {column} IS NOT NULL ORDER BY {column}")
        value = before.value
        if self._options.lookback:
            if not isinstance(value, datetime.datetime):
                raise SourceError(
                    f"{self._options.name}: `lookback` needs a cursor column of timestamps, "
                    f"{self._options.cursor!r} holds {type(value).__name__}; remove it"
                )
            value -= self._options.lookback
        return self._query(f"{source} WHERE {column} >= ? ORDER BY {column}", value)

    def _query(self, sql: str, *parameters: object) -> Query:
        return Query(sql, parameters, CHUNK_ROWS, self._options.seconds)

    def _tables(self, query: Query) -> Iterator[pa.Table]:
        for table in DATABASES[self._options.scheme](self._options.database, query):
            names = table.column_names
            repeated = next((name for name in names if names.count(name) > 1), None)
            if repeated:
                raise SourceError(
                    f"{self._options.name}: two columns are named {repeated!r}; "
                    "tell them apart with AS"
                )
            yield table


def _without_known(table: pa.Table, column: str, before: Reached) -> pa.Table:
    """Return the table without its first rows, if they are those that had the value before."""
    if before.value is None or table.column(column)[0].as_py() != before.value:
        return table
    ties = table.filter(pc.equal(table.column(column), table.column(column)[0]))
    known = Reached().after(ties, column) == before
    return table.slice(ties.num_rows) if known else table


def _quoted(name: str, *, separator: str | None = None) -> str:
    parts = name.split(separator) if separator else [name]
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
