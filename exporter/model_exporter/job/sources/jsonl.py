"""JSON Lines: one object a line. Nested objects are addressed with dots, as ``scores.sun``."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from model_exporter.errors import SourceError
from model_exporter.job.sources.batch import Cursor
from model_exporter.job.sources.file import File
from model_exporter.job.sources.text import text_portions


def read_jsonl(file: File, cursor: Cursor, *, final: bool) -> Iterator[tuple[pa.Table, Cursor]]:
    """Yield the objects beyond a cursor, every value as text.

    Raises
    ------
    SourceError
        If a line is not a JSON object.
    """
    for data, reached in text_portions(file, cursor, final=final):
        yield parse_jsonl(data, file), reached


def parse_jsonl(data: bytes, where: object) -> pa.Table:
    """Parse lines of JSON objects.

    Raises
    ------
    SourceError
        If a line is not a JSON object; the message names `where` it is.
    """
    return records_table(_object(where, line) for line in data.splitlines() if line.strip())


def records_table(records: Iterable[dict[str, Any]]) -> pa.Table:
    """Return a table of JSON objects, every value as text, nested ones under dotted names."""
    return text_table([flatten(record) for record in records])


def flatten(record: dict[str, Any]) -> dict[str, str | None]:
    """Return the values of an object as text, nested ones under dotted names.

    Raises
    ------
    SourceError
        If it is nested too deeply.
    """
    try:
        return dict(_flat(record, ""))
    except RecursionError as error:
        raise SourceError("JSON that is nested too deeply; records are nearly flat") from error


def text_table(rows: Sequence[dict[str, str | None]]) -> pa.Table:
    """Return flat rows as a table of text, with a column for every name in one of them."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({_clean(n): _column([row.get(n) for row in rows]) for n in names})


def _column(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([v and _clean(v) for v in values], pa.string())


def _clean(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can write and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _object(where: object, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where}: not a JSON object: {line[:80]!r}: {error}") from error
    if not isinstance(value, dict):
        raise SourceError(f"{where}: expected one JSON object a line, found {line[:80]!r}")
    return value


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, str | None]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield prefix + key, _text(item)


def _text(item: object) -> str | None:
    if item is None or isinstance(item, str):
        return item or None
    return str(item) if isinstance(item, (bool, int, float)) else json.dumps(item)
