"""A file to read from, wherever it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any


@dataclass(frozen=True, slots=True)
class File:
    """A file of a disk or of an object store.

    Attributes
    ----------
    version
        Returns a text that changes when the file does.
    open
        Opens it to read bytes, from any place of it.
    """

    name: str
    version: Callable[[], str]
    open: Callable[[], Any]

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        """The end of the name, with its dot."""
        return PurePosixPath(self.name).suffix


def local_file(path: Path) -> File:
    """Return a file of this machine."""

    def version() -> str:
        stat = path.stat()
        return f"{stat.st_size}:{stat.st_mtime_ns}"

    return File(str(path), version, lambda: path.open("rb"))
