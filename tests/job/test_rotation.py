"""Rotation and compression: no line of a log is lost or read twice, whatever its file is called."""

import gzip
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter.errors import SourceError
from model_exporter.job.sources import READERS, Cursor, FileSource

HEADER = "id," + ",".join(f"a_long_name_of_a_feature_{i}" for i in range(60)) + "\n"
"""Longer than what identifies a beginning: all such files begin alike."""


class Reading:
    """A source together with its cursors, as the store would keep them."""

    def __init__(self, pattern: Path) -> None:
        self.source = FileSource(str(pattern), READERS["csv"])
        self.cursors: dict[str, Cursor] = {}

    def read(self, *, final: bool = False) -> list[str]:
        found: list[str] = []
        for batch in self.source.read(self.cursors, final=final):
            self.cursors[batch.file] = batch.cursor
            if batch.table.num_rows:
                found += batch.table.column("id").to_pylist()
        return found


class Log:
    """A log that is written to, and rotated as logrotate does it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: list[str] = []
        path.write_text(HEADER)

    def write(self, count: int, *, to: Path | None = None) -> None:
        with (to or self.path).open("a") as file:
            for _ in range(count):
                self.written.append(f"id{len(self.written)}")
                file.write(self.written[-1] + ",x" * 60 + "\n")

    def rename(self, *, compress: bool = False) -> Path:
        """Move ``log.1`` to ``log.2`` and so on, then the log to ``log.1``, and begin anew."""
        kept = len(list(self.path.parent.glob("log.csv.*")))
        for i in range(kept, 0, -1):
            for suffix in ("", ".gz"):
                old = self.path.with_name(f"log.csv.{i}{suffix}")
                if old.exists():
                    old.rename(old.with_name(f"log.csv.{i + 1}{suffix}"))
        rotated = self.path.rename(self.path.with_name("log.csv.1"))
        self.path.write_text(HEADER)
        return squeeze(rotated) if compress else rotated

    def truncate(self) -> None:
        """Copy, then truncate."""
        shutil.copy(self.path, self.path.with_name("log.csv-20260131"))
        self.path.write_text(HEADER)


def squeeze(path: Path) -> Path:
    """Compress a file as gzip does: the new name has the time of the old."""
    squeezed = path.with_name(path.name + ".gz")
    squeezed.write_bytes(gzip.compress(path.read_bytes()))
    shutil.copystat(path, squeezed)
    path.unlink()
    return squeezed


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("pattern", ["log.csv", "log.csv*"])
def test_renamed_and_begun_anew(tmp_path: Path, pattern: str, compress: bool) -> None:
    """What was not yet read is read under the new name; what was read is not read again."""
    log = Log(tmp_path / "log.csv")
    reading = Reading(tmp_path / pattern)
    log.write(3)
    assert reading.read() == log.written
    log.write(2)
    log.rename(compress=compress)
    log.write(4)
    assert sorted(reading.read()) == sorted(log.written[3:])
    assert reading.read() == []


def test_a_writer_that_has_not_noticed(tmp_path: Path) -> None:
    """Lines still written to the renamed file are read."""
    log = Log(tmp_path / "log.csv")
    reading = Reading(log.path)
    log.write(3)
    reading.read()
    rotated = log.rename()
    log.write(1)
    assert reading.read() == log.written[3:]
    log.write(1, to=rotated)
    assert reading.read() == log.written[4:]


def test_copied_and_truncated(tmp_path: Path) -> None:
    """The copy is gone on with, and the file that was truncated read from its new beginning."""
    log = Log(tmp_path / "log.csv")
    reading = Reading(log.path)
    log.write(5)
    assert reading.read() == log.written
    log.write(2)
    log.truncate()
    log.write(9)  # longer than it was: its size does not tell
    assert sorted(reading.read()) == sorted(log.written[5:])
    assert reading.read() == []


def test_truncated_under_a_writer_that_does_not_append(tmp_path: Path) -> None:
    """Zero bytes where the lines were are refused, with what to do."""
    path = tmp_path / "log.csv"
    path.write_bytes(b"\0" * 100 + b"id9,1\n")
    with pytest.raises(SourceError, match="rotate it by renaming"):
        Reading(path).read()


def test_files_that_begin_alike(tmp_path: Path) -> None:
    """Another file with the same header and the same length is not taken for one that was read."""
    reading = Reading(tmp_path / "*.csv")
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text(HEADER + f"{name}{',x' * 60}\n")
        assert reading.read() == [name]


def test_rotated_files_that_were_there_before(tmp_path: Path) -> None:
    """A plain path names one file: what was rotated before the first read is not read."""
    log = Log(tmp_path / "log.csv")
    log.write(2)
    log.rename()
    log.write(2)
    assert Reading(log.path).read() == log.written[2:]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["write", "rename", "compress", "read", "restart"]), max_size=25))
def test_every_line_once(tmp_path_factory, steps: list[str]) -> None:
    """Whatever is done between two reads, all lines are read, and none twice."""
    directory = tmp_path_factory.mktemp("rotation")
    log = Log(directory / "log.csv")
    reading = Reading(log.path)
    log.write(1)
    found = reading.read()
    for step in steps:
        if step == "write":
            log.write(3)
        elif step == "rename":
            log.rename()
            log.write(1)  # an empty log has no line that tells it from the next
        elif step == "compress":
            log.rename(compress=True)
            log.write(1)
        elif step == "read":
            found += reading.read()
        else:
            cursors, reading = reading.cursors, Reading(log.path)
            reading.cursors = cursors
    found += reading.read(final=True)
    assert sorted(found) == sorted(log.written)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed(tmp_path: Path, kind: str, suffix: str) -> None:
    """A compressed file holds what it holds uncompressed, and is not read again."""
    codec = {".gz": "gzip", ".zst": "zstd"}[suffix]
    rows = [f"id{i}" for i in range(5_000)]
    lines = ["id", *rows] if kind == "csv" else [f'{{"id": "{i}"}}' for i in rows]
    path = tmp_path / f"log.{kind}{suffix}"
    whole = pa.Codec(codec).compress("\n".join(lines).encode() + b"\n", asbytes=True)
    path.write_bytes(whole)
    source = FileSource(str(tmp_path / "*"), READERS[kind])
    found, cursors = [], {}
    for _ in range(3):
        for batch in source.read(cursors):
            cursors[batch.file] = batch.cursor
            found += batch.table.column("id").to_pylist()
    assert found == rows


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_and_broken_off(tmp_path: Path, suffix: str) -> None:
    """Whole lines count while it grows; one that stays broken off is told, and heals."""
    codec = {".gz": "gzip", ".zst": "zstd"}[suffix]
    lines = ["id", *(f"{i * 7919 % 100_003}" for i in range(50_000))]
    whole = pa.Codec(codec).compress("\n".join(lines).encode() + b"\n", asbytes=True)
    path = tmp_path / f"log.csv{suffix}"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    reading = Reading(path)
    found = reading.read()
    assert found == lines[1 : len(found) + 1]
    assert found
    with pytest.raises(SourceError, match="breaks off"):
        reading.read()
    path.write_bytes(whole)
    assert found + reading.read() == lines[1:]


def test_an_endless_line(tmp_path: Path, monkeypatch) -> None:
    """A line that would not fit into memory is refused."""
    monkeypatch.setattr("model_exporter.job.sources.text.PORTION_BYTES", 1 << 10)
    monkeypatch.setattr("model_exporter.job.sources.text.MAX_LINE_BYTES", 1 << 14)
    path = tmp_path / "log.csv"
    path.write_text("id\n" + "x" * (1 << 16))
    with pytest.raises(SourceError, match="longer than"):
        Reading(path).read()
