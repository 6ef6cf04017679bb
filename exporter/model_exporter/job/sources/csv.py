"""CSV with a header line: UTF-8, comma, double quotes; an empty field is a missing value."""

import io
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import csv

from model_exporter.errors import SourceError
from model_exporter.job.sources.batch import Cursor
from model_exporter.job.sources.file import File
from model_exporter.job.sources.text import Text, text_portions

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_HEADER_BYTES = 1 << 20


def read_csv(file: File, cursor: Cursor, *, final: bool) -> Iterator[tuple[pa.Table, Cursor]]:
    """Yield the rows beyond a cursor, every column as text.

    Raises
    ------
    SourceError
        If the file has no header, or a row has another number of fields than it.
    """
    header: bytes | None = None
    for data, reached in text_portions(file, cursor, final=final, quotes=True):
        if header is None:
            header = _header(file)
        body = data if reached.position == len(data) else header + data
        yield _parse(file, body, header), reached


def parse_csv(body: bytes, where: object) -> pa.Table:
    """Parse a text that begins with the header line.

    Raises
    ------
    SourceError
        If it is not CSV; the message names `where` it is.
    """
    return _parse(where, body, _first_line(body))


def _header(file: File) -> bytes:
    with Text(file) as text:
        return _first_line(text.read(MAX_HEADER_BYTES))


def _first_line(data: bytes) -> bytes:
    return data.partition(b"\n")[0].removeprefix(BYTE_ORDER_MARK).rstrip(b"\r") + b"\n"


def _parse(where: object, body: bytes, header: bytes) -> pa.Table:
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
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise SourceError(f"{where}: not readable as CSV: {error}") from error
