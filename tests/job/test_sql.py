"""SQL sources: every row is read, ties at the cursor too, whatever the database."""

import contextlib
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from model_exporter.errors import ConfigError, SourceError, UnreachableError
from model_exporter.job.sources import Cursor, Source, databases, sql
from model_exporter.job.yaml_section import read_section

TABLE = "CREATE TABLE log (id VARCHAR(9), seq INTEGER, stamp TIMESTAMP, x DOUBLE PRECISION)"


class Log:
    """A table that is written to by one connection and read by the source."""

    def __init__(self, kind: str, directory: Path, server: Any) -> None:
        self.kind = kind
        self.directory = directory
        self.server = server
        self.keys: dict[str, object] = {"url": f"{kind}:///log.db", "table": "log"}
        if kind == "postgresql":
            self.keys |= {"url": server.url, "password_file": str(server.password_file)}
        self.run("DROP TABLE IF EXISTS log")
        self.run(TABLE)

    def run(self, statement: str) -> None:
        path = self.directory / "log.db"
        if self.kind == "postgresql":
            with self.server.connect() as connection:
                connection.execute(statement)
        elif self.kind == "duckdb":
            with duckdb.connect(path) as connection:
                connection.execute(statement)
        else:
            with contextlib.closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(statement)

    def add(self, *rows: tuple[str, int]) -> None:
        values = ", ".join(
            f"('{i}', {n}, TIMESTAMP '2026-01-01 00:00:{n:02}', 0.5)" for i, n in rows
        )
        if self.kind == "sqlite":
            values = values.replace("TIMESTAMP ", "")
        self.run(f"INSERT INTO log VALUES {values}")

    def open(self, **keys: object) -> Source:
        path = self.directory / "source.yml"
        path.write_text(yaml.safe_dump({**self.keys, **keys}))
        return configure(path)


def configure(path: Path) -> Source:
    section = read_section(path)
    opener = sql.configure(section)
    section.finish()
    return opener()


