"""Files and globs: which files there are, and what was added to them since they were last read.

New files are picked up, growing files are read on from where reading stopped, and a file that was
truncated or replaced (its beginning changed) is read again from the start.
"""

import glob
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from model_exporter.errors import SourceError

HEAD_BYTES = 1024
PORTION_BYTES = 16 << 20
"""Text is read in portions: bounded memory, and a transaction each."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a file was read. `position` counts bytes of text, rows of Parquet."""

    position: int = 0
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows read from one file, and the cursor that says they were."""

    file: str
    table: pa.Table
    cursor: Cursor


class Reader(Protocol):
    """A function that reads one file of a format."""

    def __call__(
        self, path: Path, cursor: Cursor, *, final: bool
    ) -> Iterator[tuple[pa.Table, Cursor]]:
        """Yield what the file holds beyond a cursor; `final` takes an unterminated line too."""


class FileSource:
    """All files that a path or glob names, in the order of their names."""

    def __init__(self, pattern: Path, reader: Reader) -> None:
        self.pattern = pattern
        self._reader = reader
        self._sizes: dict[str, int] = {}

    def files(self) -> list[Path]:
        """Return the files there are now.

        Raises
        ------
        SourceError
            If a path without wildcards, or the directory of a glob, does not exist.
        """
        text = str(self.pattern)
        if not glob.has_magic(text):
            if not self.pattern.is_file():
                raise SourceError(f"{text}: no such file; check `path`")
            return [self.pattern]
        fixed = next(p for p in (self.pattern, *self.pattern.parents) if not glob.has_magic(str(p)))
        if not fixed.is_dir():
            raise SourceError(f"{text}: there is no directory {fixed}; create it or check `path`")
        found = (Path(name) for name in glob.glob(text, recursive=True))
        return sorted(path for path in found if path.is_file())

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        """Yield what was added since `cursors` (by file name).

        The last line of a text file counts once it ends in a newline; without one, once the file
        has stopped growing between two reads, or at once if `final`.

        Raises
        ------
        SourceError
            At the end, if a file could not be read; the others were.
        """
        failures = []
        for path in self.files():
            try:
                yield from self._read(path, cursors.get(str(path), Cursor()), final=final)
            except (SourceError, OSError) as error:
                failures.append(error)
        if failures:
            more = f" (and {len(failures) - 1} more files)" if len(failures) > 1 else ""
            raise SourceError(f"{failures[0]}{more}") from failures[0]

    def _read(self, path: Path, cursor: Cursor, *, final: bool) -> Iterator[Batch]:
        name, size = str(path), path.stat().st_size
        settled = final or self._sizes.get(name) == size
        self._sizes[name] = size
        for table, reached in self._reader(path, cursor, final=settled):
            yield Batch(name, table, reached)


def text_portions(
    path: Path, cursor: Cursor, *, final: bool, quotes: bool = False
) -> Iterator[tuple[bytes, Cursor]]:
    """Yield whole lines of a text file beyond a cursor, in portions.

    With `quotes`, a newline between double quotes does not end a line.
    """
    with path.open("rb") as file:
        position = cursor.position if _same_beginning(file.read(HEAD_BYTES), cursor) else 0
        size = PORTION_BYTES
        while True:
            file.seek(position)
            data = file.read(size)
            at_end = len(data) < size
            cut = len(data) if at_end and final else _last_line_end(data, quotes=quotes)
            if cut == 0:
                if at_end:
                    return
                size *= 2  # one line longer than the portion
                continue
            position += cut
            file.seek(0)
            head = file.read(min(HEAD_BYTES, position))
            yield data[:cut], Cursor(position, _fingerprint(head))
            size = PORTION_BYTES


def _last_line_end(data: bytes, *, quotes: bool) -> int:
    end = data.rfind(b"\n") + 1
    while quotes and end and data.count(b'"', 0, end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end


def _same_beginning(head: bytes, cursor: Cursor) -> bool:
    length = int(cursor.fingerprint.partition(":")[0] or 0)
    return len(head) >= length and _fingerprint(head[:length]) == cursor.fingerprint


def _fingerprint(head: bytes) -> str:
    return f"{len(head)}:{hashlib.sha256(head).hexdigest()[:32]}"
