"""The log over HTTP: delivered at least once, or counted; the model never waits."""

import contextlib
import gzip
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from model_exporter import ConfigError, ModelMonitor
from model_exporter.sidecar import log_http, log_outbox, log_sender
from model_exporter.sidecar.clock import SYSTEM_CLOCK
from model_exporter.sidecar.log_http import pieces
from model_exporter.sidecar.log_names import BLOCK_BYTES, entries
from model_exporter.sidecar.log_target import read_target

Reader = Callable[..., Any]
TOKEN = "s3cret-t0ken"


class Receiver(ThreadingHTTPServer):
    """Takes batches, or answers what the test tells it to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.always: tuple[int, dict[str, str]] = (204, {})
        self.requests: list[tuple[float, str, dict[str, str], list[Any]]] = []
        self.taken: list[Any] = []
        self.hang = threading.Event()
        self.hang.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/predictions"

    def predictions(self) -> list[float]:
        return sorted(row["prediction"] for row in self.taken)


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        rows = [json.loads(line) for line in gzip.decompress(body).splitlines()]
        receiver = self.server
        receiver.requests.append((time.monotonic(), self.path, dict(self.headers), rows))
        receiver.hang.wait(10)
        status, headers = receiver.answers.pop(0) if receiver.answers else receiver.always
        if status == 204:
            receiver.taken.extend(rows)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(log_sender, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(log_sender, "MAX_BACKOFF_SECONDS", 0.02)
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.hang.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["memory", "spool"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "spool" if request.param == "spool" else None


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Wait for what a background thread does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.002)
    return False


def test_rows_arrive(
    make: Callable[..., ModelMonitor], receiver: Receiver, spool: Path | None, tmp_path: Path
) -> None:
    """As the JSON lines of a file, compressed, with the token; nothing stays in the spool."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    monitor = make(
        task="regression", log=f"{receiver.url}?a=b", log_spool=spool, log_token_file=token
    )
    for value in (1.0, 2.0):
        monitor(lambda row: row)(value)
    monitor.close()
    assert receiver.predictions() == [1, 2]
    ((_, path, headers, rows),) = receiver.requests
    assert path == "/v1/predictions?a=b"
    assert headers["Content-Type"] == "application/x-ndjson"
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert rows[0].keys() == {
        *("prediction_id", "timestamp", "model_name", "model_version", "prediction")
    }
    assert spool is None or list(spool.iterdir()) == []


def test_batches_go_while_the_model_runs(
    make: Callable[..., ModelMonitor], receiver: Receiver, spool: Path | None
) -> None:
    monitor = make(task="regression", log=receiver.url, log_spool=spool, log_max_bytes=1)
    for value in range(5):
        monitor(lambda row: row)(float(value))
        monitor.flush()
    assert wait_for(lambda: receiver.predictions() == [0, 1, 2, 3, 4])


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404, 408, 429, 500, 503])
def test_failures_are_repeated(
    make: Callable[..., ModelMonitor],
    receiver: Receiver,
    spool: Path | None,
    status: int,
    reader: Reader,
) -> None:
    """Until they succeed; redirects are failures, for the token must not follow them."""
    other = f"{receiver.url}/elsewhere"
    receiver.answers = [(status, {"Location": other})] * 3
    monitor = make(
        task="regression", log=receiver.url, log_spool=spool, log_max_bytes=1, strict=False
    )
    monitor(lambda row: row)(1.0)
    monitor.flush()
    assert wait_for(lambda: receiver.taken)
    assert len(receiver.requests) == 4
    assert {path for _, path, _, _ in receiver.requests} == {"/v1/predictions"}
    read = reader(monitor)
    assert read("model_exporter_internal_errors_total", stage="log") == 3
    for reason in ("log_refused", "log_budget", "log_unsent"):
        assert read("model_exporter_dropped_total", reason=reason) == 0


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_is_refused_is_counted_and_not_repeated(
    make: Callable[..., ModelMonitor],
    receiver: Receiver,
    spool: Path | None,
    status: int,
    reader: Reader,
) -> None:
    """Data at fault must not stand in the way of the rest."""
    receiver.answers = [(status, {})]
    monitor = make(
        task="regression", log=receiver.url, log_spool=spool, log_max_bytes=1, strict=False
    )
    predict = monitor(lambda row: row)
    predict(1.0)
    monitor.flush()
    assert wait_for(lambda: receiver.requests)
    predict(2.0)
    monitor.close()
    assert receiver.predictions() == [2]
    assert reader(monitor)("model_exporter_dropped_total", reason="log_refused") == 1
    assert spool is None or list(spool.iterdir()) == []