class Reading:
    """A source together with its cursors, as the store would keep them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.cursors: dict[str, Cursor] = {}

    def read(self) -> list[str]:
        found: list[str] = []
        for batch in self.source.read(self.cursors):
            self.cursors[batch.file] = batch.cursor
            found += batch.table.column("id").to_pylist()
        return found


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def log(request, tmp_path: Path) -> Iterator[Log]:
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return Log(request.param, tmp_path, server)


@pytest.mark.parametrize("column", ["seq", "stamp"])
def test_incremental(log: Log, column: str) -> None:
    """What was read is not read again; a row at the very value of the cursor is not lost."""
    reading = Reading(log.open(cursor=column))
    assert reading.read() == []
    log.add(("a", 1), ("b", 2))
    assert sorted(reading.read()) == ["a", "b"]
    assert reading.read() == []
    log.add(("c", 2))
    assert set(reading.read()) == {"b", "c"}  # b again: it cannot be told which of them is new
    assert reading.read() == []
    log.add(("d", 3), ("e", 5))
    assert sorted(reading.read()) == ["d", "e"]


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_chunks(log: Log, rows: int, monkeypatch) -> None:
    """However the rows fall into chunks, ties across them too, and wherever reading stops."""
    monkeypatch.setattr(sql, "CHUNK_ROWS", rows)
    rows_of = [(f"id{i}", i // 3) for i in range(10)]
    log.add(*rows_of)
    source = log.open(cursor="seq")
    whole = list(source.read({}))
    assert all(batch.table.num_rows <= rows for batch in whole)
    for stop in range(len(whole) + 1):
        reading = Reading(source)
        for batch in whole[:stop]:
            reading.cursors[batch.file] = batch.cursor
        before = [i for batch in whole[:stop] for i in batch.table.column("id").to_pylist()]
        assert {*before, *reading.read()} == {i for i, _ in rows_of}


def test_without_cursor(log: Log, monkeypatch) -> None:
    """Everything is read each time, and only what changed is handed on."""
    monkeypatch.setattr(sql, "CHUNK_ROWS", 2)
    log.add(("a", 1), ("b", 2))
    reading = Reading(log.open())
    assert reading.read() == ["a", "b"]
    assert reading.read() == []
    log.add(("c", 3))
    assert reading.read() == ["c"]


def test_lookback(log: Log) -> None:
    """Rows that were committed late, before the cursor, are read within the lookback."""
    if log.kind == "sqlite":
        reading = Reading(log.open(cursor="stamp", lookback="10s"))
        log.add(("a", 1))
        reading.read()
        with pytest.raises(SourceError, match="needs a cursor column of timestamps"):
            reading.read()
        return
    reading = Reading(log.open(cursor="stamp", lookback="10s"))
    log.add(("a", 1), ("b", 20))
    reading.read()
    log.add(("late", 12), ("too late", 3))
    assert set(reading.read()) == {"b", "late"}


def test_query(log: Log) -> None:
    """A query with what has a meaning to drivers in it: percent and question marks."""
    log.add(("a?", 1), ("b", 2), ("c%", 3))
    query = "SELECT * FROM log WHERE id LIKE '%?%' OR id LIKE 'c%' -- %s ?\n;"
    reading = reading_of(log, query)
    assert reading.read() == ["a?", "c%"]
    log.add(("d?", 4))
    assert reading.read() == ["d?"]


def test_it_only_reads(log: Log) -> None:
    """A query that writes is refused by the database."""
    log.add(("a", 1))
    for query in ("DELETE FROM log", "SELECT 1 AS id; DELETE FROM log"):
        with pytest.raises(SourceError):
            reading_of(log, query).read()
    if log.kind == "postgresql":
        log.run(
            "CREATE OR REPLACE FUNCTION sneak() RETURNS int LANGUAGE sql AS "
            "'DELETE FROM log RETURNING 1'"
        )
        with pytest.raises(SourceError, match="read-only"):
            reading_of(log, "SELECT sneak() AS id, 1 AS seq").read()
    assert Reading(log.open()).read() == ["a"]


def test_names_and_values_cannot_escape(log: Log) -> None:
    """A table or column whose name is SQL is a name; a cursor value is bound."""
    name = 'lo"g; DROP TABLE log; --'
    log.run('DROP TABLE IF EXISTS "lo""g; DROP TABLE log; --"')
    log.run('CREATE TABLE "lo""g; DROP TABLE log; --" (id VARCHAR(9), "a ""b" VARCHAR(40))')
    log.run("""INSERT INTO "lo""g; DROP TABLE log; --" VALUES ('a', 'x'' OR 1=1; --')""")
    reading = Reading(log.open(table=name, cursor='a "b'))
    assert reading.read() == ["a"]
    assert reading.read() == []
    assert Reading(log.open()).read() == []


def test_slow_query(log: Log) -> None:
    """A query that takes too long is stopped, and said to be."""
    slow = {
        "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        "SELECT count(*) AS id FROM c",
        "duckdb": "SELECT count(*) AS id FROM range(100000000) a, range(100000) b "
        "WHERE hash(a.range + b.range) = 1",
        "postgresql": "SELECT pg_sleep(600) AS id",
    }[log.kind]
    with pytest.raises(UnreachableError, match=r"timeout"):
        reading_of(log, slow, timeout="300ms", cursor=None).read()


def test_schema_change(log: Log) -> None:
    """A column that is gone is an error of the source, and the cursor stays where it was."""
    log.add(("a", 1))
    reading = Reading(log.open(cursor="seq"))
    reading.read()
    cursors = dict(reading.cursors)
    log.run("ALTER TABLE log RENAME COLUMN seq TO number")
    with pytest.raises(SourceError, match="seq"):
        reading.read()
    assert reading.cursors == cursors
    log.run("ALTER TABLE log RENAME COLUMN number TO seq")
    log.add(("b", 2))
    assert reading.read() == ["b"]


def reading_of(log: Log, query: str, **keys: object) -> Reading:
    del log.keys["table"]
    try:
        given = {"cursor": "seq", **keys}
        return Reading(log.open(query=query, **{k: v for k, v in given.items() if v is not None}))
    finally:
        log.keys["table"] = "log"


def test_wrong_password(postgres, tmp_path: Path, monkeypatch) -> None:
    """The error tells of everything but the password; it is unreachable, not misconfigured."""
    log = Log("postgresql", tmp_path, postgres)
    del log.keys["password_file"]
    monkeypatch.setenv("PASSWORD_OF_LOG", "swordfish")
    with pytest.raises(UnreachableError) as caught:
        Reading(log.open(password="${PASSWORD_OF_LOG}")).read()
    assert "swordfish" not in str(caught.value) + repr(log.open(password="${PASSWORD_OF_LOG}"))
    monkeypatch.delenv("PASSWORD_OF_LOG")
    with pytest.raises(SourceError, match="PASSWORD_OF_LOG is not set"):
        Reading(log.open(password="${PASSWORD_OF_LOG}")).read()


def backends(log: Log) -> list[int]:
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'model-exporter'"
    with log.server.connect() as connection:
        return [pid for (pid,) in connection.execute(query)]


@pytest.mark.parametrize(("how", "said"), [("ends", "terminating"), ("hangs", "no answer within")])
def test_a_server_that_fails_while_it_is_read(
    postgres, tmp_path: Path, monkeypatch, how: str, said: str
) -> None:
    """The connection is given up, in time, and the rest is read from the cursor on."""
    monkeypatch.setattr(sql, "CHUNK_ROWS", 2)
    monkeypatch.setattr(databases, "GRACE_SECONDS", 0)
    log = Log("postgresql", tmp_path, postgres)
    log.add(*((f"id{i}", i) for i in range(6)))
    reading = Reading(log.open(cursor="seq", timeout="500ms"))
    batches = reading.source.read({})
    first = next(batches)
    (pid,) = backends(log)
    try:
        if how == "ends":
            log.run(f"SELECT pg_terminate_backend({pid}, 10000)")
        else:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(UnreachableError, match=said):
            list(batches)
    finally:
        if how == "hangs":
            os.kill(pid, signal.SIGCONT)
    reading.cursors[first.file] = first.cursor
    found = [*first.table.column("id").to_pylist(), *reading.read()]
    assert set(found) == {f"id{i}" for i in range(6)}


def test_values_of_postgres(postgres, tmp_path: Path) -> None:
    """What Arrow has no type for comes as text."""
    log = Log("postgresql", tmp_path, postgres)
    query = (
        "SELECT gen_random_uuid() AS id, 1.50::numeric AS n, '{\"a\": 1}'::jsonb AS j, "
        "true AS t, NULL AS nothing, '2026-01-01T00:00:00+02'::timestamptz AS at"
    )
    (batch,) = reading_of(log, query, cursor=None).source.read({})
    (row,) = batch.table.to_pylist()
    assert len(row["id"]) == 36
    assert (float(row["n"]), row["j"], row["t"], row["nothing"]) == (1.5, '{"a": 1}', True, None)
    assert row["at"].isoformat() == "2025-12-31T22:00:00+00:00"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"url": "mysql://host/db", "table": "t"}, "begins with one of"),
        ({"url": "postgresql://me:secret@host/db", "table": "t"}, "password_file"),
        ({"url": "postgresql://host/db?password=secret", "table": "t"}, "password_file"),
        ({"url": "postgresql://host/db?sslpassword=secret", "table": "t"}, "password_file"),
        ({"url": "postgresql://host/db", "password": "secret", "table": "t"}, "not written here"),
        ({"url": "sqlite:///a.db"}, "either a `table` or a `query`"),
        ({"url": "sqlite:///a.db", "table": "t", "query": "SELECT 1"}, "either"),
        ({"url": "sqlite://a.db", "table": "t"}, "sqlite:///path"),
        ({"url": "sqlite:///a.db", "table": "t", "lookback": "1m"}, "needs a `cursor`"),
        ({"url": "sqlite:///a.db", "table": "t", "cursr": "x"}, "did you mean 'cursor'"),
    ],
)
def test_refused(tmp_path: Path, keys: dict[str, str], message: str) -> None:
    path = tmp_path / "source.yml"
    path.write_text(yaml.safe_dump(keys))
    with pytest.raises(ConfigError, match=message) as caught:
        configure(path)
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_missing_file(tmp_path: Path, kind: str) -> None:
    """It is not made by looking for it."""
    log = Log(kind, tmp_path, None)
    source = log.open(url=f"{kind}:///other.db")
    with pytest.raises(SourceError, match=r"other\.db"):
        list(source.read({}))
    assert not (tmp_path / "other.db").exists()
