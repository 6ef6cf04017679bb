"""`state verify` finds whatever does not follow from the rows; `state compact` changes nothing."""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml
from tests.job.test_order import LABEL, NOW, PREDICTION, configure, deliver, evaluate, records

from model_exporter.cli import main
from model_exporter.job.config import load
from model_exporter.job.database import path_of
from model_exporter.job.once import once

HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Path:
    """Return a state with some history: read in parts, as of several instants."""
    directory = tmp_path_factory.mktemp("grown")
    path = configure(directory)
    predictions, labels = records(seed=3)
    deliver(directory, "predictions", PREDICTION, predictions, 2)
    deliver(directory, "labels", LABEL, labels[::2], 1)
    once(load(path), now=NOW - 5 * HOUR)
    deliver(directory, "labels", LABEL, labels, 3)
    once(load(path), now=NOW)
    return directory


@pytest.fixture
def config(grown: Path, tmp_path: Path) -> Path:
    """Return a copy of it that may be spoilt."""
    return shutil.copytree(grown, tmp_path / "copy") / "exporter.yml"


def database(config: Path) -> Path:
    return path_of(load(config).state, "churn")


def change(config: Path, sql: str) -> None:
    with contextlib.closing(duckdb.connect(database(config))) as connection:
        assert connection.execute(sql).fetchall()[0][0] > 0


def state(action: str, config: Path) -> int:
    return main(["state", action, "--config", str(config)])


def test_a_sound_state(config: Path, capsys) -> None:
    """Found to be sound, and not a byte of it changed."""
    before = database(config).read_bytes()
    assert state("verify", config) == 0
    assert capsys.readouterr().out.startswith("churn: ok, 400 predictions, ")
    assert database(config).read_bytes() == before
    assert [path.name for path in database(config).parent.glob("*.duckdb*")] == [
        database(config).name
    ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE counts SET value = value + 1 WHERE rowid = 0", "counts: version '"),
        ("DELETE FROM counts WHERE rowid = 5 AND value <> 0", "counts: version '"),
        ("UPDATE cells SET brier = brier + 1 WHERE rowid = 0", "cells: version '"),
        (
            "INSERT INTO lifetime VALUES ('1', 'ledger', 'matched', '', 1)",
            "lifetime: version '1', ",
        ),
        ("UPDATE labeled SET label = '1' WHERE label = '0'", "labeled: version '"),
        ("DELETE FROM orphan", "orphan: "),
        ("DELETE FROM label WHERE key IN (SELECT key FROM labeled LIMIT 3)", "counts: version '"),
        ("INSERT INTO prediction SELECT * FROM prediction LIMIT 2", "2 ids more than once"),
    ],
)
def test_what_does_not_follow_is_named(config: Path, capsys, sql: str, said: str) -> None:
    """By table, version and hour, with exit status 1."""
    change(config, sql)
    assert state("verify", config) == 1
    out = capsys.readouterr().out
    assert said in out
    assert "ok" not in out
    if "version '" in said and not said.startswith("lifetime"):
        assert "hour 2023-1" in out


def test_with_retention(tmp_path: Path, capsys) -> None:
    """Counters that outlive their rows are not compared, and that is said."""
    path = configure(tmp_path)
    path.write_text(path.read_text().replace("windows:", "retention: 36d\n  windows:"))
    predictions, labels = records(seed=3)
    deliver(tmp_path, "predictions", PREDICTION, predictions, 1)
    deliver(tmp_path, "labels", LABEL, labels, 1)
    once(load(path), now=NOW - 48 * HOUR)
    once(load(path), now=NOW)
    assert state("verify", path) == 0
    assert "lifetime: not compared" in capsys.readouterr().out


def test_compact_changes_no_number(config: Path, capsys) -> None:
    """The state is smaller or as large, sound, and says what it said."""
    before = evaluate(config)
    assert state("compact", config) == 0
    assert "bytes before" in capsys.readouterr().out
    assert state("verify", config) == 0
    assert evaluate(config) == before


@pytest.mark.parametrize("action", ["verify", "compact"])
def test_refused_while_it_is_in_use(config: Path, action: str, capsys) -> None:
    """By another process, with its usual words."""
    holder = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(database(config))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"held\n"
        assert state(action, config) == 2
        process.communicate(b"\n")
    assert "in use by another process" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["verify", "compact"])
def test_refused_where_there_is_none(tmp_path: Path, action: str, capsys) -> None:
    """And none is made."""
    path = configure(tmp_path)
    assert state(action, path) == 2
    assert "there is no such state" in capsys.readouterr().err
    assert not load(path).state.exists()


def test_refused_where_the_configuration_is_another(config: Path, capsys) -> None:
    """What is stored then follows from something else."""
    given = yaml.safe_load(config.read_text())
    del given["models"][0]["segments"]
    config.write_text(yaml.safe_dump(given))
    assert state("verify", config) == 2
    assert "another version or configuration" in capsys.readouterr().err
