"""Where predictions and labels are read from; one file a type, listed in `SOURCES`.

A type is a function that takes its keys from a section of the configuration and returns a function
that opens the source. A source yields what was added since the cursors that the store holds, in
bounded portions. Reading is at least once: the store makes a repeated record have no effect.

A format of files is a function ``read(file, cursor, final=...)`` that yields ``(table, cursor)``
pairs, listed in `READERS`.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa

from model_exporter.errors import SourceError
from model_exporter.job.sources import http, kafka, sql
from model_exporter.job.sources.batch import Batch, Cursor, Source
from model_exporter.job.sources.csv import read_csv
from model_exporter.job.sources.file import local_file
from model_exporter.job.sources.files import FileSource, Reader
from model_exporter.job.sources.json import read_json
from model_exporter.job.sources.jsonl import read_jsonl
from model_exporter.job.sources.objects import ObjectSource
from model_exporter.job.sources.parquet import read_parquet
from model_exporter.job.sources.text import COMPRESSED
from model_exporter.job.yaml_section import Section

READERS: Mapping[str, Reader] = {
    "csv": read_csv,
    "json": read_json,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


def _configure_files(section: Section, *, reader: Reader) -> Callable[[], Source]:
    """Take `path` from a section: relative to the configuration, or a URL of an object store."""
    text = section.text("path", expected="a file or a glob")
    if "://" in text:
        if "@" in urlsplit(text).netloc:
            section.refuse("credentials are not written here; see the store's library", key="path")
        return functools.partial(ObjectSource, text, reader)
    pattern = section.path.parent / Path(text).expanduser()
    return functools.partial(FileSource, str(pattern), reader)


SOURCES: Mapping[str, Callable[[Section], Callable[[], Source]]] = {
    **{name: functools.partial(_configure_files, reader=READERS[name]) for name in READERS},
    "http": http.configure,
    "kafka": kafka.configure,
    "sql": sql.configure,
}


def read_table(path: Path) -> pa.Table:
    """Read a whole file, in the format that its name ends in.

    Raises
    ------
    SourceError
        If the file is missing, unreadable, or of a format that no reader is for.
    """
    plain = path.with_suffix("") if path.suffix in COMPRESSED else path
    reader = READERS.get(plain.suffix.lstrip("."))
    if reader is None:
        raise SourceError(f"{path}: expected a name that ends in one of: {', '.join(READERS)}")
    if not path.is_file():
        raise SourceError(f"{path}: no such file; check the path")
    tables = [table for table, _ in reader(local_file(path), Cursor(), final=True)]
    if not tables:
        raise SourceError(f"{path}: holds no rows")
    return pa.concat_tables(tables, promote_options="default")


__all__ = ["READERS", "SOURCES", "Batch", "Cursor", "FileSource", "Source", "read_table"]
