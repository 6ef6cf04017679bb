"""The embedded store: rows, tiles and cursors of one model, in one DuckDB file.

Every change of rows goes with its change of tiles and with the cursor of what was read in one
transaction, so that a process killed at any point has either all of it or nothing. DuckDB locks
the file: a second process on the same state directory is refused.

What is stored is a set of records: reading one again changes nothing. A prediction that is logged
twice with unlike content counts as it was logged first (of each version, where versions shadow
each other: see `shadow`). Of several labels of one prediction the
one with the latest timestamp counts, and of several with the same timestamp the greatest value, so
that the outcome never depends on the order of arrival.

Only what has a timestamp at or before `now` takes part; later rows wait in the store until `now`
has passed them.
"""

import hashlib
import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from model_exporter.job import database, merging, pairing, staging, tables
from model_exporter.job.columns import amount_columns, key_of, prediction_columns
from model_exporter.job.config import ModelConfig
from model_exporter.job.pairing import changed
from model_exporter.job.quarantine import Quarantine
from model_exporter.job.refusals import read_refused
from model_exporter.job.session import Session
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.tiles import compile_tiles

PREDICTIONS = "predictions"
LABELS = "labels"
DERIVED = (*tables.TILES, "lifetime", "labeled", "orphan")
COMPACT_GROWTH = 4
COMPACT_ROWS = 100_000
"""Tiles are appended to and summed when read; they are merged when there are this many, and this
many times more than after the last merge."""
FRESH_ROWS = 500_000
"""Records beyond which the windows are summed anew, and not brought up to date."""
REBUILD_ROWS = 1_000_000
"""Predictions that are joined at once when everything is joined anew."""

logger = logging.getLogger("model_exporter")


