"""One connection to the embedded database: queries, transactions, and its notes to itself."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import duckdb
import pyarrow as pa

Parameters = Sequence[Any] | Mapping[str, Any]


class Session:
    """A connection that whoever inherits from it opens. Use as a context manager."""

    _connection: duckdb.DuckDBPyConnection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what DuckDB holds back, and release the file."""
        self._connection.close()

    def interrupt(self) -> None:
        """Have a statement that another thread executes fail, and its transaction with it."""
        with contextlib.suppress(duckdb.ConnectionException):  # closed meanwhile
            self._connection.interrupt()

    def query(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._connection.execute(sql, parameters).fetchall()

    def arrays(self, sql: str, parameters: Parameters = ()) -> Mapping[str, Any]:
        """Return the columns of a query as numpy arrays."""
        return self._connection.execute(sql, parameters).fetchnumpy()

    def query_batch(self, batch: pa.Table, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement that reads the view `batch`."""
        self._connection.register("batch", batch)
        try:
            return self.query(sql)
        finally:
            self._connection.unregister("batch")

    def _keep(self, name: str, sql: str) -> None:
        self._execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")

    def _any(self, table: str) -> bool:
        return bool(self.query(f"SELECT 1 FROM {table} LIMIT 1"))

    def _run(self, sql: Iterable[str]) -> None:
        for statement in sql:
            self._execute(statement)

    def _meta(self, key: str) -> str:
        found = self.query("SELECT value FROM meta WHERE key = ?", [key])
        return str(found[0][0]) if found else ""

    def _set_meta(self, key: str, value: str) -> None:
        self._execute("DELETE FROM meta WHERE key = ?", [key])
        self._execute("INSERT INTO meta VALUES (?, ?)", [key, value])

    def _execute(self, sql: str, parameters: Parameters = ()) -> None:
        self._connection.execute(sql, parameters)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()
