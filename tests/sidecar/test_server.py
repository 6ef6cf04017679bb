"""The metrics server serves scrapes, whatever other clients do, and leaves nothing behind."""

import asyncio
import gzip
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server
from wsgiref.validate import validator

import pytest
from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client.registry import Collector

from model_exporter import ConfigError, ModelMonitor
from model_exporter.sidecar.exposition import accepts_gzip
from model_exporter.sidecar.server import MAX_CONNECTIONS, MetricsServer


@pytest.fixture
def monitor(make: Callable[..., ModelMonitor]) -> ModelMonitor:
    return make(task="binary")


@pytest.fixture
def server(monitor: ModelMonitor) -> Iterator[MetricsServer]:
    with MetricsServer(monitor.registry, addr="127.0.0.1", port=0, seconds=0.5) as server:
        yield server


def get(port: int, path: str = "/metrics", **headers: str) -> tuple[int, Any, bytes]:
    """Return status, headers and body."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def talk(port: int, data: bytes) -> bytes:
    """Send raw bytes and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(data)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
        return received


def test_formats_are_negotiated(server: MetricsServer) -> None:
    """Text by default, OpenMetrics on request, gzip on request, single families by name."""
    status, headers, body = get(server.port)
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert b"\nmodel_predictions_total{" in body
    status, headers, body = get(server.port, Accept="application/openmetrics-text; version=1.0.0")
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    status, headers, body = get(server.port, **{"Accept-Encoding": "gzip"})
    assert b"model_predictions_total" in gzip.decompress(body)
    status, _, body = get(server.port, "/metrics?name[]=model_predictions_total")
    assert body.count(b"# TYPE") == 1


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /nope HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"DELETE / HTTP/1.1\r\n\r\n", b"405"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"\xff\x00 \r\n\r\n", b"400"),
        (b"GET /metrics HTTP/2\r\n\r\n", b"400"),
        (b"GET /metrics?" + b"name[]=a&" * 100 + b" HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 9000, b"431"),
    ],
)
def test_bad_requests_get_an_answer(
    server: MetricsServer, request_bytes: bytes, status: bytes
) -> None:
    """Whatever is sent, the answer is HTTP, and the next scrape works."""
    assert talk(server.port, request_bytes).split()[1] == status
    assert get(server.port)[0] == 200


def test_silent_half_and_deaf_clients_cost_nothing(server: MetricsServer) -> None:
    """500 clients that say nothing, half a request, or do not read: scrapes work, all go."""
    threads = threading.active_count()
    requests = (b"", b"GET /metrics HT", b"GET /metrics HTTP/1.1\r\n\r\n")
    clients = []
    for i in range(500):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        client.sendall(requests[i % 3])
        clients.append(client)
        assert len(server._connections) <= MAX_CONNECTIONS
    start = time.monotonic()
    assert get(server.port)[0] == 200
    assert time.monotonic() - start < 1
    assert threading.active_count() == threads
    deadline = time.monotonic() + 5
    while server._connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not server._connections
    for client in clients:
        client.close()


class Broken(Collector):
    """Somebody's collector, which raises or gives what cannot be rendered."""

    def __init__(self, family: Metric | None = None) -> None:
        self.family = family

    def collect(self) -> Any:
        if self.family is None:
            raise RuntimeError
        return [self.family]

    def describe(self) -> Any:
        return []