class Store(Session):
    """Rows and tiles of one model, one of some `stores` of a process. Use as a context manager.

    Attributes
    ----------
    tiles
        How they are made of rows.
    now
        The rows up to this instant, in microseconds, take part.
    fresh
        Whether the rows of changes are also kept apart, for the reader of the windows; see
        `watch`. False again where there are so many that it had better read all anew.

    Raises
    ------
    StateError
        If the file is in use by another process, or cannot be written.
    DamagedStateError
        If it is no database any more.
    """

    def __init__(self, directory: Path, model: ModelConfig, *, stores: int = 1) -> None:
        self.model = model
        self.tiles = compile_tiles(model)
        self.fresh = False
        self._fresh_rows = 0
        self._newest: dict[str, int] = {}
        self.path = database.path_of(directory, model.name)
        self._connection = database.connect(self.path, stores=stores)
        self._quarantine = Quarantine(directory, model.name) if model.quarantine else None
        self._compact_at = COMPACT_ROWS
        try:
            self._open()
            self.now = int(self._meta("now") or 0)
        except BaseException:
            self._connection.close()
            raise

    def newest(self, table: str) -> int | None:
        """Return the newest timestamp of the predictions or labels that take part."""
        found = None
        for since in (self._newest.get(table, self.now), None):  # first where it was found last
            sql = f"SELECT max(ts) FROM {table} WHERE ts <= {self.now}"
            found = self.query(sql if since is None else f"{sql} AND ts >= {since}")[0][0]
            if found is not None:
                self._newest[table] = found
                break
        return found

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
                self._execute(merging.BECAME_VALID, {"was": self.now, "now": now})
                if self._any("touched"):
                    self._keep("near", merging.near("prediction", "touched"))
                    self._keep("known", merging.near("label", "touched"))
                    near, known = changed("near"), changed("known")
                    self._change(self.now, now, predictions=near, labels=known)
            self._forget(now)
            self._set_meta("now", str(now))
        self.now = now

    def ingest(self, source: str, batches: Sequence[Batch]) -> int:
        """Take in rows of predictions or labels, and the cursors that cover them.

        Returns the number of rows in the batches.
        """
        rows: int = sum(batch.table.num_rows for batch in batches)
        self._fresh_rows += rows
        self.fresh &= self._fresh_rows < FRESH_ROWS
        with self._transaction():
            self._run(staging.staged(self.model, source))
            for schema, alike in itertools.groupby(batches, key=lambda batch: batch.table.schema):
                # All at once, so that its threads share the work.
                table = pa.concat_tables(batch.table for batch in alike)
                self.query_batch(table, staging.stage(self.model, source, schema))
            for batch in {batch.file: batch for batch in batches}.values():  # the last of each
                self._reach(source, batch)
            refused = []
            if self.query(staging.ANY_REFUSED):
                if self._quarantine:
                    refused = read_refused(self, self.model, source, batches)
                self._execute(staging.refuse(self.model, source))
            if source == PREDICTIONS:
                if self._horizon:
                    self._execute(merging.recent(self._horizon))
                self._add_predictions()
            else:
                self._add_labels()
            self._run(tables.drop_scratch())
        if self._quarantine:
            self._quarantine.write(refused)
        return rows

    def watch(self) -> None:
        """Begin to keep the rows of changes apart, with none."""
        self._run(pairing.FRESH)
        self.fresh = True
        self._fresh_rows = 0

    def place(
        self, bounds: Sequence[tuple[int, int]], fresh: Sequence[tuple[int, int]] = ()
    ) -> None:
        """Have the relations of the tiles name the rows of some intervals.

        They are half-open, in microseconds; of those of `fresh` it is the changes since `watch`.
        The slot of a row is the place of its interval in both together.
        """
        self._run(pairing.piece_rows(self.model, bounds, fresh, self.now))

    def compact(self, *, always: bool = False) -> None:
        """Merge the tiles that were appended, if there are many, or `always`."""
        sizes = " + ".join(f"(SELECT count(*) FROM {table})" for table in tables.ADDED)
        size = self.query(f"SELECT {sizes}")[0][0]
        if size < self._compact_at and not always:
            return
        with self._transaction():
            self._run(tables.compact())
        size = self.query(f"SELECT {sizes}")[0][0]
        self._compact_at = max(COMPACT_ROWS, COMPACT_GROWTH * size)

    def _digests(self) -> tuple[str, str]:
        """Return what the rows and what the tiles depend on, beside what was read."""
        columns = [*prediction_columns(self.model), *amount_columns(self.model)]
        shadow = ["shadow"] * self.model.shadow
        rows = _digest(tables.SCHEMA_VERSION, key_of("id"), *map(repr, columns), *shadow)
        return rows, _digest(rows, repr(self.tiles), *pairing.join(self.model))

    def _open(self) -> None:
        rows, tiles = self._digests()
        with self._transaction():
            self._execute(tables.META)
            if self._meta("rows") != rows:
                if self._meta("rows"):
                    logger.warning(
                        "%s: columns changed, reading again from the start",
                        self.model.name,
                        extra={"event": "state_reset", "model": self.model.name},
                    )
                for statement in tables.create(self.model):
                    self._execute(statement)
            elif self._meta("tiles") != tiles:
                self._rebuild(int(self._meta("now") or 0))
            self._set_meta("rows", rows)
            self._set_meta("tiles", tiles)

    def _forget(self, now: int) -> None:
        """Forget what is older than is kept; an hour at a time, for tiles are of hours."""
        kept = self.model.retention
        if kept is None:
            return
        horizon = (now - kept.microseconds) // tables.HOUR * tables.HOUR
        if horizon > self._horizon:
            self.fresh = False  # what is forgotten cannot be taken away from the windows
            self._run(merging.forget(self.model, horizon))
            self._set_meta("horizon", str(horizon))

    @property
    def _horizon(self) -> int:
        return int(self._meta("horizon") or 0)

    def _reach(self, source: str, batch: Batch) -> None:
        """Set the cursor of a batch."""
        self._execute("DELETE FROM cursor WHERE source = ? AND file = ?", [source, batch.file])
        place = [source, batch.file, batch.cursor.position, batch.cursor.fingerprint]
        self._execute("INSERT INTO cursor VALUES (?, ?, ?, ?)", place)

    def _add_predictions(self) -> None:
        self._execute(merging.STORED)
        if self._any("stored") or not self._is_unique():
            self._run(merging.first_logged(self.model))
        self._execute(merging.WITH_LABELS)
        keys = merging.near("label", "adopted")
        self._keep("known", keys if self._any("adopted") else f"{keys} LIMIT 0")
        self._run(merging.ADD_PREDICTIONS)
        stored, incoming = changed("stored", after="false"), changed("incoming", before="false")
        predictions = f"{stored} UNION ALL BY NAME {incoming}"
        self._change(self.now, self.now, predictions=predictions, labels=changed("known"))

    def _add_labels(self) -> None:
        arrived = int(self._meta("arrived") or 0) + 1
        self._set_meta("arrived", str(arrived))
        self._execute(merging.KNOWN_LABELS)
        unique = not self._any("known") and self._is_unique()
        self._run(merging.new_labels(self.model, unique=unique))
        predictions = "prediction"
        if self.model.shadow or self.model.windows_by == "label_timestamp":
            predictions = "near"  # is read more than once
            self._keep("near", merging.near("prediction", "news"))
        labels = changed(f"(SELECT *, {arrived} AS arrived FROM news)", before="false")
        if not unique:
            known = changed("known SEMI JOIN news USING (key)")
            labels = f"{known} UNION ALL BY NAME {labels}"
        self._change(
            self.now,
            self.now,
            predictions=changed(predictions),
            labels=labels,
            predicted=False,
            several=not unique,
        )
        self._execute(merging.ADD_LABELS, {"arrived": arrived})
        # Of versions that shadow each other, one label has several pairs.
        if self.model.shadow or self.query(merging.UNMATCHED)[0][0]:
            self._execute(merging.ADD_ORPHANS)

    def _is_unique(self) -> bool:
        """Tell whether no id comes twice among the incoming records."""
        return bool(self.query(merging.UNIQUE)[0][0])

    def _change(
        self,
        was: int,
        now: int,
        *,
        predictions: str,
        labels: str,
        predicted: bool = True,
        several: bool = True,
    ) -> None:
        """Add to the tiles what some predictions and labels contribute now, less what they did.

        The two relations are those of `pairing.changed`; `predicted` tells whether predictions
        changed too, `several` whether an id may have more than one label record.
        """
        self._run(pairing.views(changed_prediction=predictions, changed_label=labels))
        self._run(pairing.pair(self.model, was=was, now=now))
        paired = self._any("pair")
        if paired:
            if several:
                self._execute(pairing.several(self.model))
            self._execute(pairing.count(self.model, several=several and self._any("several")))
            if several:
                self._execute(pairing.DROP_LABELED)
            self._execute(pairing.lifetime(self.model))
            self._execute(pairing.keep_labeled(self.model))
            for kind, tiles in self.tiles.labeled.items():
                self._execute(tables.append(kind, tiles))
            if self.fresh:
                self._execute(pairing.keep_fresh(self.model, "labeled"))
        # By label time, a prediction has no place before it has a label.
        if paired if self.model.windows_by == "label_timestamp" else predicted:
            self._run(pairing.predicted(self.model, was=was, now=now))
            self._execute(tables.append("counts", self.tiles.predicted))
            if self.fresh:
                self._execute(pairing.keep_fresh(self.model, "prediction"))

    def _rebuild(self, now: int) -> None:
        self.fresh = False
        for table in DERIVED:
            self._execute(f"DELETE FROM {table}")
        self._execute(merging.ALL_ORPHANS)
        rows = self.query("SELECT count(*) FROM prediction")[0][0]
        parts = 1 + rows // REBUILD_ROWS
        for part in range(parts):
            for name, table in (("near", "prediction"), ("known", "label")):
                self._keep(name, f"SELECT * FROM {table} WHERE hash(key) % {parts} = {part}")
            near = changed("near", before="false")
            self._change(-1, now, predictions=near, labels=changed("known"))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