def test_an_answer_before_the_end_of_the_request_is_read() -> None:
    """A receiver that refuses by size need not read the whole; its answer still counts."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            connection.shutdown(socket.SHUT_RD)
            time.sleep(0.2)
            connection.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        target = read_target(f"http://127.0.0.1:{server.getsockname()[1]}/", None)
        with contextlib.suppress(ConnectionError):  # where the kernel threw the answer away
            assert log_http.post(target, os.urandom(1 << 24), clock=SYSTEM_CLOCK).status == 413
        thread.join()


def test_a_file_that_cannot_be_deleted_is_no_loss(
    make: Callable[..., ModelMonitor],
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reader: Reader,
) -> None:
    """It is sent again, now and then, and the fault is counted."""
    monkeypatch.setattr(log_sender, "IDLE_SECONDS", 0.01)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    monitor = make(
        task="regression", log=receiver.url, log_spool=tmp_path, log_max_bytes=1, strict=False
    )
    monitor(lambda row: row)(1.0)
    monitor.flush()
    assert wait_for(lambda: len(receiver.taken) >= 2)
    assert reader(monitor)("model_exporter_internal_errors_total", stage="log") >= 1
    monkeypatch.setattr(Path, "unlink", unlink)
    assert wait_for(lambda: not list(tmp_path.iterdir()))
    assert len({row["prediction_id"] for row in receiver.taken}) == 1


def test_retry_after_is_honoured(make: Callable[..., ModelMonitor], receiver: Receiver) -> None:
    receiver.answers = [(503, {"Retry-After": "1"})]
    monitor = make(task="regression", log=receiver.url, log_max_bytes=1, strict=False)
    monitor(lambda row: row)(1.0)
    monitor.flush()
    assert wait_for(lambda: receiver.taken)
    first, second = (at for at, *_ in receiver.requests)
    assert second - first >= 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("soon", 0),
        ("-3", 0),
        ("9" * 400, 0),
        ("7", 7),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float, clock: Any) -> None:
    assert log_http._seconds(header, clock) == seconds


def test_pauses_grow_and_are_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full jitter: between nothing and a bound that doubles up to a limit."""
    monkeypatch.setattr(log_sender.random, "uniform", lambda low, high: (low, high))
    pauses = [log_sender.backoff(n) for n in (0, 1, 2, 100)]
    assert pauses == [(0, 0.5), (0, 1), (0, 2), (0, 60)]


def test_a_hanging_receiver_delays_neither_the_model_nor_the_log(
    make: Callable[..., ModelMonitor],
    receiver: Receiver,
    tmp_path: Path,
    reader: Reader,
) -> None:
    """Calls, the queue and the spool go on; everything arrives when it comes back."""
    receiver.hang.clear()
    monitor = make(task="regression", log=receiver.url, log_spool=tmp_path, log_max_bytes=1)
    predict = monitor(lambda row: row)
    start = time.monotonic()
    for value in range(20):
        predict(float(value))
        monitor.flush()
    writer = monitor._pipeline.log
    assert writer is not None
    assert wait_for(lambda: writer._done == 20)
    assert time.monotonic() - start < 5
    receiver.hang.set()
    assert wait_for(lambda: receiver.predictions() == list(range(20)))
    assert reader(monitor)("model_exporter_dropped_total", reason="log_queue_full") == 0


def test_a_spool_outlives_its_process(
    make: Callable[..., ModelMonitor], receiver: Receiver, tmp_path: Path, reader: Reader
) -> None:
    """What could not be sent, the next process sends, what a killed one left half done included."""
    program = f"""
import os, signal, sys, time
from model_exporter import ModelMonitor
monitor = ModelMonitor("m", task="regression", log="http://127.0.0.1:9/", log_spool={str(tmp_path)!r})
predict = monitor(lambda row: row)
predict(1.0)
if sys.argv[1] == "close":
    monitor.close()
monitor.flush()
while monitor._pipeline.log._done < 1:
    time.sleep(0.005)
os.kill(os.getpid(), signal.SIGKILL)
"""  # noqa: E501
    for how in ("close", "kill"):
        done = subprocess.run(
            [sys.executable, "-c", program, how], check=False, timeout=60, capture_output=True
        )
        assert done.returncode == -signal.SIGKILL
    names = sorted(path.name.startswith(".") for path in tmp_path.iterdir())
    assert names == [False, True]
    with make(task="regression", log=receiver.url, log_spool=tmp_path) as monitor:
        monitor(lambda row: row)(2.0)
    assert receiver.predictions() == [1, 1, 2]
    assert list(tmp_path.iterdir()) == []


