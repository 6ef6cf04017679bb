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
UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")
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
    """Open the file, or make it.

    All `stores` of the process share four fifths of the memory that it may use, the limit of its
    container included, with the rows that are being read, which have as much as one of them.
    Beyond it DuckDB goes to the disk.

    Raises
    ------
    StateError
        If it is in use by another process, or the directory cannot be written.
    DamagedStateError
        If it cannot be opened for any other reason.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = duckdb.connect(path, config=dict(SETTINGS))
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET memory_limit = '{_share(connection, stores + 1)}'")
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


def _share(connection: duckdb.DuckDBPyConnection, parts: int) -> str:
    """Return one part of the memory that DuckDB would take: four fifths of what there is."""
    found = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    assert found is not None
    amount, unit = found[0].split()  # as "18.8 GiB"
    return f"{float(amount) * 1024 ** UNITS.index(unit) / parts:.0f} KiB"


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
