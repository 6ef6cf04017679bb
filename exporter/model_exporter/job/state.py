"""`model-exporter state`: is what is stored what follows from the rows; and make it smaller.

The tiles, the counters and the labelled rows follow from predictions and labels. `verify` derives
them anew in a scratch database, and compares; the file of the state is opened for reading only.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from model_exporter.errors import StateError
from model_exporter.job import database, tables
from model_exporter.job.config import ModelConfig
from model_exporter.job.database import path_of, refusal
from model_exporter.job.store import Store
from model_exporter.job.tiles import compile_tiles

MAX_LINES = 20
"""Places that are named of each table; of more only the number is told."""

_COMPARED = {
    "counts": ("version, slot", "tiles", "stat"),
    "sums": ("version, slot", "tiles", "stat"),
    "cells": ("version, slot", "tiles", ""),
    "lifetime": ("version, NULL", "counters", "stat"),
    "labeled": (f"version, CAST(floor(time / {tables.HOUR}.0) AS BIGINT)", "rows", ""),
    "orphan": ("NULL, NULL", "waiting labels", ""),
}
"""By table: where a difference is (version, hour), what differs, and the column that names it."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found; without `differences` the state is sound.

    `notes` tell what could not be compared.
    """

    differences: list[str]
    notes: list[str]
    predictions: int
    labels: int


def verify(directory: Path, model: ModelConfig) -> Verification:
    """Derive everything that follows from the rows, and compare it with what is stored.

    Raises
    ------
    StateError
        If another process holds the state, there is none, or it is of another configuration.
    """
    path = _existing(directory, model)
    differences, notes = [], []
    with (
        tempfile.TemporaryDirectory(prefix="model-exporter-") as scratch,
        _Scratch(path, model, Path(scratch)) as store,
    ):
        store.derive()
        for table in _COMPARED:
            if table == "lifetime" and store.horizon:
                notes.append("lifetime: not compared; rows older than `retention` are gone")
            else:
                differences += list(_differences(store, table))
        differences += _repeated(store)
        sizes = [store.query(f"SELECT count(*) FROM {t}")[0][0] for t in ("prediction", "label")]
    return Verification(differences, notes, *sizes)


def compact(directory: Path, model: ModelConfig) -> tuple[int, int]:
    """Merge tiles and give back space that is free at the end of the file.

    Returns the bytes on disk before and after.

    Raises
    ------
    StateError
        If another process holds the state, or there is none.
    """
    path = _existing(directory, model)
    before = _bytes(path)
    with Store(directory, model) as store:
        store.compact(always=True)
        store.query("FORCE CHECKPOINT")
    return before, _bytes(path)


class _Scratch(Store):
    """A store without rows of its own: it reads those of a file, and derives the rest beside it."""

    def __init__(self, path: Path, model: ModelConfig, directory: Path) -> None:
        self.model = model
        self.fresh = False
        self.tiles = compile_tiles(model)
        scratch = directory / "scratch.duckdb"
        self._connection = duckdb.connect(scratch, config=dict(database.SETTINGS))
        try:
            self._attach(path)
        except BaseException:
            self._connection.close()
            raise

    def _attach(self, path: Path) -> None:
        quoted = str(path).replace("'", "''")
        try:
            self._execute(f"ATTACH '{quoted}' AS stored (READ_ONLY)")
            self._execute("CREATE VIEW meta AS SELECT * FROM stored.meta")
            of_this_configuration = (self._meta("rows"), self._meta("tiles")) == self._digests()
        except duckdb.Error as error:
            raise refusal(path, error) from error
        if not of_this_configuration:
            raise StateError(
                f"{path}: from another version or configuration; start the job with this one, "
                "which derives everything anew"
            )
        self.now = int(self._meta("now") or 0)
        self.horizon = int(self._meta("horizon") or 0)
        for statement in tables.create(self.model):
            if "meta" not in statement.split():
                self._execute(statement)
        for table in ("prediction", "label"):
            self._execute(f"DROP TABLE {table}")
            self._execute(f"CREATE VIEW {table} AS SELECT * FROM stored.{table}")

    def derive(self) -> None:
        """Derive everything as of the instant that the stored tables have come to."""
        with self._transaction():
            self._rebuild(self.now)


def _existing(directory: Path, model: ModelConfig) -> Path:
    path = path_of(directory, model.name)
    if not path.is_file():
        raise StateError(f"{path}: there is no such state; check `state`, or start the job first")
    return path


def _bytes(path: Path) -> int:
    files = (path, path.with_name(path.name + ".wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _differences(store: _Scratch, table: str) -> Iterator[str]:
    """Yield a line for each version and hour in which a table is not what follows from the rows."""
    place, what, stat = _COMPARED[table]
    added = tables.ADDED.get(table, ())
    kinds = f"string_agg(DISTINCT {stat}, ', ' ORDER BY {stat})" if stat else "''"
    found = store.query(
        f"SELECT {place}, count(*), {kinds} FROM ({_signed(store, table, added)}) "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    )
    for version, hour, count, kind in found[:MAX_LINES]:
        where = "".join(_where(version, hour))
        yield f"{table}: {where}{count} {what} differ{f' ({kind})' if kind else ''}"
    if len(found) > MAX_LINES:
        yield f"{table}: and {len(found) - MAX_LINES} more places"


def _signed(store: _Scratch, table: str, added: tuple[str, ...]) -> str:
    """Return the query of what is stored less what follows from the rows, where that is not 0."""
    columns = [name for name, *_ in store.query(f"DESCRIBE stored.{table}")]
    names = added or ("sign",)
    keys = ", ".join(name for name in columns if name not in added)
    one = ", ".join(added) or "1 AS sign"
    other = ", ".join(f"-{name} AS {name}" for name in added) or "-1 AS sign"
    kept = f"WHERE slot >= {store.horizon // tables.HOUR}" if "slot" in columns else ""
    return (
        f"SELECT {keys}, {', '.join(f'sum({name}) AS {name}' for name in names)} FROM "
        f"(SELECT {keys}, {one} FROM stored.{table} UNION ALL SELECT {keys}, {other} FROM {table}) "
        f"{kept} GROUP BY {keys} HAVING {' OR '.join(f'sum({name}) <> 0' for name in names)}"
    )


def _where(version: Any, hour: Any) -> Iterator[str]:
    if version is not None:
        yield f"version {version!r}, "
    with contextlib.suppress(TypeError, ValueError, OverflowError, OSError):
        yield f"hour {datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%dT%H:%MZ}, "


def _repeated(store: _Scratch) -> list[str]:
    one = f"row({tables.identity(store.model)})"
    count = store.query(f"SELECT count(*) - count(DISTINCT {one}) FROM prediction")[0][0]
    return [f"prediction: {count} ids more than once"] if count else []
