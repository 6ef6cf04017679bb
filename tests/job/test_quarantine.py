"""The quarantine file: what is in it, how large it gets, and what a crash leaves of it."""

import json
import stat
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.job.test_ledger import LABEL, PREDICTION, START, batch, configured

from model_exporter.job.quarantine import Quarantine
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.store import Store


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_refused_records_are_kept_as_they_were_read(tmp_path: Path) -> None:
    """With their place and the reason; each once, however often and wherever it comes again."""
    state = tmp_path / "state"
    labels = [("a", START, "1"), ("a", START, "maybe"), ("", START, "0"), ("a", START, "maybe")]
    table = pa.table(dict(zip(LABEL, map(pa.array, zip(*labels, strict=True)), strict=True)))
    note = pa.array(["", "from the call centre", None, ""])
    table = table.append_column("note", note)
    names = ("one.csv", "two.csv")
    batches = [Batch(name, table, Cursor(99)) for name in names]
    batches.append(Batch("good.csv", table.slice(0, 1), Cursor(9)))
    model = configured(tmp_path)
    for _ in range(2):
        with Store(state, model) as store:
            store.advance(START)
            store.ingest("predictions", [batch(PREDICTION, [("b", None, "1"), ("c", START, "1")])])
            store.ingest("labels", batches)
            store.ingest("labels", batches[::-1])
    path = state / "m-quarantine.jsonl"
    place = {"source": "labels", "file": "one.csv", "rows_end_at": 99}
    record = {"prediction_id": "a", "label_timestamp": START, "label": "maybe"}
    assert lines(path) == [
        {
            "source": "predictions", "file": "file", "rows_end_at": 1, "row": 1,
            "reason": "timestamp",
            "record": {"prediction_id": "b", "timestamp": None, "prediction": "1"},
        },
        {**place, "row": 2, "reason": "label", "record": record | {"note": "from the call centre"}},
        {
            **place, "row": 3, "reason": "id",
            "record": {"prediction_id": "", "label_timestamp": START, "label": "0", "note": None},
        },
    ]  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_can_be_turned_off(tmp_path: Path) -> None:
    """Then nothing of a record is written anywhere, and it is counted all the same."""
    with Store(tmp_path / "state", configured(tmp_path, quarantine=False)) as store:
        store.advance(START)
        store.ingest("labels", [batch(LABEL, [("a", START, "maybe")])])
        assert store.query("SELECT reason FROM invalid") == [("label",)]
    assert [path.suffix for path in (tmp_path / "state").iterdir()] == [".duckdb"]


def test_nothing_is_written_of_a_transaction_that_failed(tmp_path: Path, monkeypatch) -> None:
    """The records come with the transaction that counts them."""
    with Store(tmp_path / "state", configured(tmp_path)) as store:
        store.advance(START)
        with monkeypatch.context() as patch:
            patch.setattr(store, "_add_labels", lambda: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                store.ingest("labels", [batch(LABEL, [("a", START, "maybe")])])
        assert not (tmp_path / "state" / "m-quarantine.jsonl").exists()
        store.ingest("labels", [batch(LABEL, [("a", START, "maybe")])])
    assert len(lines(tmp_path / "state" / "m-quarantine.jsonl")) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 90)), max_size=30))
def test_is_bounded_and_whole(tmp_path_factory, writes: list[tuple[int, int]]) -> None:
    """Whatever is written, and wherever a crash cut the last line, the newest lines are whole."""
    quarantine = Quarantine(tmp_path_factory.mktemp("q"), "m", max_bytes=1_000)
    written = []
    for number, (length, cut) in enumerate(writes):
        record = {"number": number, "text": "x" * length}
        quarantine.write([record])
        if len(json.dumps(record)) < 500:  # half of what the file may hold
            written.append(record)
            found = lines(quarantine.path)
            assert found == written[-len(found) :]
            assert quarantine.path.stat().st_size <= 1_000
        if cut > 60 and quarantine.path.exists():
            with quarantine.path.open("ab") as file:
                file.write(b'{"number": 1, "te'[: cut - 60])
    if written:
        quarantine.write([{"number": -1}])
        assert lines(quarantine.path)[-1] == {"number": -1}


def test_a_full_disk_is_said_and_survived(tmp_path: Path, caplog) -> None:
    """The store goes on without the file."""
    quarantine = Quarantine(tmp_path / "absent", "m")
    quarantine.write([{"a": 1}])
    (record,) = caplog.records
    assert record.event == "quarantine_failed"


def test_a_link_is_not_followed(tmp_path: Path, caplog) -> None:
    """Nobody is led to write elsewhere."""
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "m-quarantine.jsonl").symlink_to(target)
    Quarantine(tmp_path, "m").write([{"a": 1}])
    assert target.read_text() == ""
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("a/b", "a_b"), ("ä", "ö"), ("x" * 65, "x" * 66), ("a", "A ")]
)
def test_models_do_not_share_a_file(tmp_path: Path, one: str, other: str) -> None:
    """Whatever their names."""
    assert Quarantine(tmp_path, one).path != Quarantine(tmp_path, other).path
    assert Quarantine(tmp_path, one).path.parent == tmp_path
