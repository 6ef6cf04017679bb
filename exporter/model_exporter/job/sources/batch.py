"""What every source hands over: rows, and the cursor that says they were read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

NOTHING = pa.table({"nothing": pa.array([], pa.string())})
"""No rows: for a batch that brings a cursor only."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a part of a source was read; what the two fields mean is the source's affair.

    `position` counts bytes of text, rows of Parquet; `fingerprint` tells whether what is there
    now continues what was read.
    """

    position: int = 0
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows read from one part of a source, and the cursor that says they were.

    A part is a file, a table, or a page of an API; `file` is its name, free of secrets.
    """

    file: str
    table: pa.Table
    cursor: Cursor


class Source(Protocol):
    """Where predictions or labels come from."""

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        """Yield what was added since `cursors` (by part); `final` says nobody will ask again.

        Raises
        ------
        SourceError
            If something could not be read; what was yielded before is good.
        """

    def sample(self) -> tuple[str, pa.Table] | None:
        """Return some first rows and where they are; None if there are none yet."""
