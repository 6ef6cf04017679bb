"""JSON Lines: one object a line. Nested objects are addressed with dots, as ``scores.sun``."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from model_exporter.errors import SourceError
from model_exporter.job.sources.files import Cursor, text_portions


def read_jsonl(path: Path, cursor: Cursor, *, final: bool) -> Iterator[tuple[pa.Table, Cursor]]:
    """Yield the objects beyond a cursor, every value as text.

    Raises
    ------
    SourceError
        If a line is not a JSON object.
    """
    for data, reached in text_portions(path, cursor, final=final):
        lines = [line for line in data.splitlines() if line.strip()]
        yield text_table([_object(path, line) for line in lines]), reached


def _object(path: Path, line: bytes) -> dict[str, str | None]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}: not a JSON object: {line[:80]!r}: {error}") from error
    if not isinstance(value, dict):
        raise SourceError(f"{path}: expected one JSON object a line, found {line[:80]!r}")
    return flatten(value)


def flatten(value: dict[str, Any]) -> dict[str, str | None]:
    """Return the values of an object as text, nested ones under dotted names."""
    return dict(_flat(value, ""))


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


def text_table(rows: Sequence[dict[str, str | None]]) -> pa.Table:
    """Return rows as a table of text, with a column for every name in one of them."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({n: pa.array([row.get(n) for row in rows], pa.string()) for n in names})
