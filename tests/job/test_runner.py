"""A turn over several sources: none waits for another, and what fails is read again."""

import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import yaml

from model_exporter.errors import SourceError
from model_exporter.job.config import load
from model_exporter.job.progress import LOG_SECONDS, Line, Progress, bar
from model_exporter.job.reading import Reading
from model_exporter.job.runner import Runner, Stopped
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.store import Store

NOW = 1_700_000_000_000_000


class Source:
    """Stands for a source: yields what it holds beyond the cursor, and can be made to hang."""

    def __init__(self, names: tuple[str, ...], rows: list[tuple]) -> None:
        self.names = names
        self.rows = rows
        self.open = threading.Event()
        self.open.set()
        self.failure: Exception | None = None

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        done = cursors.get("all", Cursor()).position
        for i in range(done, len(self.rows)):
            self.open.wait()
            columns = [pa.array([value]) for value in self.rows[i]]
            yield Batch("all", pa.table(dict(zip(self.names, columns, strict=True))), Cursor(i + 1))
        if self.failure:
            raise self.failure


@pytest.fixture
def sources() -> dict[str, Source]:
    predictions = [(f"id{i}", NOW - i, "1") for i in range(6)]
    labels = [(f"id{i}", NOW - i, "1") for i in range(4)]
    return {
        "predictions": Source(("prediction_id", "timestamp", "prediction"), predictions),
        "labels": Source(("prediction_id", "label_timestamp", "label"), labels),
    }


def runner_of(directory: Path, sources: dict[str, Source], patience: float | None) -> Runner:
    model = {
        "name": "m",
        "task": "binary",
        "predictions": {"type": "csv", "path": "p.csv"},
        "labels": {"type": "csv", "path": "l.csv"},
        "windows": ["1d"],
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [model]}), "utf-8")
    config = load(path)
    runner = Runner(config.models[0], config.state, patience=patience)
    runner._sources = [(source, sources[source.name]) for source, _ in runner._sources]
    return runner


def counted(runner: Runner, now: int = NOW) -> tuple[float, float]:
    values = runner.turn(now).values
    key = ("m", "all", "1d", "", "")
    return values["model_window_predictions"][key], values["model_window_labeled_predictions"][key]


@pytest.mark.parametrize("hanging", ["predictions", "labels"])
def test_a_source_that_hangs_delays_no_other(tmp_path: Path, sources, hanging: str) -> None:
    """The other is read and evaluated, also when it grows; in the end nothing is missing."""
    sources[hanging].open.clear()
    with runner_of(tmp_path, sources, patience=0.2) as runner:
        first = counted(runner)
        assert first == ((0, 0) if hanging == "predictions" else (6, 0))
        assert runner.behind
        up = runner.turn(NOW).values["model_source_up"]
        assert [name for _, name in up] == [n for n in sources if n != hanging]
        sources["predictions"].rows.append(("id9", NOW, "1"))
        expected = 0 if hanging == "predictions" else 7
        assert counted(runner)[0] == expected
        sources[hanging].open.set()
        while runner.behind:
            runner.turn(NOW)
        assert counted(runner) == (7, 4)
    assert runner.failures == []


def test_a_source_that_fails_keeps_what_it_brought(tmp_path: Path, sources) -> None:
    """And is read on from there; the other source is up."""
    sources["predictions"].failure = SourceError("refused")
    with runner_of(tmp_path, sources, patience=None) as runner:
        assert counted(runner) == (6, 4)
        assert "refused" in runner.failures[0]
        sources["predictions"].failure = None
        sources["predictions"].rows.append(("id9", NOW, "1"))
        values = runner.turn(NOW).values
        assert runner.failures == []
        assert values["model_source_up"] == {("m", "predictions"): 1, ("m", "labels"): 1}
        assert values["model_source_rows_total"]["m", "predictions"] == 7


def test_what_the_store_refuses_is_read_again(tmp_path: Path, sources, monkeypatch) -> None:
    """A batch whose transaction failed is not lost with it."""
    with runner_of(tmp_path, sources, patience=None) as runner:

        def fail(*_: object) -> int:
            raise duckdb.IOException("disk full")

        monkeypatch.setattr(runner._store, "ingest", fail)
        assert counted(runner) == (6, 4)  # the turn opens the store anew, and tries once more


