"""Lines of text files: what was appended, told apart from what was rotated or replaced.

A cursor of a text file holds digests of the file's beginning and of what stands just before the
position. A file that has both goes on from there, whatever its name is now and whether it was
compressed since; a file that lacks either is another file. Positions count bytes of text, as they
are after decompression.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa

from model_exporter.errors import SourceError
from model_exporter.job.sources.batch import Cursor
from model_exporter.job.sources.file import File

COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
MARK_BYTES = 1024
"""Bytes of a beginning, or before a position, that identify it."""
READ_BYTES = 1 << 16
PORTION_BYTES = 16 << 20
"""Text is read in portions: bounded memory, and a transaction each."""
MAX_LINE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text: its beginning, what stands before the place, and the place."""

    head: bytes = b""
    tail: bytes = b""
    position: int = 0

    def after(self, data: bytes) -> "Mark":
        """Return the place after some more text."""
        head = self.head + data[: MARK_BYTES - len(self.head)]
        tail = (self.tail + data[-MARK_BYTES:])[-MARK_BYTES:]
        return Mark(head, tail, self.position + len(data))

    def cursor(self) -> Cursor:
        """Return the cursor of this place."""
        return Cursor(self.position, f"text:{_digest(self.head)}:{_digest(self.tail)}")


class Text:
    """An open text file, decompressed where its name says so. Use as a context manager."""

    def __init__(self, file: File) -> None:
        self.mark = Mark()
        self.truncated = False
        codec = COMPRESSED.get(file.suffix)
        self._raw = file.open()
        # As a Python file it is closed by us: Arrow's wrapper leaves it to the collector.
        self._file: Any = (
            pa.CompressedInputStream(pa.PythonFile(self._raw, "r"), codec) if codec else self._raw
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()

    def read(self, size: int) -> bytes:
        """Return `size` bytes; fewer only at the end, or where a compressed file breaks off."""
        parts, missing = [], size
        while missing and not self.truncated:
            try:
                part = self._file.read(min(missing, READ_BYTES))
            except OSError as error:
                if "runcated" not in str(error):
                    raise
                self.truncated = True  # still being written, or damaged: the caller knows
                break
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def seek(self, position: int) -> Cursor:
        """Go from the start to a position; return the cursor that would be taken there."""
        self.mark = Mark().after(self.read(min(MARK_BYTES, position)))
        self._skip(position - MARK_BYTES - self.mark.position)
        self.mark = self.mark.after(self.read(position - self.mark.position))
        return self.mark.cursor()

    def _skip(self, size: int) -> None:
        if size <= 0:
            return
        if self._file.seekable():
            self._file.seek(size, 1)
            self.mark = Mark(self.mark.head, b"", self.mark.position + size)
            return
        while size > 0:
            data = self.read(min(size, PORTION_BYTES))
            self.mark = self.mark.after(data)
            size -= len(data)
            if not data:
                return


def continued(file: File, own: Cursor, others: Iterable[Cursor]) -> Cursor:
    """Return the cursor that a text file goes on from: its own, or that of its former name.

    A file that continues none of them is new, or was replaced, and is read from the start.
    """
    if own.position and not own.fingerprint.startswith("text:"):
        return own  # of a format that has cursors of its own kind
    with Text(file) as text:
        head = text.read(MARK_BYTES)
    if _continues(file, head, own):
        return own
    # The beginnings first: of many files in a directory few begin alike.
    alike = {other for other in others if _begins(head, other)}
    for position in sorted({other.position for other in alike}, reverse=True):
        with Text(file) as text:
            here = text.seek(position)
        if here in alike:
            return here
    return Cursor()


def text_portions(
    file: File, cursor: Cursor, *, final: bool, quotes: bool = False
) -> Iterator[tuple[bytes, Cursor]]:
    """Yield whole lines of a text file beyond a cursor, in portions.

    With `quotes`, a newline between double quotes does not end a line.

    Raises
    ------
    SourceError
        If a line is too long, or the file breaks off in the middle and no longer grows.
    """
    with Text(file) as text:
        head = text.read(MARK_BYTES)
    begin = cursor if _continues(file, head, cursor) else Cursor()
    with Text(file) as text:
        if begin.position:
            text.seek(begin.position)
        mark, rest, size = text.mark, b"", PORTION_BYTES
        while True:
            data = rest + text.read(size - len(rest))
            if not mark.position and data.startswith(b"\0"):
                raise SourceError(
                    f"{file}: begins with zero bytes, as a file does that was truncated under a "
                    "writer that does not append; rotate it by renaming"
                )
            at_end = len(data) < size
            whole = at_end and final and not text.truncated
            cut = len(data) if whole else _last_line_end(data, quotes=quotes)
            if cut:
                mark = mark.after(data[:cut])
                yield data[:cut], mark.cursor()
                rest = data[cut:]
                size = max(PORTION_BYTES, 2 * len(rest))
            elif at_end:
                break
            elif size > MAX_LINE_BYTES:
                raise SourceError(f"{file}: a line is longer than {MAX_LINE_BYTES} bytes")
            else:
                rest, size = data, 2 * size
        if final and text.truncated:
            raise SourceError(f"{file}: the compressed file breaks off; it was not written whole")


def _begins(head: bytes, cursor: Cursor) -> bool:
    mark = f"text:{_digest(head[: cursor.position])}:"
    return cursor.position > 0 and cursor.fingerprint.startswith(mark)


def _continues(file: File, head: bytes, cursor: Cursor) -> bool:
    if not _begins(head, cursor):
        return False
    with Text(file) as text:
        return text.seek(cursor.position) == cursor


def _last_line_end(data: bytes, *, quotes: bool) -> int:
    end = data.rfind(b"\n") + 1
    while quotes and end and data.count(b'"', 0, end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end


def _digest(data: bytes) -> str:
    return f"{len(data)}-{hashlib.sha256(data).hexdigest()[:32]}"