def unrenderable() -> Metric:
    family = Metric("theirs", "A label that is not a text.", "gauge")
    family.add_sample("theirs", {"a": 1}, 1.0)  # type: ignore[dict-item]
    return family


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
@pytest.mark.parametrize("family", [None, unrenderable()], ids=["raises", "unrenderable"])
def test_a_collector_that_fails_takes_nothing_else_down(
    make: Callable[..., ModelMonitor], family: Metric | None, accept: str
) -> None:
    """Everyone else's families are served; the failure is counted and seen by the next scrape."""
    registry = CollectorRegistry()
    registry.register(Broken(family))
    make(task="binary", registry=registry, strict=False)
    Gauge("others", "Another of the user's.", registry=registry)
    with MetricsServer(registry, addr="127.0.0.1", port=0) as server:
        assert get(server.port, Accept=accept)[0] == 200
        status, _, body = get(server.port, Accept=accept)
        assert (status, b"model_info" in body, b"\nothers 0.0" in body) == (200, True, True)
        assert re.search(rb'stage="collect"} [12].0\n', body)  # counted before ours, or after
        status, _, body = get(server.port, "/metrics?name[]=model_info", Accept=accept)
        assert (status, body.count(b"# TYPE")) == (200, 1)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [("gzip", True), ("deflate, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False),
     ("gzip; q=0.0", False), ("identity", False), ("", False), ("xgzip", False)],
)  # fmt: skip
def test_gzip_only_where_it_is_accepted(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_closing_leaves_no_thread_and_no_file(
    make: Callable[..., ModelMonitor], tmp_path: Path
) -> None:
    """Monitor, log and server together: what they opened is closed; the port is free again."""
    files, threads = open_files(), threading.active_count()
    monitor = make(task="binary", log=tmp_path)
    server = monitor.start_metrics_server()
    monitor(lambda row: 1)(1)
    with socket.create_connection(("127.0.0.1", server.port)):
        assert get(server.port)[0] == 200
        monitor.close()
    assert (open_files(), threading.active_count()) == (files, threads)
    with socket.create_server(("127.0.0.1", server.port)):
        pass
    server.close()


def test_a_port_that_is_taken_is_refused(make: Callable[..., ModelMonitor]) -> None:
    """With the address and what to do."""
    monitor = make(task="binary")
    server = monitor.start_metrics_server()
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{server.port}"):
        monitor.start_metrics_server(server.port)
    with pytest.raises(ConfigError, match="port=70000"):
        monitor.start_metrics_server(70_000)


def test_no_thread_before_the_first_call(make: Callable[..., ModelMonitor], tmp_path: Path) -> None:
    """Importing, constructing and decorating start nothing."""
    threads = threading.active_count()
    make(task="binary", log=tmp_path)(lambda row: 1)
    assert threading.active_count() == threads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_hold_the_port(make: Callable[..., ModelMonitor]) -> None:
    """When the parent's server closes, its port is free although the child lives on."""
    server = make(task="binary").start_metrics_server()
    ready, ready_write = os.pipe()
    go, go_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go_write)
        os.write(ready_write, b".")
        os.read(go, 1)
        os._exit(0)
    os.read(ready, 1)
    server.close()
    try:
        with socket.create_server(("127.0.0.1", server.port)):
            pass
    finally:
        os.close(go_write)
        os.waitpid(pid, 0)
        for file in (ready, ready_write, go):
            os.close(file)


def answer_of(port: int) -> bytes:
    """Return the body of a scrape, patient while the server starts."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return get(port)[2]
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_wsgiref_serves_the_application(monitor: ModelMonitor) -> None:
    """The standard library's WSGI server, checked by its own validator."""
    with make_server("127.0.0.1", 0, validator(monitor.metrics_app())) as server:
        server.RequestHandlerClass.log_message = lambda *_: None  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            assert b"model_info" in answer_of(server.server_port)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.filterwarnings("default::DeprecationWarning")
@pytest.mark.parametrize("attribute", ["metrics_app", "metrics_asgi_app"])
def test_uvicorn_serves_the_application(monitor: ModelMonitor, attribute: str) -> None:
    """Found out by itself to be ASGI, start and end of the process included."""
    uvicorn = pytest.importorskip("uvicorn")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(getattr(monitor, attribute)(), lifespan="on", log_config=None)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert b"model_info" in answer_of(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()


def test_one_application_speaks_wsgi_and_asgi(monitor: ModelMonitor) -> None:
    """With two arguments, with three, and with one and then two."""
    app = monitor.metrics_app()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        scope = {"type": "http", "method": "GET", "headers": []}
        await app(scope, None, send)
        await app(scope)(None, send)

    asyncio.run(run())
    assert sent[1]["body"].partition(b"_seconds")[0] == sent[3]["body"].partition(b"_seconds")[0]
    (body,) = app({"REQUEST_METHOD": "GET"}, lambda *args: None)
    assert b"model_info" in body


def test_wsgi_and_asgi_serve_the_same(monitor: ModelMonitor) -> None:
    """Both applications answer as the server does; lifespan events are answered, too."""
    answered: list[Any] = []
    environ = {"REQUEST_METHOD": "GET", "HTTP_ACCEPT_ENCODING": "gzip"}
    (body,) = monitor.metrics_app()(environ, lambda *args: answered.append(args))
    assert answered[0][0] == "200 OK"
    assert b"model_info" in gzip.decompress(body)

    sent: list[Any] = []
    events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        app = monitor.metrics_asgi_app()
        await app({"type": "lifespan"}, receive, send)
        scope = {
            "type": "http",
            "method": "GET",
            "query_string": b"",
            "headers": [(b"Accept", b"*")],
        }
        await app(scope, receive, send)

    asyncio.run(run())
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
        "http.response.start",
        "http.response.body",
    ]
    assert b"model_info" in sent[-1]["body"]
