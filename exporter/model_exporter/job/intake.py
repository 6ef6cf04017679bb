"""Where pushed records of one source come in: who may push, which records are good, the spool."""

import hmac
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from model_exporter.errors import SourceError
from model_exporter.job import database, staging
from model_exporter.job.columns import label_columns, prediction_columns
from model_exporter.job.config import ModelConfig
from model_exporter.job.push_body import PushError
from model_exporter.job.source_section import SourceConfig
from model_exporter.job.sources.jsonl import flatten, text_table
from model_exporter.job.sources.spool import Spool

SETTINGS: dict[str, Any] = {
    **database.SETTINGS,
    "preserve_insertion_order": "true",
    "threads": "1",
}
"""Verdicts come in the order of the records; batches are small."""


class Intake:
    """Takes records of a model's predictions or labels; one thread at a time checks them."""

    def __init__(self, model: ModelConfig, source: SourceConfig, spool: Spool) -> None:
        self.model = model
        self.source = source
        self.spool = spool
        predictions = source.name == "predictions"
        columns = prediction_columns(model) if predictions else label_columns(model)
        self._known = tuple(dict.fromkeys(name for c in columns for name in c.candidates))
        self._connection = duckdb.connect(config=SETTINGS)
        self._connection.execute("SET TimeZone = 'UTC'")

    def admits(self, token: bytes) -> bool:
        """Tell whether a token opens this intake; read anew, for it may have changed."""
        if self.source.token_file is None:
            return True
        expected = read_token(self.source.token_file)
        return expected is not None and hmac.compare_digest(expected, token)

    def kept(self, record: dict[str, Any], place: int) -> dict[str, str | None]:
        """Return what the store reads of a record: no other value is written to the disk.

        Raises
        ------
        PushError
            If there is nothing, naming the record by its place in the push.
        """
        try:
            flat = flatten(record)
        except SourceError as error:
            raise PushError(400, "nested too deep", record=place) from error
        found = {name: flat[name] for name in self._known if name in flat}
        if not found:
            field = self.source.columns["id"]
            raise PushError(400, "none of the configured columns", record=place, field=field)
        return found

    def verdicts(
        self, records: Sequence[tuple[int, dict[str, str | None]]]
    ) -> list[tuple[int, str | None]]:
        """Return what is wrong with each record, as the store will find it; None if nothing is.

        Raises
        ------
        PushError
            If a record is no text, which cannot be kept at all.
        """
        for place, record in records:
            for name, value in record.items():
                _refuse_surrogates(name, value, place)
        batch = text_table([record for _, record in records])
        self._connection.register("batch", batch)
        sql = staging.verdicts(self.model, self.source.name, batch.schema)
        found = self._connection.execute(sql).fetchall()
        self._connection.unregister("batch")
        return [(place, reason) for (place, _), (reason,) in zip(records, found, strict=True)]


def lines(records: Iterable[dict[str, str | None]]) -> bytes:
    """Return records as JSON lines."""
    encode = json.JSONEncoder(separators=(",", ":")).encode
    return "".join(f"{encode(record)}\n" for record in records).encode()


def read_token(path: Path) -> bytes | None:
    """Return the bearer token in a file; None if it is none, which no message may quote."""
    try:
        token = path.read_bytes().strip()
    except OSError:
        return None
    return token if token and all(32 < octet < 127 for octet in token) else None


def _refuse_surrogates(name: str, value: str | None, place: int) -> None:
    try:
        (value or "").encode()
    except UnicodeEncodeError as error:
        raise PushError(
            400, "half a surrogate pair is no text", record=place, field=name
        ) from error
