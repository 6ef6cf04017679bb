"""Object stores: read as files are, through fsspec's stores in memory and on disk."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from model_exporter.errors import ConfigError, SourceError, UnreachableError
from model_exporter.job.config import load
from model_exporter.job.sources import READERS, Cursor
from model_exporter.job.sources.objects import ObjectSource

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")


class Reading:
    """A source together with its cursors, as the store would keep them."""

    def __init__(self, pattern: str, kind: str) -> None:
        self.source = ObjectSource(pattern, READERS[kind])
        self.cursors: dict[str, Cursor] = {}

    def read(self) -> list[str]:
        found: list[str] = []
        for batch in self.source.read(self.cursors):
            self.cursors[batch.file] = batch.cursor
            found += batch.table.column("id").to_pylist()
        return found


@pytest.fixture(params=["memory", "file"])
def bucket(request, tmp_path: Path) -> Iterator[tuple[Any, str]]:
    store = fsspec.filesystem(request.param)
    path = "/bucket" if request.param == "memory" else str(tmp_path)
    store.makedirs(path, exist_ok=True)
    yield store, f"{request.param}://{path}"
    if request.param == "memory":
        store.rm(path, recursive=True)


def parquet(ids: list[str]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": ids}), sink)
    return sink.getvalue()


WRITE = {
    "parquet": parquet,
    "csv": lambda ids: "\n".join(["id", *ids, ""]).encode(),
    "csv.gz": lambda ids: gzip.compress("\n".join(["id", *ids, ""]).encode()),
    "jsonl": lambda ids: "".join(f'{{"id": "{i}"}}\n' for i in ids).encode(),
    "json": lambda ids: "[{}]".format(", ".join(f'{{"id": "{i}"}}' for i in ids)).encode(),
}


@pytest.mark.parametrize("kind", WRITE)
def test_objects(bucket: tuple[Any, str], kind: str) -> None:
    """New objects are picked up, in the order of their names, and none is read twice."""
    store, url = bucket
    reading = Reading(f"{url}/**/*.{kind}", kind.removesuffix(".gz"))
    assert reading.read() == []
    for name, ids in (("2/b", ["b1", "b2"]), ("1/a", ["a"])):
        store.makedirs(f"{url}/{name[0]}", exist_ok=True)
        store.pipe(f"{url}/{name}.{kind}", WRITE[kind](ids))
    assert reading.read() == ["a", "b1", "b2"]
    assert reading.read() == []
    store.pipe(f"{url}/1/c.{kind}", WRITE[kind](["c"]))
    assert reading.read() == ["c"]
    if kind.startswith(("csv", "jsonl")):
        store.pipe(f"{url}/1/c.{kind}", WRITE[kind](["c", "d"]))  # written anew, with more
        assert reading.read() == ["d"]


def test_missing(bucket: tuple[Any, str]) -> None:
    with pytest.raises(SourceError, match="no such object"):
        Reading(f"{bucket[1]}/log.csv", "csv").read()


def test_a_store_that_fails(bucket: tuple[Any, str], monkeypatch) -> None:
    """Whatever its library raises, it is an error of the source."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no credentials\nand a long story")

    monkeypatch.setattr(type(bucket[0]), "glob", fail)
    with pytest.raises(UnreachableError, match=r"RuntimeError: no credentials$"):
        Reading(f"{bucket[1]}/*.csv", "csv").read()


def test_a_store_without_its_package() -> None:
    with pytest.raises(SourceError, match="install fsspec and the package"):
        Reading("nowhere://bucket/*.csv", "csv").read()


def test_credentials_are_not_written_here(tmp_path: Path) -> None:
    path = tmp_path / "exporter.yml"
    source = {"type": "csv", "path": "s3://key:secret@bucket/x.csv"}
    model = {"name": "m", "task": "regression", "predictions": source}
    path.write_text(yaml.safe_dump({"models": [model]}))
    with pytest.raises(ConfigError, match="credentials") as caught:
        load(path)
    assert "secret@" not in str(caught.value)
