"""Real servers that sources are read from."""

import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "correct horse"


class Postgres:
    """A server of its own, in a directory of its own, reached through a socket there."""

    def __init__(self, directory: Path) -> None:
        self.url = f"postgresql://owner@/postgres?host={directory}"
        self.password_file = directory / "password"

    def connect(self) -> Any:
        import psycopg

        return psycopg.connect(self.url, password=PASSWORD, autocommit=True)


@pytest.fixture(scope="session")
def postgres(require_tool) -> Iterator[Postgres]:
    """Start PostgreSQL; as root, which it refuses to run as, under the user `postgres`."""
    programs = Path(require_tool("initdb")).resolve().parent
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    user = "postgres" if os.getuid() == 0 else getpass.getuser()
    directory = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a socket must be
    try:
        server = Postgres(directory)
        server.password_file.write_text(PASSWORD + "\n")
        for path in (directory, server.password_file):
            if os.getuid() == 0:
                shutil.chown(path, user)
        data = directory / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "owner", "--auth=scram-sha-256", "-E", "UTF8",
             f"--pwfile={server.password_file}", "--no-sync", "--no-instructions"],
            user=user, check=True, capture_output=True, cwd=directory,
        )  # fmt: skip
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", directory, "-h", "", "-F"],
            user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory,
        )  # fmt: skip
        try:
            _wait(server)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _wait(server: Postgres) -> None:
    import psycopg

    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(psycopg.OperationalError), server.connect():
            return
        assert time.monotonic() < deadline, "PostgreSQL did not start"
        time.sleep(0.05)
