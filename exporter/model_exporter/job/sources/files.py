"""Files and globs: which files there are, and what was added to them since they were last read.

New files are picked up, growing files are read on from where reading stopped, and a file that was
truncated or replaced is read again from the start. A file that was rotated, that is renamed and
begun anew, goes on under its new name: a glob finds it there, and beside a plain path the names
that logrotate and Python's handlers give (``log.csv.1``, ``log.csv-20260131.gz``) are looked for.
"""

import glob
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from model_exporter.errors import SourceError
from model_exporter.job.sources.batch import NOTHING, Batch, Cursor
from model_exporter.job.sources.file import File, local_file
from model_exporter.job.sources.text import continued

ROTATED = re.compile(r"[.-]\d[\d.:_TZ-]*(\.gz|\.zst)?")
"""What a rotated file's name has after the name that is written to."""


class Reader(Protocol):
    """A function that reads one file of a format."""

    def __call__(
        self, file: File, cursor: Cursor, *, final: bool
    ) -> Iterator[tuple[pa.Table, Cursor]]:
        """Yield what the file holds beyond a cursor; `final` takes an unterminated line too."""


class FileSource:
    """All files that a path or glob names, in the order of their names."""

    def __init__(self, pattern: str, reader: Reader) -> None:
        self.pattern = pattern
        self._reader = reader
        self._versions: dict[str, str] = {}
        self._finished: dict[str, tuple[str, Cursor]] = {}

    def files(self) -> list[File]:
        """Return the files there are now.

        Raises
        ------
        SourceError
            If a path without wildcards, or the directory of a glob, does not exist.
        """
        text, pattern = self.pattern, Path(self.pattern)
        if not glob.has_magic(text):
            if not pattern.is_file():
                raise SourceError(f"{text}: no such file; check `path`")
            return [local_file(pattern)]
        fixed = next(p for p in (pattern, *pattern.parents) if not glob.has_magic(str(p)))
        if not fixed.is_dir():
            raise SourceError(f"{text}: there is no directory {fixed}; create it or check `path`")
        found = (Path(name) for name in glob.glob(text, recursive=True))
        return [local_file(path) for path in sorted(path for path in found if path.is_file())]

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        """Yield what was added since `cursors` (by file name).

        The last line of a text file counts once it ends in a newline; without one, once the file
        has stopped growing between two reads, or at once if `final`.

        Raises
        ------
        SourceError
            At the end, if a file could not be read; the others were.
        """
        failures: list[Exception] = []
        known = dict(cursors)  # as they were: a file may go on from another's
        files = self._rotated(known)
        try:
            files += self.files()
        except SourceError as error:
            failures.append(error)
        for file in files:
            try:
                yield from self._read(file, known, final=final)
            except (SourceError, OSError) as error:
                failures.append(error)
        if failures:
            more = f" (and {len(failures) - 1} more files)" if len(failures) > 1 else ""
            raise SourceError(f"{failures[0]}{more}") from failures[0]

    def sample(self) -> tuple[str, pa.Table] | None:
        """Return the first portion of the first file that holds rows."""
        for file in self.files():
            for table, _ in self._reader(file, Cursor(), final=True):
                return file.name, table
        return None

    def _read(self, file: File, known: Mapping[str, Cursor], *, final: bool) -> Iterator[Batch]:
        name, version = file.name, file.version()
        own = known.get(name, Cursor())
        if self._finished.get(name) == (version, own):
            return  # a poll of many files costs little, and of compressed ones not all of them
        settled = final or self._versions.get(name) == version
        self._versions[name] = version
        reached = cursor = continued(file, own, known.values())
        for table, reached in self._reader(file, cursor, final=settled):
            yield Batch(name, table, reached)
        if reached == cursor != own:
            yield Batch(name, NOTHING, cursor)  # it was renamed: so that it is known hereafter
        if settled:
            self._finished[name] = (version, reached)

    def _rotated(self, known: Mapping[str, Cursor]) -> list[File]:
        """Return the files that the path was renamed to since it was first read, oldest first.

        They are those that go on from a cursor, and those that were begun after one of these.
        """
        if glob.has_magic(self.pattern) or not known:
            return []
        pattern = Path(self.pattern)
        beside = [
            path
            for path in pattern.parent.glob(pattern.name + "*")
            if ROTATED.fullmatch(path.name.removeprefix(pattern.name)) and path.is_file()
        ]
        beside.sort(key=lambda path: path.stat().st_mtime_ns)
        files = [local_file(path) for path in beside]
        for place, file in enumerate(files):
            if file.name in known or continued(file, Cursor(), known.values()).position:
                return files[place:]
        return []
