"""Batch jobs hand their metrics over: to a Pushgateway and to a textfile."""

import base64
import contextlib
import http.server
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from model_exporter import ConfigError, DeliveryError, ModelMonitor

Make = Callable[..., ModelMonitor]


class Received:
    """One request, as it came."""

    def __init__(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.method, self.path, self.headers = handler.command, handler.path, handler.headers
        self.body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps requests and answers with `status`."""

    status = 202

    def __init__(self) -> None:
        self.received: list[Received] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_PUT(self) -> None:
        self.server.received.append(Received(self))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"pushed metrics are invalid")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def monitor(make: Make) -> ModelMonitor:
    monitor = make("churn", task="binary", strict=False)
    monitor(lambda row: 1)(1)
    return monitor


def test_push_replaces_a_group(monitor: ModelMonitor, receiver: Receiver) -> None:
    """PUT to the group's path, in the text format, with everything counted so far."""
    assert monitor.push(receiver.address)
    assert monitor.push(
        f"http://me:pass%40@{receiver.address}/prefix/",
        job="nightly run",
        grouping_key={"instance": "a/b", "shard": "", "zone": "é"},
    )
    first, second = receiver.received
    assert (first.method, first.path) == ("PUT", "/metrics/job/churn")
    assert first.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = [s for f in text_string_to_metric_families(first.body) for s in f.samples]
    assert [s.value for s in samples if s.name == "model_predictions_total"] == [1.0]
    path = "/prefix/metrics/job/nightly%20run/instance@base64/YS9i/shard@base64/=/zone/%C3%A9"
    assert second.path == path
    credentials = base64.b64encode(b"me:pass@").decode()
    assert second.headers["Authorization"] == f"Basic {credentials}"


def test_a_push_that_fails_is_counted_and_raises_only_if_asked(
    monitor: ModelMonitor, receiver: Receiver, reader: Callable[..., Callable[..., float]]
) -> None:
    """The message names the address and what was said, never the password."""
    receiver.status = 400
    address = f"http://me:hidden@{receiver.address}"
    assert not monitor.push(address)
    said = f"{receiver.address} answered 400 Bad Request: pushed metrics are invalid"
    with pytest.raises(DeliveryError, match=said) as refused:
        monitor.push(address, check=True)
    assert "hidden" not in str(refused.value)
    read = reader(monitor, "churn")
    assert read("model_exporter_internal_errors_total", stage="delivery") == 1


def test_a_gateway_that_is_gone_or_silent_costs_the_timeout_at_most(monitor: ModelMonitor) -> None:
    """Nobody waits for long, and nothing is raised."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        start = time.monotonic()
        assert not monitor.push(f"127.0.0.1:{port}", timeout=0.2)
        assert time.monotonic() - start < 2
        with pytest.raises(DeliveryError, match="cannot be reached"):
            monitor.push(f"127.0.0.1:{port}", timeout=0.1, check=True)
    with pytest.raises(DeliveryError, match=r"cannot be reached.*is it up"):
        monitor.push(f"127.0.0.1:{port}", check=True)


@pytest.mark.parametrize(
    ("gateway", "group", "message"),
    [
        ("ftp://host", {}, "expected the address of a Pushgateway"),
        ("http://", {}, "expected the address of a Pushgateway"),
        ("host:9091", {"job": "x"}, "grouping_key='job'"),
        ("host:9091", {"a-b": "x"}, "grouping_key='a-b'"),
        ("host:9091", {"__name": "x"}, "grouping_key='__name'"),
    ],
)
def test_mistakes_are_refused(
    monitor: ModelMonitor, gateway: str, group: Mapping[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        monitor.push(gateway, grouping_key=group, check=True)
    assert not monitor.push(gateway, grouping_key=group)


@contextlib.contextmanager
def pushgateway(program: str) -> Iterator[str]:
    """Run the real Pushgateway; return its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [program, f"--web.listen-address={address}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/-/ready"):
                break
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def test_the_real_pushgateway_takes_it(
    monitor: ModelMonitor, require_tool: Callable[[str], str]
) -> None:
    """It is there to be scraped, with the labels of its group; pushing again replaces it."""
    with pushgateway(require_tool("prometheus-pushgateway")) as address:
        for _ in range(2):
            monitor.push(address, grouping_key={"instance": "a/b"}, check=True)
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as response:
            body = response.read().decode()
    lines = [line for line in body.splitlines() if line.startswith("model_predictions_total{")]
    assert len(lines) == 1
    assert 'instance="a/b",job="churn",model_name="churn"' in lines[0]


def test_a_textfile_is_replaced_at_once(monitor: ModelMonitor, tmp_path: Path) -> None:
    """Nothing but the whole file is ever there under its name, and nothing stays beside it."""
    path = tmp_path / "churn.prom"
    path.write_text("old")
    with path.open() as old:
        assert monitor.write_textfile(path)
        assert old.read() == "old"
    assert list(tmp_path.iterdir()) == [path]
    names = {family.name for family in text_string_to_metric_families(path.read_text())}
    assert "model_predictions" in names


def test_a_textfile_that_cannot_be_written(monitor: ModelMonitor, tmp_path: Path) -> None:
    """False, or an error that says why; and nothing is left behind."""
    assert not monitor.write_textfile(tmp_path / "none" / "churn.prom")
    (tmp_path / "churn.prom").mkdir()
    with pytest.raises(DeliveryError, match="cannot write this file"):
        monitor.write_textfile(tmp_path / "churn.prom", check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["churn.prom"]
