"""CSV with a header line: UTF-8, comma, double quotes; an empty field is a missing value."""

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from model_exporter.errors import SourceError
from model_exporter.job.sources.files import Cursor, text_portions

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_csv(path: Path, cursor: Cursor, *, final: bool) -> Iterator[tuple[pa.Table, Cursor]]:
    """Yield the rows beyond a cursor, every column as text.

    Raises
    ------
    SourceError
        If the file has no header, or a row has another number of fields than it.
    """
    header: bytes | None = None
    for data, reached in text_portions(path, cursor, final=final, quotes=True):
        if header is None:
            header = _header(path)
        body = data if reached.position == len(data) else header + data
        yield _parse(path, body, header), reached


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline().removeprefix(BYTE_ORDER_MARK).rstrip(b"\r\n") + b"\n"


def _parse(path: Path, body: bytes, header: bytes) -> pa.Table:
    try:
        names = csv.read_csv(io.BytesIO(header)).column_names
        return csv.read_csv(
            io.BytesIO(body),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise SourceError(f"{path}: not readable as CSV: {error}") from error
