"""The file of the embedded database: what a killed process left beside it."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from model_exporter.job import database

LITTLE = "SET memory_limit = '50MB'"
MUCH = "CREATE TEMP TABLE t AS SELECT md5(CAST(i AS VARCHAR)) AS text FROM range(3_000_000) r(i)"
SPILL = f"""
import os, signal, sys, time
from pathlib import Path
from model_exporter.job import database

connection = database.connect(Path(sys.argv[1]))
connection.execute({LITTLE!r})
connection.execute({MUCH!r})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_spilled_is_deleted(tmp_path: Path) -> None:
    """By the next that opens the file; and that one can spill again."""
    path, spilled = tmp_path / "m.duckdb", tmp_path / "m.duckdb.tmp"
    done = subprocess.run([sys.executable, "-c", SPILL, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert any(spilled.iterdir())
    with closing(database.connect(path)) as connection:
        assert not spilled.exists()
        connection.execute(LITTLE)
        connection.execute(MUCH)
        assert any(spilled.iterdir())