def test_a_spool_is_bounded(
    make: Callable[..., ModelMonitor], receiver: Receiver, tmp_path: Path, reader: Reader
) -> None:
    """The oldest are dropped and counted; each row is delivered, or counted."""
    receiver.always = (503, {"Retry-After": "3600"})
    monitor = make(
        task="regression",
        log=receiver.url,
        log_spool=tmp_path,
        log_budget_bytes=1 << 16,
        strict=False,
    )
    predict = monitor(batch=True)(lambda rows: rows)
    for step in range(40):
        predict([float(step)] * 20)
        monitor.flush()
    writer = monitor._pipeline.log
    assert writer is not None
    assert wait_for(lambda: writer._done == 800)
    # The sender has been turned away: had it not yet, it would leave all in the spool when closed.
    assert wait_for(lambda: reader(monitor)("model_exporter_internal_errors_total", stage="log"))
    receiver.always = (204, {})
    assert sum(entry.size for entry in entries(tmp_path)) <= (1 << 16) + BLOCK_BYTES
    monitor.close()
    dropped = reader(monitor)("model_exporter_dropped_total", reason="log_budget")
    assert dropped > 0
    assert len(receiver.taken) + dropped == 800
    assert max(receiver.predictions()) == 39


def test_without_a_spool_memory_is_bounded(
    make: Callable[..., ModelMonitor],
    receiver: Receiver,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest are dropped; what is left when the process ends is counted, too."""
    monkeypatch.setattr(log_outbox, "MEMORY_BYTES", 2000)
    receiver.always = (503, {})
    monitor = make(task="regression", log=receiver.url, log_max_bytes=1, strict=False)
    for value in range(50):
        monitor(lambda row: row)(float(value))
        monitor.flush()
    monitor.close()
    read = reader(monitor)
    over, unsent = (
        read("model_exporter_dropped_total", reason=reason)
        for reason in ("log_budget", "log_unsent")
    )
    assert over > 0
    assert unsent > 0
    assert over + unsent == 50


def test_two_processes_of_a_spool_do_not_send_the_same(
    receiver: Receiver, tmp_path: Path, make: Callable[..., ModelMonitor]
) -> None:
    """A file that somebody is sending is left alone; a sent one is gone."""
    with make(task="regression", log=tmp_path) as monitor:
        monitor(lambda row: row)(1.0)
    first, second = (log_outbox.Spool(tmp_path, "m") for _ in range(2))
    batch = first.take()
    assert batch is not None
    assert batch.rows == 1
    assert second.take() is None
    first.keep(batch)
    again = second.take()
    assert again is not None
    second.done(again)
    assert first.take() is None
    assert log_outbox.Spool(tmp_path, "another").take() is None


def test_large_batches_are_cut_at_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the data, in order; only a single line may exceed the limit."""
    monkeypatch.setattr(log_http, "POST_BYTES", 10)
    data = b"a\nbbb\ncc\n" + b"d" * 25 + b"\ne\n" + b"f" * 8
    cut = list(pieces(data))
    assert b"".join(cut) == data
    assert all(part.endswith(b"\n") for part in cut[:-1])
    assert all(len(part) <= 10 or part.count(b"\n") == 1 for part in cut)
    assert list(pieces(b"")) == []


def test_a_batch_is_repeated_from_its_beginning(
    make: Callable[..., ModelMonitor],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    reader: Reader,
) -> None:
    """At least once: a receiver tells repetitions by their id; refusals are counted once."""
    monkeypatch.setattr(log_http, "POST_BYTES", 200)
    receiver.answers = [(204, {}), (422, {}), (503, {}), (204, {}), (422, {})]
    monitor = make(task="regression", log=receiver.url, strict=False)
    monitor(batch=True)(lambda rows: rows)([1.0, 2.0, 3.0])
    monitor.flush()
    writer = monitor._pipeline.log
    assert writer is not None
    assert wait_for(lambda: writer._done == 3)
    monkeypatch.setattr(writer, "_limits", writer._limits._replace(bytes=1))
    monitor(lambda row: row)(4.0)
    monitor.flush()
    read = reader(monitor)
    assert wait_for(lambda: read("model_exporter_dropped_total", reason="log_refused"))
    assert read("model_exporter_dropped_total", reason="log_refused") == 1
    assert set(receiver.predictions()) == {1, 3, 4}
    ones = [row["prediction_id"] for row in receiver.taken if row["prediction"] == 1]
    assert len(ones) == 2
    assert len(set(ones)) == 1


def test_the_token_is_read_anew_and_shown_nowhere(
    make: Callable[..., ModelMonitor],
    receiver: Receiver,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    reader: Reader,
) -> None:
    """A changed token is in the next request; a broken file costs nothing but time."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    monitor = make(
        task="regression",
        log=receiver.url,
        log_token_file=token,
        log_max_bytes=1,
        strict=False,
        clock=SYSTEM_CLOCK,
    )
    predict = monitor(lambda row: row)
    with caplog.at_level(logging.DEBUG):
        token.write_text(f"{TOKEN}\nnot: a token")
        predict(1.0)
        monitor.flush()
        read = reader(monitor)
        assert wait_for(lambda: read("model_exporter_internal_errors_total", stage="log"))
        assert not receiver.requests
        token.unlink()
        time.sleep(0.05)
        (tmp_path / "new").write_text(f"{TOKEN}-2")
        (tmp_path / "new").rename(token)
        assert wait_for(lambda: receiver.taken)
    assert receiver.requests[0][2]["Authorization"] == f"Bearer {TOKEN}-2"
    assert "log_token_file" in caplog.text
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(monitor._pipeline.settings)


def test_a_receiver_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """At construction; no message quotes a password or a token."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n{TOKEN}")
    url = "http://host:9920/v1/predictions"
    for arguments, message in (
        ({"log": "http://"}, "cannot be read"),
        ({"log": "https:///path"}, "cannot be read"),
        ({"log": "http://host:port/"}, "cannot be read"),
        ({"log": "http://host/\r\nX: y"}, "cannot be read"),
        ({"log": f"http://user:{TOKEN}@host/"}, "log_token_file"),
        ({"log": url, "log_token_file": token}, "one line of visible ASCII"),
        ({"log": url, "log_token_file": tmp_path / "absent"}, "cannot read it"),
        ({"log": url, "log_token_file": 3}, "path of a file"),
        ({"log": url, "log_format": "parquet"}, "takes 'jsonl' only"),
        ({"log": url, "log_spool": token}, "log_spool=.*cannot make"),
        ({"log": tmp_path, "log_spool": tmp_path}, "sent to a receiver"),
        ({"log_token_file": token}, "sent to a receiver"),
    ):
        with pytest.raises(ConfigError, match=message) as caught:
            ModelMonitor("m", task="binary", **arguments)  # type: ignore[arg-type]
        assert TOKEN not in str(caught.value)


def test_addresses_are_read() -> None:
    assert read_target("HTTPS://[::1]/x?y=1", None)[:4] == (True, "::1", None, "/x?y=1")
    assert read_target("http://host:9920", None)[:4] == (False, "host", 9920, "/")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_sends_its_own(
    make: Callable[..., ModelMonitor], receiver: Receiver, spool: Path | None
) -> None:
    """Each row is sent once, by the process that predicted it."""
    monitor = make(task="regression", log=receiver.url, log_spool=spool)
    predict = monitor(lambda row: row)
    predict(1.0)
    monitor.flush()
    pid = os.fork()
    if pid == 0:
        try:
            predict(2.0)
            monitor.close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    monitor.close()
    assert receiver.predictions() == [1, 2]


def test_nothing_of_http_is_imported_for_a_directory(tmp_path: Path) -> None:
    """Who writes files does not pay for what sends them."""
    program = f"""
import sys
from model_exporter import ModelMonitor
before = "http.client" in sys.modules
with ModelMonitor("m", task="regression", log={str(tmp_path)!r}) as monitor:
    monitor(lambda row: row)(1.0)
assert before or "http.client" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
