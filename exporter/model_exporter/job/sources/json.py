"""JSON files: one document each, an object or a list of them. They do not grow."""

import json
from collections.abc import Iterator

import pyarrow as pa

from model_exporter.errors import SourceError
from model_exporter.job.sources.batch import Cursor
from model_exporter.job.sources.file import File
from model_exporter.job.sources.jsonl import records_table
from model_exporter.job.sources.text import Text

MAX_BYTES = 64 << 20


def read_json(file: File, cursor: Cursor, *, final: bool) -> Iterator[tuple[pa.Table, Cursor]]:
    """Yield the records of a file that was not read, or has changed since.

    A file that is not yet whole is left for the next time, unless it no longer grows (`final`).

    Raises
    ------
    SourceError
        If it is not JSON, too large, or holds anything but objects.
    """
    reached = Cursor(1, file.version())
    if cursor == reached:
        return
    with Text(file) as text:
        data = text.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SourceError(f"{file}: larger than {MAX_BYTES} bytes; write JSON Lines instead")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        if not final:
            return
        raise SourceError(f"{file}: not JSON: {error}") from error
    records = document if isinstance(document, list) else [document]
    if not all(isinstance(record, dict) for record in records):
        raise SourceError(f"{file}: expected an object or a list of objects")
    yield records_table(records), reached
