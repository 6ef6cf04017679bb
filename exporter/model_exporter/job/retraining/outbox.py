"""What was decided and what is to be sent, in one SQLite file that outlives kill -9 and power cuts.

A request is written before it is sent, and marked before the first byte goes out. One that is
found marked at start was under way when the process ended: whether it arrived nobody knows, and it
is never sent again.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from model_exporter.errors import StateError
from model_exporter.job.retraining.alert import iso
from model_exporter.job.retraining.decision import History, Outcome, Request, State

FILE = "retraining.sqlite"
NAME_LENGTH = 200
"""Of the texts of an alert in the journal."""
KEPT = 1_000
"""Requests of a model that are remembered: ten days of the most that a day may have."""
BUSY_SECONDS = 1.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, fingerprint TEXT NOT NULL,
    starts_at INTEGER NOT NULL, at INTEGER NOT NULL, labels INTEGER NOT NULL,
    variables TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS request_of_model ON request (model, id);
CREATE TABLE IF NOT EXISTS forgotten (model TEXT PRIMARY KEY, starts_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS count (
    model TEXT, outcome TEXT, value INTEGER NOT NULL, PRIMARY KEY (model, outcome)
);
CREATE TABLE IF NOT EXISTS journal (entry INTEGER PRIMARY KEY AUTOINCREMENT, line TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that was not sent yet, or was not reached by it, so many times."""

    id: int
    model: str
    variables: Mapping[str, str]
    attempts: int


class Outbox:
    """The file. Use as a context manager; every method is for inside of `transaction`.

    Raises
    ------
    StateError
        If it is in use by another process, or is no such file.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / FILE
        self._lock = threading.RLock()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{path}: cannot be opened ({error}); check `state`") from error
        try:
            for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
                self._connection.execute(f"PRAGMA {setting}")
            self._connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        except sqlite3.Error as error:
            self._connection.close()
            raise _refusal(path, error) from error

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all of what is done inside, or nothing."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def history(self, model: str) -> History:
        """Return the requests of a model, the oldest first."""
        rows = self._connection.execute(
            "SELECT fingerprint, starts_at, at, labels, state FROM request WHERE model = ? "
            "ORDER BY id",
            (model,),
        )
        found = [Request((f, start), at, labels, State(s)) for f, start, at, labels, s in rows]
        forgotten = self._connection.execute(
            "SELECT starts_at FROM forgotten WHERE model = ?", (model,)
        ).fetchone()
        return History(found, forgotten[0] if forgotten else None)

    def add(self, model: str, request: Request, variables: Mapping[str, str]) -> int:
        """Remember a request; return its number. The oldest beyond what is kept is forgotten."""
        fingerprint, starts_at = request.episode
        added = self._connection.execute(
            "INSERT INTO request (model, fingerprint, starts_at, at, labels, variables, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(model, fingerprint, starts_at, request.at, request.labels),
                *(json.dumps(dict(variables)), request.state),
            ),
        )
        old = (
            "FROM request WHERE model = :model AND state NOT IN ('pending', 'sending') AND id <= "
            "(SELECT id FROM request WHERE model = :model ORDER BY id DESC LIMIT 1 OFFSET :kept)"
        )
        where = {"model": model, "kept": KEPT}
        self._connection.execute(
            "INSERT INTO forgotten SELECT :model, latest FROM "
            f"(SELECT max(starts_at) AS latest {old}) WHERE latest IS NOT NULL "
            "ON CONFLICT DO UPDATE SET starts_at = max(starts_at, excluded.starts_at)",
            where,
        )
        self._connection.execute(f"DELETE {old}", where)
        return int(added.lastrowid or 0)

    def waiting(self) -> list[Waiting]:
        """Return the requests that are to be sent, the oldest first."""
        return self._in(State.PENDING)

    def interrupted(self) -> list[Waiting]:
        """Return the requests that were being sent: when the process starts, by the last one."""
        return self._in(State.SENDING)

    def move(self, request: Waiting, state: State, *, attempted: bool = False) -> None:
        """Set the state of a request."""
        self._connection.execute(
            "UPDATE request SET state = ?, attempts = attempts + ? WHERE id = ?",
            (state, attempted, request.id),
        )

    def record(
        self, model: str, outcome: Outcome, reason: str, *, at: int, about: Mapping[str, object]
    ) -> None:
        """Count an outcome of a model, and have it written to the journal, with the reason."""
        self._connection.execute(
            "INSERT INTO count VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET value = value + 1",
            (model, outcome),
        )
        short = {k: v[:NAME_LENGTH] if isinstance(v, str) else v for k, v in about.items()}
        line = {"time": iso(at), **short, "outcome": outcome, "reason": reason}
        self._connection.execute("INSERT INTO journal (line) VALUES (?)", (json.dumps(line),))

    def counts(self) -> dict[tuple[str, str], int]:
        """Return what was counted since the beginning."""
        rows = self._connection.execute("SELECT model, outcome, value FROM count")
        return {(model, outcome): value for model, outcome, value in rows}

    def last_requests(self) -> dict[str, int]:
        """Return when the last request of each model was decided on, in microseconds."""
        rows = self._connection.execute(
            "SELECT model, max(at) FROM request WHERE state <> 'dry_run' GROUP BY model"
        )
        return dict(rows.fetchall())

    def unwritten(self) -> int:
        """Return how many lines are not known to be in the journal."""
        rows = self._connection.execute("SELECT max(entry) - min(entry) + 1 FROM journal")
        return rows.fetchone()[0] or 0

    def notes(self, limit: int) -> list[tuple[int, str]]:
        """Return lines that are not known to be in the journal, with their numbers."""
        rows = self._connection.execute(
            "SELECT entry, line FROM journal ORDER BY entry LIMIT ?", (limit,)
        )
        return rows.fetchall()

    def noted(self, entry: int) -> None:
        """Forget the lines up to a number: they are in the journal."""
        self._connection.execute("DELETE FROM journal WHERE entry <= ?", (entry,))

    def _in(self, state: State) -> list[Waiting]:
        rows = self._connection.execute(
            "SELECT id, model, variables, attempts FROM request WHERE state = ? ORDER BY id",
            (state,),
        )
        return [Waiting(i, model, json.loads(text), tries) for i, model, text, tries in rows]


def _refusal(path: Path, error: sqlite3.Error) -> StateError:
    if "locked" in str(error):
        return StateError(
            f"{path}: in use by another process; stop it, or give this one its own `state`"
        )
    return StateError(
        f"{path}: cannot be used ({error}); it remembers what was requested: move it away, and "
        "an alert that fires may be requested once more"
    )
