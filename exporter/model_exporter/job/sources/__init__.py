"""Where predictions and labels are read from; one file a format, listed in `READERS`.

A reader is a function ``read(path, cursor, final=...)`` that yields ``(table, cursor)`` pairs:
what was added to the file since the cursor, in bounded portions. Reading is at least once: the
store makes a repeated record have no effect.
"""

from pathlib import Path

import pyarrow as pa

from model_exporter.errors import SourceError
from model_exporter.job.sources.csv import read_csv
from model_exporter.job.sources.files import Batch, Cursor, FileSource, Reader
from model_exporter.job.sources.jsonl import read_jsonl
from model_exporter.job.sources.parquet import read_parquet

READERS: dict[str, Reader] = {"csv": read_csv, "jsonl": read_jsonl, "parquet": read_parquet}
SOURCE_TYPES = tuple(READERS)


def read_table(path: Path) -> pa.Table:
    """Read a whole file, in the format that its name ends in.

    Raises
    ------
    SourceError
        If the file is missing, unreadable, or of a format that no reader is for.
    """
    reader = READERS.get(path.suffix.lstrip("."))
    if reader is None:
        raise SourceError(f"{path}: expected a name that ends in one of: {', '.join(READERS)}")
    if not path.is_file():
        raise SourceError(f"{path}: no such file; check the path")
    tables = [table for table, _ in reader(path, Cursor(), final=True)]
    if not tables:
        raise SourceError(f"{path}: holds no rows")
    return pa.concat_tables(tables, promote_options="default")


__all__ = ["READERS", "SOURCE_TYPES", "Batch", "Cursor", "FileSource", "read_table"]
