"""The file of the embedded store: opened, found to be damaged, set aside.

What is in it can be read again from the sources: a damaged file costs time, and of what was pushed
the records that were taken in before.
"""

import contextlib
import hashlib
import logging
import re
import shutil
from pathlib import Path

import duckdb

from model_exporter.errors import DamagedStateError, StateError

SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "preserve_insertion_order": "false",
}
MEMORY_PERCENT = 80
"""Of what the process may use, its container's limit included: for all stores, and as much as for
one more of them for the rows that are being read. Beyond it DuckDB goes to the disk."""
SPILL_SUFFIX = ".tmp"
LOG_SUFFIX = ".wal"
"""DuckDB keeps what was committed of late beside the file."""

logger = logging.getLogger("model_exporter")


def path_of(directory: Path, model: str) -> Path:
    """Return the file of a model: a readable name that no two models share."""
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", model)[:64]
    digest = hashlib.sha256(model.encode()).hexdigest()[:8]
    return directory / f"{readable}-{digest}.duckdb"


def connect(path: Path, *, stores: int = 1) -> duckdb.DuckDBPyConnection:
    """Open the file, or make it; it shares the memory with other `stores` of the process.

    Raises
    ------
    StateError
        If it is in use by another process, or the directory cannot be written.
    DamagedStateError
        If it cannot be opened for any other reason.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        memory = f"{MEMORY_PERCENT / (stores + 1):.2f}%"
        connection = duckdb.connect(path, config={**SETTINGS, "memory_limit": memory})
        connection.execute("SET TimeZone = 'UTC'")
        # What a killed process had put there for want of memory; nobody else holds the file now.
        shutil.rmtree(path.with_name(path.name + SPILL_SUFFIX), ignore_errors=True)
    except OSError as error:
        raise StateError(
            f"{path.parent}: cannot create the state directory: {error.strerror}; "
            "set `state` to a writable directory"
        ) from error
    except duckdb.Error as error:
        raise refusal(path, error) from error
    return connection


def refusal(path: Path, error: duckdb.Error) -> StateError:
    """Return what to say where DuckDB cannot open the file."""
    if "set lock on file" in str(error):
        return StateError(
            f"{path}: in use by another process; stop it, or give this one its own `state`"
        )
    if path.exists() and not _is_accessible(path):
        return StateError(f"{path}: cannot be read and written; check its permissions")
    first_line = str(error).splitlines()[0]
    return DamagedStateError(
        f"{path}: cannot open the state ({first_line}); move it away to start anew"
    )


def _is_accessible(path: Path) -> bool:
    try:
        with path.open("r+b"):
            return True
    except OSError:
        return False


def is_sound(path: Path) -> bool:
    """Tell whether every table can be read to the end."""
    try:
        with contextlib.closing(connect(path)) as connection:
            for (table,) in connection.execute("SHOW TABLES").fetchall():
                connection.execute(f"SELECT bit_xor(hash(t)) FROM {table} t").fetchall()
    except (duckdb.Error, DamagedStateError):
        return False
    return True


def set_aside(path: Path) -> None:
    """Make room for a new file; of damaged ones, the last is kept to be looked at."""
    for file in (path, path.with_name(path.name + LOG_SUFFIX)):
        if file.exists():
            file.replace(file.with_name(file.name + ".damaged"))
    logger.error("%s: damaged; it was set aside, and all sources are read again", path)
