"""The embedded store: rows, tiles and cursors of one model, in one DuckDB file.

Every change of rows goes with its change of tiles and with the cursor of what was read in one
transaction, so that a process killed at any point has either all of it or nothing. DuckDB locks
the file: a second process on the same state directory is refused.

What is stored is a set of records: reading one again changes nothing. A prediction that is logged
twice with unlike content counts as it was logged first. Of several labels of one prediction the
one with the latest timestamp counts, and of several with the same timestamp the greatest value, so
that the outcome never depends on the order of arrival.

Only what has a timestamp at or before `now` takes part; later rows wait in the store until `now`
has passed them.
"""

import contextlib
import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import duckdb

from model_exporter.errors import StateError
from model_exporter.job import statements
from model_exporter.job.columns import prediction_columns
from model_exporter.job.config import ModelConfig
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.tiles import compile_tiles

PREDICTIONS = "predictions"
LABELS = "labels"
TILES = ("counts", "sums", "scores")
DERIVED = (*TILES, "lifetime")
COMPACT_GROWTH = 4
COMPACT_ROWS = 100_000
"""Tiles are appended to and summed when read; they are merged when there are this many, and this
many times more than after the last merge."""

Parameters = Sequence[Any] | Mapping[str, Any]

logger = logging.getLogger("model_exporter")


