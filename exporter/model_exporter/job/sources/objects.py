"""Files in object stores, through fsspec where it is installed: ``s3://``, ``gs://``, ``abfs://``.

Credentials are those that the store's own library finds: environment, profile, role of the pod.
"""

import glob
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from model_exporter.errors import SourceError, UnreachableError
from model_exporter.job.sources.batch import Batch, Cursor
from model_exporter.job.sources.file import File
from model_exporter.job.sources.files import FileSource


class ObjectSource(FileSource):
    """All objects that a URL or glob names, in the order of their names.

    An object does not grow in place; one that was written anew with more at its end is read on.
    """

    def files(self) -> list[File]:
        """Return the objects there are now."""
        try:
            import fsspec

            store, path = fsspec.core.url_to_fs(self.pattern)
        except (ImportError, ValueError) as error:
            raise SourceError(
                f"{self.pattern}: {error}; install fsspec and the package for this store, "
                "s3fs or gcsfs for example"
            ) from error
        store.invalidate_cache()  # what was written since the last time is wanted
        names = sorted(store.glob(path))
        if not names and not glob.has_magic(path):
            raise SourceError(f"{self.pattern}: no such object; check `path`")
        return [_object(store, name) for name in names]

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        """Yield what was added, as `FileSource` does.

        Raises
        ------
        SourceError
            If something could not be read, or the store does not answer.
        """
        try:
            yield from super().read(cursors, final=final)
        except SourceError:
            raise
        except Exception as error:
            raise self._unreachable(error) from error

    def sample(self) -> tuple[str, pa.Table] | None:
        """Return the first portion of the first object that holds rows."""
        try:
            return super().sample()
        except SourceError:
            raise
        except Exception as error:
            raise self._unreachable(error) from error

    def _rotated(self, known: Mapping[str, Cursor]) -> list[File]:
        return []  # objects are not renamed under a writer

    def _unreachable(self, error: Exception) -> UnreachableError:
        """Return the error of a store; each library raises exceptions of its own."""
        first_line = (str(error).splitlines() or [""])[0]
        return UnreachableError(f"{self.pattern}: {type(error).__name__}: {first_line}")


def _object(store: Any, name: str) -> File:
    return File(
        store.unstrip_protocol(name),
        lambda: str(store.ukey(name)),
        lambda: store.open(name, "rb"),
    )
