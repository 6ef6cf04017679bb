"""Sources: what was added since the cursor is read, once, whatever happened to the file."""

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_exporter.errors import SourceError
from model_exporter.job.sources import READERS, Cursor, FileSource
from model_exporter.job.sources.file import local_file
from model_exporter.job.sources.parquet import read_parquet


class Reading:
    """A source together with its cursors, as the store would keep them."""

    def __init__(self, pattern: Path, kind: str) -> None:
        self.source = FileSource(str(pattern), READERS[kind])
        self.cursors: dict[str, Cursor] = {}

    def read(self, *, final: bool = False) -> list[str]:
        found: list[str] = []
        for batch in self.source.read(self.cursors, final=final):
            self.cursors[batch.file] = batch.cursor
            found += batch.table.column("id").to_pylist()
        return found


def test_growing_csv(tmp_path: Path) -> None:
    """Only whole lines count, and each once."""
    path = tmp_path / "log.csv"
    reading = Reading(path, "csv")
    path.write_text("id,x\na,1\nb")
    assert reading.read() == ["a"]
    path.write_text("id,x\na,1\nb,2\nc,3\n")
    assert reading.read() == ["b", "c"]
    assert reading.read() == []


@pytest.mark.parametrize(("kind", "text"), [("csv", "id,x\na,1"), ("jsonl", '{"id": "a"}')])
def test_last_line_without_newline(tmp_path: Path, kind: str, text: str) -> None:
    """It counts when the file has stopped growing, or at once in a single evaluation."""
    path = tmp_path / "log"
    path.write_text(text)
    reading = Reading(path, kind)
    assert reading.read() == []
    assert reading.read() == ["a"]
    assert Reading(path, kind).read(final=True) == ["a"]


def test_quoted_newline(tmp_path: Path) -> None:
    """A newline between quotes does not end a row, not even at the end of a portion."""
    path = tmp_path / "log.csv"
    path.write_text('id,x\na,"one\ntwo"\nb,"thr\n')
    reading = Reading(path, "csv")
    assert reading.read() == ["a"]
    path.write_text('id,x\na,"one\ntwo"\nb,"thr\nee"\n')
    assert reading.read() == ["b"]


def test_portions(tmp_path: Path, monkeypatch) -> None:
    """A file larger than a portion, with lines longer than one, comes whole and in order."""
    monkeypatch.setattr("model_exporter.job.sources.text.PORTION_BYTES", 64)
    path = tmp_path / "log.csv"
    ids = [f"id{i}" for i in range(50)]
    path.write_text("id,x\n" + "".join(f"{i},{'y' * (k * 7)}\n" for k, i in enumerate(ids)))
    assert Reading(path, "csv").read() == ids


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_truncated_and_replaced(tmp_path: Path, kind: str) -> None:
    """A file whose beginning changed is another file."""
    path = tmp_path / "log"
    header = "id,x\n" if kind == "csv" else ""
    line = "{0},1\n" if kind == "csv" else '{{"id": "{0}"}}\n'
    reading = Reading(path, kind)
    path.write_text(header + line.format("old") + line.format("older"))
    assert reading.read() == ["old", "older"]
    path.write_text(header + line.format("new"))
    assert reading.read() == ["new"]


def test_new_files_of_a_glob(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "*.csv", "csv")
    assert reading.read() == []
    (tmp_path / "2.csv").write_text("id\nb\n")
    assert reading.read() == ["b"]
    (tmp_path / "1.csv").write_text("id\na\n")
    (tmp_path / "3.tmp").write_text("id\nhidden\n")
    assert reading.read() == ["a"]


def test_parquet(tmp_path: Path, monkeypatch) -> None:
    """Rows beyond the cursor, structs flattened; a file that changed is read again."""
    monkeypatch.setattr("model_exporter.job.sources.parquet.PORTION_ROWS", 3)
    path = tmp_path / "log.parquet"
    ids = [str(i) for i in range(10)]
    pq.write_table(pa.table({"id": ids, "scores": [{"sun": 0.5}] * 10}), path)
    reading = Reading(path, "parquet")
    batches = reading.source.read({})
    first = next(batches)
    assert first.table.column_names == ["id", "scores.sun"]
    reading.cursors[first.file] = first.cursor
    assert reading.read() == ids[3:]
    assert reading.read() == []
    pq.write_table(pa.table({"id": ["new"]}), path)
    assert reading.read() == ["new"]


@pytest.mark.parametrize(("rows", "group"), [(0, 5), (23, 3), (23, 7), (40, 10), (55, 25)])
def test_parquet_goes_on_at_any_row(tmp_path: Path, monkeypatch, rows: int, group: int) -> None:
    monkeypatch.setattr("model_exporter.job.sources.parquet.PORTION_ROWS", 10)
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"id": range(rows)}), path, row_group_size=group)
    file = local_file(path)
    for done in range(rows + 1):
        position, found = done, []
        for table, cursor in read_parquet(file, Cursor(done, file.version()), final=True):
            assert table.num_rows <= 10
            position += table.num_rows
            assert cursor.position == position
            found += table.column("id").to_pylist()
        assert found == list(range(done, rows))


def test_parquet_is_not_held_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("model_exporter.job.sources.parquet.PORTION_ROWS", 2_000)
    path = tmp_path / "log.parquet"
    ids = np.random.default_rng(0).bytes(32 * 100_000)
    table = pa.table({"id": pa.array([ids[i : i + 32] for i in range(0, len(ids), 32)])})
    pq.write_table(table, path, row_group_size=2_000)
    tracemalloc.start()
    try:
        for _ in read_parquet(local_file(path), Cursor(), final=True):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size / 4


def test_nested_json(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"id": 1, "bins": {"age": 3}, "score": 0.5, "ok": true, "none": null}\n')
    source = FileSource(str(path), READERS["jsonl"])
    table = next(iter(source.read({}))).table
    assert table.to_pylist() == [
        {"id": "1", "bins.age": "3", "score": "0.5", "ok": "True", "none": None}
    ]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("csv", b"id,x\na,1,2\n"),
        ("jsonl", b"{broken\n"),
        ("jsonl", b"[1]\n"),
        ("parquet", b"PAR1 not"),
    ],
)
def test_unreadable(tmp_path: Path, kind: str, content: bytes) -> None:
    """The error names the file."""
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=str(path)):
        Reading(path, kind).read()


def test_one_bad_file_hides_no_other(tmp_path: Path) -> None:
    """The others are read, before and after it; the error comes last."""
    (tmp_path / "1.jsonl").write_text('{"id": "a"}\n')
    (tmp_path / "2.jsonl").write_text("broken\n")
    (tmp_path / "3.jsonl").write_text('{"id": "c"}\n')
    batches = FileSource(str(tmp_path / "*.jsonl"), READERS["jsonl"]).read({})
    assert next(batches).table.column("id").to_pylist() == ["a"]
    assert next(batches).table.column("id").to_pylist() == ["c"]
    with pytest.raises(SourceError, match=r"2\.jsonl"):
        next(batches)


def test_csv_of_other_programs(tmp_path: Path) -> None:
    """A byte order mark, and lines that end as in Windows."""
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xef\xbb\xbfid,x\r\na,1\r\n")
    reading = Reading(path, "csv")
    assert reading.read() == ["a"]
    with path.open("ab") as file:
        file.write(b"b,2\r\n")
    assert reading.read() == ["b"]


def test_parquet_dictionaries(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"id": pa.array(["a", "b", "a"]).dictionary_encode()}), path)
    assert Reading(path, "parquet").read() == ["a", "b", "a"]