def test_stops_while_it_waits(tmp_path: Path, sources) -> None:
    """For a source that hangs, or in a statement."""
    sources["labels"].open.clear()
    runner = runner_of(tmp_path, sources, patience=None)
    ended: list[type] = []

    def turn() -> None:
        with runner:
            try:
                runner.turn(NOW)
            except Stopped as error:
                ended.append(type(error))

    thread = threading.Thread(target=turn)
    thread.start()
    runner.stop()
    thread.join(timeout=60)
    sources["labels"].open.set()
    assert ended == [Stopped]


def test_an_interrupted_statement_undoes_its_transaction(tmp_path: Path, sources) -> None:
    """The turn ends as stopped, and the next process takes in everything."""
    with runner_of(tmp_path, sources, patience=None) as runner:
        ingest = runner._store.ingest

        def interrupted(source: str, batches: list[Batch]) -> int:
            timer = threading.Timer(0.05, runner.interrupt)
            timer.start()
            with runner._store._transaction():
                runner._store._execute("DELETE FROM cursor")
                runner._store.query("SELECT count(*) FROM range(1000000000000)")
            return ingest(source, batches)

        runner._store.ingest = interrupted
        with pytest.raises(Stopped):
            runner.turn(NOW)
    with runner_of(tmp_path, sources, patience=None) as runner:
        assert counted(runner) == (6, 4)


def test_reading_takes_what_there_is() -> None:
    """Batches come in order, the failure after them, and again at each further call."""

    def batches() -> Iterator[Batch]:
        for i in range(5):
            yield Batch("f", pa.table({"x": [i, i]}), Cursor(i))
        raise SourceError("end")

    reading = Reading(batches(), name="test")
    taken = reading.take(4, seconds=None) + reading.take(100, seconds=None)
    assert [batch.cursor.position for batch in taken] == [0, 1, 2, 3, 4]
    for _ in range(2):
        with pytest.raises(SourceError):
            reading.take(1, seconds=0)
    assert reading.done


class Terminal:
    """A stream that says whether it is a terminal."""

    def __init__(self, tty: bool) -> None:
        self.tty = tty
        self.text = ""

    def isatty(self) -> bool:
        return self.tty

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...


@pytest.mark.parametrize("tty", [True, False])
def test_progress(tty: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A line that is redrawn on a terminal; elsewhere a log line every ten seconds."""
    now = [0.0]
    terminal = Terminal(tty)
    line = Line(terminal, clock=lambda: now[0])
    progress = Progress("churn", "labels", line=line, clock=lambda: now[0])
    with caplog.at_level(logging.INFO):
        for _ in range(25):
            now[0] += LOG_SECONDS / 10
            progress.add(1_000)
    line.clear()
    if tty:
        assert "\r\x1b[Kchurn: labels: 25,000 rows, 1,000/s" in terminal.text
        assert terminal.text.endswith("\r\x1b[K")
        assert caplog.records == []
    else:
        assert terminal.text == ""
        found = [(r.event, r.model, r.source, r.rows, r.rows_per_second) for r in caplog.records]
        assert found == [("reading", "churn", "labels", n, 1_000) for n in (10_000, 20_000)]


def test_bar() -> None:
    """From empty to full."""
    assert bar(0, 8).startswith("[-")
    assert bar(8, 8) == f"[{'#' * 24}] 8/8"


def test_stores_of_a_process_share_its_memory(tmp_path: Path, sources: dict[str, Source]) -> None:
    """As much as one of them is left for the rows being read."""
    with runner_of(tmp_path, sources, None) as runner:
        model = runner.model
    sql = "SELECT current_setting('memory_limit')"
    with duckdb.connect() as connection:
        whole = connection.execute(sql).fetchall()
    limits = [whole]
    for stores in (1, 3):
        with Store(tmp_path / str(stores), model, stores=stores) as store:
            limits.append(store.query(sql))
    one, half, quarter = (float(limit.split()[0]) for ((limit,),) in limits)
    assert half == pytest.approx(one / 2, abs=0.11)  # it is cut off, not rounded
    assert quarter == pytest.approx(one / 4, abs=0.11)
