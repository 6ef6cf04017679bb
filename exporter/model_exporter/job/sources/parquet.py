"""Parquet files. They do not grow: one that changed is another file, and is read again."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from model_exporter.errors import SourceError
from model_exporter.job.sources.batch import Cursor
from model_exporter.job.sources.file import File

PORTION_ROWS = 200_000


def read_parquet(file: File, cursor: Cursor, *, final: bool) -> Iterator[tuple[pa.Table, Cursor]]:
    """Yield the rows beyond a cursor; structs become ``struct.field``, dictionaries their values.

    `final` makes no difference: a Parquet file is complete or unreadable.

    Raises
    ------
    SourceError
        If the file is not Parquet, or incomplete.
    """
    fingerprint = file.version()
    done = cursor.position if cursor.fingerprint == fingerprint else 0
    try:
        with file.open() as opened, pq.ParquetFile(opened) as parquet:
            for position, groups in _row_groups(parquet.metadata, done):
                for portion in parquet.iter_batches(PORTION_ROWS, row_groups=groups):
                    start, position = position, position + portion.num_rows
                    if position > done:
                        table = pa.Table.from_batches([portion.slice(max(0, done - start))])
                        yield _flatten(table), Cursor(position, fingerprint)
    except pa.ArrowException as error:
        raise SourceError(f"{file}: not readable as Parquet: {error}") from error


def _row_groups(metadata: pq.FileMetaData, done: int) -> Iterator[tuple[int, list[int]]]:
    """Yield row groups to read together, with the number of rows before them.

    What was read of a file is held until its last row group is: hence not all of them at once.
    """
    start = position = 0
    together: list[int] = []
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if together and position + rows - start > PORTION_ROWS:
            yield start, together
            start, together = position, []
        position += rows
        if position > done:
            together.append(group)
        else:
            start = position
    if together:
        yield start, together


def _flatten(table: pa.Table) -> pa.Table:
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    plain = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(plain))
