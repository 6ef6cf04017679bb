"""Ids of logged predictions, and what must never be in a log or on /metrics."""

import asyncio
import doctest
import json
import re
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import generate_latest

from model_exporter import Baseline, ModelMonitor
from model_exporter.sidecar import ids
from model_exporter.sidecar.faults import DropReason
from model_exporter.sidecar.ids import next_request_id, request_id, request_id_of


def logged(directory: Path) -> list[str]:
    lines = [line for p in sorted(directory.iterdir()) for line in p.read_text().splitlines()]
    return [json.loads(line)["prediction_id"] for line in lines]


def test_explicit_then_request_then_made(make: Callable[..., ModelMonitor], tmp_path: Path) -> None:
    """The precedence, of calls with one row."""
    monitor = make(task="regression", log=tmp_path)
    explicit = monitor(prediction_id=lambda row: "mine" if row > 1 else None)(lambda row: row)
    plain = monitor(lambda row: row)
    with request_id("req"):
        explicit(2.0)
        explicit(1.0)
        plain(1.0)
    explicit(1.0)
    plain(1.0)
    monitor.close()
    found = logged(tmp_path)
    assert found[:3] == ["mine", "req", "req-2"]
    assert [uuid.UUID(text).version for text in found[3:]] == [7, 7]


def test_rows_of_a_batch_have_the_requests_id_and_their_number(
    make: Callable[..., ModelMonitor], tmp_path: Path
) -> None:
    """Whatever the size, one row included; ids that the hook gave stay."""
    monitor = make(task="regression", log=tmp_path)
    plain = monitor(batch=True)(lambda rows: rows)
    some = monitor(batch=True, prediction_id=lambda rows: ["a", None])(lambda rows: rows)
    with request_id("req"):
        plain([1.0, 2.0])
        plain([1.0])
        some([1.0, 2.0])
    plain([1.0])
    monitor.close()
    found = logged(tmp_path)
    assert found[:5] == ["req-0", "req-1", "req-2-0", "a", "req-3-1"]
    assert uuid.UUID(found[5]).version == 7


def test_a_request_id_is_its_tasks_and_threads_own(
    make: Callable[..., ModelMonitor], tmp_path: Path
) -> None:
    """Requests that are served at once do not take each other's ids."""
    monitor = make(task="regression", log=tmp_path)

    @monitor
    async def predict(row: float) -> float:
        await asyncio.sleep(0)
        return row

    async def serve(name: str) -> None:
        with request_id(name):
            await predict(1.0)

    async def main() -> None:
        await asyncio.gather(*(serve(f"r{i}") for i in range(5)))

    asyncio.run(main())
    with request_id("outer"):
        found: list[str | None] = []
        thread = threading.Thread(target=lambda: found.append(next_request_id()))
        thread.start()
        thread.join()
    assert found == [None]
    monitor.close()
    assert sorted(logged(tmp_path)) == [f"r{i}" for i in range(5)]


def test_nested_and_closed_elsewhere() -> None:
    """The inner id ends with its block; a generator closed in another context is no error."""
    with request_id("a"):
        with request_id("b"):
            assert next_request_id() == "b"
        with request_id(None):
            assert next_request_id() is None
        assert next_request_id() == "a"
    assert next_request_id() is None
    import contextvars

    block = request_id("c")
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)


@pytest.mark.parametrize("text", ["", " ", "x" * 201, "a\nb", "a\x00", None])
def test_odd_request_ids_are_not_taken(text: str | None) -> None:
    """They come from outside."""
    with request_id(text):
        assert next_request_id() is None
    assert request_id_of({"X-Request-Id": text, "Ce-Id": "c"}.get) == "c"


def test_headers_in_their_order() -> None:
    headers = {"X-Amzn-SageMaker-Inference-Id": "3", "Ce-Id": "2", "X-Request-Id": "1"}
    for expected in ("1", "2", "3"):
        assert request_id_of(headers.get) == expected
        headers.popitem()
    assert request_id_of(headers.get) is None


def test_examples() -> None:
    assert doctest.testmod(ids, extraglobs={"np": np}).failed == 0


def test_without_a_log_a_call_asks_for_no_id(
    make: Callable[..., ModelMonitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No log, no cost."""
    from model_exporter.sidecar import calls

    def fail(*_: object) -> None:
        raise AssertionError("asked for an id")

    monkeypatch.setattr(calls, "next_request_id", fail)
    monkeypatch.setattr(calls, "row_ids", fail)
    monitor = make(task="regression")
    monitor(lambda row: row)(1.0)
    monitor(batch=True)(lambda rows: rows)([1.0])
    monitor.flush()


CANARY, NUMBER = "canary-7f3a", 31.0123456789


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("log_format", ["jsonl", "parquet"])
def test_no_feature_value_is_in_the_log_or_on_metrics(
    make: Callable[..., ModelMonitor],
    task: str,
    baseline: Baseline,
    tmp_path: Path,
    log_format: str,
    batch: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By default: neither text nor numbers, known columns nor unknown, nor in what is logged."""
    monitor = make(task=task, baseline=baseline, log=tmp_path, log_format=log_format, strict=False)
    rows: list[dict[str, Any]] = [
        {"age": NUMBER, "country": CANARY, "name": CANARY},
        {"age": CANARY, "country": NUMBER, "name": NUMBER},
    ]
    output: Any = 1.0 if task == "regression" else 1
    if batch:
        monitor(batch=True)(lambda rows: [output] * len(rows))(rows)
    else:
        for row in rows:
            monitor(lambda row: output)(row)
        monitor(lambda *row: output)([CANARY])  # one that cannot be read
    scraped = generate_latest(monitor.registry).decode()
    monitor.close()
    assert "model_predictions_total" in scraped
    (path,) = tmp_path.iterdir()
    if log_format == "parquet":
        import pyarrow.parquet as pq

        written = str(pq.read_table(path).to_pylist())
    else:
        written = path.read_text()
    assert "prediction_id" in written
    for text in (scraped, written, caplog.text):
        assert CANARY not in text
        assert str(NUMBER) not in text


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`docs/log.md`: the log that it configures, and the id that it promises."""
    page = Path(__file__).parents[2] / "docs" / "log.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    (tmp_path / "token").write_text("t")
    names: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        block = block.replace("/run/secrets/log-token", "token")
        exec(block.replace("/var/spool/model-exporter", "spool"), names)
    assert logged(tmp_path / "predictions") == ["order-17"]
    assert (tmp_path / "spool").is_dir()
    rows = (tmp_path / "predictions").glob("*.jsonl")
    row = json.loads(next(rows).read_text())
    assert all(f"`{column}`" in page.read_text("utf-8") for column in row)


def test_every_reason_to_drop_rows_of_the_log_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "log.md").read_text("utf-8")
    reasons = [reason for reason in DropReason if reason.startswith("log_")]
    assert len(reasons) == 5
    assert all(f"`{reason}`" in page for reason in reasons)