class Store:
    """Rows and tiles of one model. Use as a context manager.

    Raises
    ------
    StateError
        If the file is in use by another process, damaged, or cannot be written.
    """

    def __init__(self, directory: Path, model: ModelConfig) -> None:
        self.model = model
        self._tiles = compile_tiles(model)
        self._connection = _connect(directory, model.name)
        self._compact_at = COMPACT_ROWS
        self._open()
        self.now = int(self._meta("now") or 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what DuckDB holds back, and release the file."""
        self._connection.close()

    def query(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._connection.execute(sql, parameters).fetchall()

    def arrays(self, sql: str, parameters: Parameters = ()) -> Mapping[str, Any]:
        """Return the columns of a query as numpy arrays."""
        return self._connection.execute(sql, parameters).fetchnumpy()

    def cursors(self, source: str) -> dict[str, Cursor]:
        """Return how far each file of a source was read."""
        sql = "SELECT file, position, fingerprint FROM cursor WHERE source = ?"
        return {file: Cursor(position, mark) for file, position, mark in self.query(sql, [source])}

    def advance(self, now: int) -> None:
        """Let the rows up to `now` (microseconds) take part; going back rebuilds the tiles."""
        with self._transaction():
            if now < self.now:
                self._rebuild(now)
            elif now > self.now:
                self._touch(statements.BECAME_VALID, [self.now, now])
                self._remember(self.now)
                self._apply(now)
            self._set_meta("now", str(now))
        self.now = now

    def ingest(self, source: str, batches: Sequence[Batch]) -> int:
        """Take in rows of predictions or labels, and the cursors that cover them.

        Returns the number of rows in the batches.
        """
        with self._transaction():
            for statement in statements.empty_incoming(self.model, source):
                self._execute(statement)
            for batch in batches:
                self._stage(source, batch)
            self._touch("SELECT id FROM incoming", [])
            self._remember(self.now)
            for statement in statements.merge(source):
                self._execute(statement)
            self._apply(self.now)
        return sum(batch.table.num_rows for batch in batches)

    @contextlib.contextmanager
    def pieces(self, bounds: Sequence[tuple[int, int]]) -> Iterator[None]:
        """Provide tiles of parts of hours, as ``piece_counts``, ``piece_sums``, ``piece_scores``.

        `bounds` are half-open intervals in microseconds; the slot of a piece is its place there.
        """
        with self._transaction():
            self._execute(statements.pieces(self.model, bounds, self.now))
            for kind in TILES:
                tiles = getattr(self._tiles, kind)
                self._execute(f"CREATE OR REPLACE TEMP TABLE piece_{kind} AS {tiles}")
        yield

    def compact(self) -> None:
        """Merge the tiles that were appended, if there are many."""
        size = sum(self.query(f"SELECT count(*) FROM {table}")[0][0] for table in DERIVED)
        if size < self._compact_at:
            return
        with self._transaction():
            for statement in statements.compact():
                self._execute(statement)
        size = sum(self.query(f"SELECT count(*) FROM {table}")[0][0] for table in DERIVED)
        self._compact_at = max(COMPACT_ROWS, COMPACT_GROWTH * size)

    def _open(self) -> None:
        rows = _digest(statements.SCHEMA_VERSION, *map(repr, prediction_columns(self.model)))
        tiles = _digest(rows, repr(self._tiles), statements.joined(self.model, 0))
        with self._transaction():
            self._execute(statements.META)
            if self._meta("rows") != rows:
                if self._meta("rows"):
                    logger.warning(
                        "%s: columns changed, reading again from the start", self.model.name
                    )
                for statement in statements.create(self.model):
                    self._execute(statement)
            elif self._meta("tiles") != tiles:
                self._rebuild(int(self._meta("now") or 0))
            self._set_meta("rows", rows)
            self._set_meta("tiles", tiles)

    def _stage(self, source: str, batch: Batch) -> None:
        """Read a batch in the canonical form, and set its cursor."""
        self._connection.register("batch", batch.table)
        for statement in statements.stage(self.model, source, batch.table.schema):
            self._execute(statement)
        self._connection.unregister("batch")
        self._execute("DELETE FROM cursor WHERE source = ? AND file = ?", [source, batch.file])
        place = [source, batch.file, batch.cursor.position, batch.cursor.fingerprint]
        self._execute("INSERT INTO cursor VALUES (?, ?, ?, ?)", place)

    def _touch(self, ids: str, parameters: Sequence[Any]) -> None:
        """Name the predictions whose contribution to the tiles may change."""
        self._execute(f"CREATE OR REPLACE TEMP TABLE touched AS {ids}", parameters)

    def _remember(self, now: int) -> None:
        """Set down what the touched predictions contribute so far."""
        before = statements.joined(self.model, now)
        self._execute(f"CREATE OR REPLACE TEMP TABLE was AS {before}")

    def _apply(self, now: int) -> None:
        """Add to the tiles what the touched predictions contribute now, less what they did."""
        self._execute(
            "CREATE OR REPLACE TEMP TABLE delta AS SELECT -1 AS sign, * FROM was "
            f"UNION ALL SELECT 1 AS sign, * FROM ({statements.joined(self.model, now)})"
        )
        self._execute(statements.lifetime(self.model))
        self._execute("DELETE FROM delta WHERE slot IS NULL")
        for kind in TILES:
            self._execute(statements.append(kind, getattr(self._tiles, kind)))

    def _rebuild(self, now: int) -> None:
        for table in DERIVED:
            self._execute(f"DELETE FROM {table}")
        self._touch("SELECT id FROM prediction", [])
        self._execute(f"CREATE OR REPLACE TEMP TABLE was AS {statements.joined(self.model, -1)}")
        self._apply(now)

    def _meta(self, key: str) -> str:
        found = self.query("SELECT value FROM meta WHERE key = ?", [key])
        return str(found[0][0]) if found else ""

    def _set_meta(self, key: str, value: str) -> None:
        self._execute("DELETE FROM meta WHERE key = ?", [key])
        self._execute("INSERT INTO meta VALUES (?, ?)", [key, value])

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
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


def _connect(directory: Path, name: str) -> duckdb.DuckDBPyConnection:
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:64]
    path = directory / f"{readable}-{_digest(name)[:8]}.duckdb"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = duckdb.connect(path, config=dict(statements.SETTINGS))
    except OSError as error:
        raise StateError(
            f"{directory}: cannot create the state directory: {error.strerror}; "
            "set `state` to a writable directory"
        ) from error
    except duckdb.Error as error:
        if "lock" in str(error):
            raise StateError(
                f"{path}: in use by another process; stop it, or give this one its own `state`"
            ) from error
        first_line = str(error).splitlines()[0]
        raise StateError(
            f"{path}: cannot open the state ({first_line}); move it away to start anew"
        ) from error
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
