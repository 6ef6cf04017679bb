"""A source that fails: told at once, the others unaffected, and nothing lost once it heals."""

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest
import yaml
from tests.job.web_server import WebServer

from model_exporter.cli import main
from model_exporter.job.collector import exposition
from model_exporter.job.config import load
from model_exporter.job.runner import Runner
from model_exporter.job.service import Service

HEADER = "prediction_id,timestamp,model_version,prediction\n"
NOW = 1_800_000_000_000_000


def health(runner: Runner) -> dict[str, tuple[float, float]]:
    """Return whether each source is up, and how many rows it gave so far."""
    values = runner.turn(NOW).values
    return {
        name: (values["model_source_up"][model, name], rows)
        for (model, name), rows in values["model_source_rows_total"].items()
    }


def test_a_column_is_renamed_and_renamed_back(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text(HEADER + "a,2026-01-01,v1,1.5\n")
    (tmp_path / "labels.csv").write_text("prediction_id,label,label_timestamp\na,1,2026-01-02\n")
    model = {
        "name": "m",
        "task": "regression",
        "predictions": {"type": "csv", "path": "[0-9].csv"},
        "labels": {"type": "csv", "path": "labels.csv"},
        "windows": ["5000d"],
    }
    config = tmp_path / "exporter.yml"
    config.write_text(yaml.safe_dump({"models": [model]}))
    with Runner(load(config).models[0], tmp_path / "state") as runner:
        assert health(runner) == {"predictions": (1, 1), "labels": (1, 1)}
        (tmp_path / "2.csv").write_text(
            HEADER.replace("prediction_id", "uid") + "b,2026-01-01,v1,2\n"
        )
        (tmp_path / "3.csv").write_text(HEADER + "c,2026-01-01,v1,1.5\n")
        assert health(runner) == {"predictions": (0, 2), "labels": (1, 1)}  # the third is read
        assert "no column 'prediction_id'" in runner.failures[0]
        (tmp_path / "2.csv").write_text(HEADER + "b,2026-01-01,v1,2\n")
        assert health(runner) == {"predictions": (1, 3), "labels": (1, 1)}


def test_an_api_that_fails_and_heals(tmp_path: Path, monkeypatch) -> None:
    """At start, between and after: predictions are served all the time, labels once they come."""
    monkeypatch.setattr("model_exporter.job.sources.web.FIRST_WAIT_SECONDS", 0)
    (tmp_path / "1.csv").write_text(HEADER + "a,2026-01-01,v1,1.5\nb,2026-01-01,v1,2.5\n")
    rows = [{"prediction_id": "a", "label": 1, "label_timestamp": "2026-01-02"}]
    with WebServer(lambda request: request.answer(status=500)) as server:
        model = {
            "name": "m",
            "task": "regression",
            "predictions": {"type": "csv", "path": "1.csv"},
            "labels": {"type": "http", "url": server.url},
            "windows": ["5000d"],
        }
        config = tmp_path / "exporter.yml"
        config.write_text(yaml.safe_dump({"listen": "127.0.0.1:0", "models": [model]}))
        assert main(["check-config", str(config)]) == 1
        Service(config)  # is not refused
        with Runner(load(config).models[0], tmp_path / "state") as runner:
            assert health(runner) == {"predictions": (1, 2), "labels": (0, 0)}
            server.respond = lambda request: request.answer(json.dumps(rows))
            assert health(runner) == {"predictions": (1, 2), "labels": (1, 1)}
            renamed = [{"prediction_id": "b", "outcome": 2, "label_timestamp": "2026-01-02"}]
            server.respond = lambda request: request.answer(json.dumps(renamed))
            assert health(runner) == {"predictions": (1, 2), "labels": (0, 1)}
            assert "no column 'label'" in runner.failures[0]
            rows.append({"prediction_id": "b", "label": 2, "label_timestamp": "2026-01-02"})
            server.respond = lambda request: request.answer(json.dumps(rows))
            assert health(runner) == {"predictions": (1, 2), "labels": (1, 3)}
            labeled = runner.turn(NOW).values["model_window_labeled_predictions"]
            assert labeled["m", "all", "5000d", "", ""] == 2


ROWS = [(f"p{i}", f"2026-01-01T00:00:{i // 3:02}Z", "v1", i * 1.5) for i in range(12)]
NAMES = ["prediction_id", "timestamp", "model_version", "prediction"]


def csv_files(directory: Path, stack: contextlib.ExitStack) -> dict:
    for i in range(4):
        lines = [",".join(map(str, row)) for row in ROWS[i * 3 : i * 3 + 3]]
        (directory / f"{i}.csv.part").write_text(HEADER + "\n".join(lines) + "\n")
    return {"type": "csv", "path": "*.csv.part"}


def sqlite_table(directory: Path, stack: contextlib.ExitStack) -> dict:
    with contextlib.closing(sqlite3.connect(directory / "log.db")) as connection, connection:
        connection.execute(f"CREATE TABLE log ({', '.join(NAMES)})")
        connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", ROWS)
    return {"type": "sql", "url": "sqlite:///log.db", "table": "log", "cursor": "timestamp"}


def http_pages(directory: Path, stack: contextlib.ExitStack) -> dict:
    def respond(request) -> None:
        page, since = int(request.parameters["page"]), request.parameters.get("since", "")
        rows = [dict(zip(NAMES, row, strict=True)) for row in reversed(ROWS) if row[1] >= since]
        request.answer(json.dumps(rows[page * 2 - 2 : page * 2]))

    server = stack.enter_context(WebServer(respond))
    return {
        "type": "http",
        "url": server.url,
        "pagination": {"by": "page", "parameter": "page"},
        "since": {"parameter": "since", "column": "timestamp"},
    }


class CrashError(Exception):
    """The process, or the disk, fails while rows are taken in."""


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("provide", [csv_files, sqlite_table, http_pages])
def test_the_store_fails_at_each_batch(tmp_path: Path, monkeypatch, provide, restart: bool) -> None:
    """Wherever it fails, and whether the process goes on or starts anew, the end is the same."""
    monkeypatch.setattr("model_exporter.job.sources.sql.CHUNK_ROWS", 2)
    monkeypatch.setattr("model_exporter.job.runner.TOGETHER_ROWS", 1)
    with contextlib.ExitStack() as stack:
        predictions = provide(tmp_path, stack)
        labels = [f"{row[0]},{i},2026-01-02" for i, row in enumerate(ROWS)]
        text = "prediction_id,label,label_timestamp\n" + "\n".join(labels) + "\n"
        (tmp_path / "labels.csv").write_text(text)
        model = {
            "name": "m",
            "task": "regression",
            "predictions": predictions,
            "labels": {"type": "csv", "path": "labels.csv"},
            "windows": ["5000d"],
        }
        path = tmp_path / "exporter.yml"
        path.write_text(yaml.safe_dump({"models": [model]}))
        config = load(path).models[0]
        with Runner(config, tmp_path / "whole") as runner:
            expected = exposition([runner.turn(NOW)])
        assert 'model_window_labeled_predictions{model_name="m",model_version="all"' in expected
        for place in (0, 2):
            runner = stack.enter_context(Runner(config, tmp_path / str(place)))
            fail_at(monkeypatch, runner, place)
            with pytest.raises(CrashError):
                runner.turn(NOW)
            if restart:
                runner.__exit__()
                runner = stack.enter_context(Runner(config, tmp_path / str(place)))
            runner.turn(NOW)
            assert exposition([runner.turn(NOW)]) == expected
            assert runner.failures == []


def fail_at(monkeypatch, runner: Runner, place: int) -> None:
    """Let the ingestion number `place` fail, once."""
    ingest, calls = runner._store.ingest, []

    def failing(source: str, batches: list) -> int:
        calls.append(source)
        if len(calls) == place + 1:
            raise CrashError
        return ingest(source, batches)

    monkeypatch.setattr(runner._store, "ingest", failing)
