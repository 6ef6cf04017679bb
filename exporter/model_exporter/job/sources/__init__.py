"""Where predictions and labels are read from; one file a format, listed in `READERS`.

A reader is a function ``read(path, cursor, final=...)`` that yields ``(table, cursor)`` pairs:
what was added to the file since the cursor, in bounded portions. Reading is at least once: the
store makes a repeated record have no effect.
"""

from model_exporter.job.sources.csv import read_csv
from model_exporter.job.sources.files import Batch, Cursor, FileSource, Reader
from model_exporter.job.sources.jsonl import read_jsonl
from model_exporter.job.sources.parquet import read_parquet

READERS: dict[str, Reader] = {"csv": read_csv, "jsonl": read_jsonl, "parquet": read_parquet}
SOURCE_TYPES = tuple(READERS)

__all__ = ["READERS", "SOURCE_TYPES", "Batch", "Cursor", "FileSource"]
