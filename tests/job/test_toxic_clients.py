"""Clients that misbehave get no thread for ever, no memory, and never the next scrape."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from model_exporter.job.connections import MAX_CONNECTIONS, Server
from model_exporter.job.service import Service

PREDICTION = {"prediction_id": "a", "timestamp": 1, "prediction": 1}


@pytest.fixture(params=["http", "https"])
def service(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    monkeypatch.setattr(Server, "seconds", 1.0)
    model = {"name": "m", "task": "binary", "predictions": {"type": "push"}}
    config = {"listen": "127.0.0.1:0", "poll_interval": "1h", "models": [model]}
    client = None
    if request.param == "https":
        client = with_tls(tmp_path)
        config["web_config"] = "web.yml"
    monkeypatch.setitem(CLIENT, "context", client)
    path = tmp_path / "exporter.yml"
    path.write_text(json.dumps(config))
    service = Service(path)
    service.start()
    assert eventually(service.ready)
    yield service
    service.stop()


CLIENT: dict[str, ssl.SSLContext | None] = {"context": None}
"""How the clients of the test that runs speak."""


def with_tls(directory: Path) -> ssl.SSLContext:
    """Write a web configuration with a certificate; return what a client trusts it by."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(directory / "server.key")
    issued.cert_chain_pems[0].write_to_path(directory / "server.pem")
    tls = {"cert_file": "server.pem", "key_file": "server.key"}
    (directory / "web.yml").write_text(json.dumps({"tls_server_config": tls}))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def connect(service: Service) -> socket.socket:
    client = silent(service)
    context = CLIENT["context"]
    return context.wrap_socket(client, server_hostname="127.0.0.1") if context else client


def silent(service: Service) -> socket.socket:
    """Return a connection on which nothing was said, no handshake either."""
    return socket.create_connection(("127.0.0.1", service.port), timeout=30)


def end(client: socket.socket) -> None:
    """Say that nothing more comes, and go on reading."""
    if isinstance(client, ssl.SSLSocket):
        client.settimeout(0)
        with contextlib.suppress(OSError):  # the other side's farewell is not there yet
            client.unwrap()
        client.settimeout(30)
    else:
        client.shutdown(socket.SHUT_WR)


def answer(client: socket.socket) -> bytes:
    """Return what the server says until it hangs up."""
    found = b""
    with client, contextlib.suppress(ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
        while data := client.recv(1 << 16):
            found += data
    return found


def scrape(service: Service) -> bytes:
    place, context = ("127.0.0.1", service.port), CLIENT["context"]
    connection = http.client.HTTPConnection(*place, timeout=30)
    if context is not None:
        connection = http.client.HTTPSConnection(*place, timeout=30, context=context)
    connection.request("GET", "/metrics")
    with contextlib.closing(connection), connection.getresponse() as response:
        assert response.status == 200
        return response.read()


def threads() -> int:
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def eventually(condition) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_silent_clients(service: Service) -> None:
    """However many there are, a scrape is answered, and the threads have a bound."""
    clients = [silent(service) for _ in range(3 * MAX_CONNECTIONS)]
    assert b"model_exporter_build_info" in scrape(service)
    assert eventually(lambda: threads() <= MAX_CONNECTIONS)
    for client in clients:
        assert answer(client) == b""
    assert eventually(lambda: threads() == 0)


@pytest.mark.parametrize(
    "start",
    [
        b"GET /metrics HTTP/1.1\r\nX: ",
        b"POST /v1/predictions HTTP/1.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000000\r\n\r\n",
    ],
    ids=["head", "body"],
)
def test_a_slow_drip(service: Service, start: bytes) -> None:
    """A byte now and then keeps no connection beyond its deadline."""
    client = connect(service)
    client.sendall(start)
    with pytest.raises(OSError):  # noqa: PT012  # whichever byte it is
        while True:
            client.sendall(b"x")
            assert b"model_exporter_build_info" in scrape(service)
    client.close()
    assert eventually(lambda: threads() == 0)


def test_who_does_not_read(service: Service) -> None:
    """An answer that nobody takes ends with the deadline."""
    service._page._bodies = (bytes(1 << 25),) * 2
    client = connect(service)
    client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    with client:
        assert client.recv(4) == b"HTTP"
        assert threads() == 1
        assert eventually(lambda: threads() == 0)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 5000,
        b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 100_000,
        b"GET /" + b"y" * 100_000,
        b"\x16\x03\x01\x02\x00" + bytes(600),
        b"\r\n" * 9,
        b"GET",
    ],
    ids=["headers", "header", "target", "tls", "lines", "half"],
)
def test_heads_that_are_none(service: Service, sent: bytes) -> None:
    """Answered with 4xx, or hung up on."""
    client = connect(service)
    with contextlib.suppress(OSError):
        client.sendall(sent)
        end(client)
    found = answer(client)
    assert found == b"" or found.split()[1][:1] == b"4"
    assert b"model_exporter_build_info" in scrape(service)


def test_chunked_garbage(service: Service) -> None:
    client = connect(service)
    head = b"POST /v1/predictions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.sendall(head + b"zz\r\nnot a chunk\r\n")
    assert b" 411 " in answer(client)


@pytest.mark.parametrize("length", ["-1", "1e3", "", "9" * 30, "٣", "0x10"])
def test_lengths_that_are_none(service: Service, length: str) -> None:
    client = connect(service)
    head = f"POST /v1/predictions HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
    client.sendall(head.encode())
    assert b" 411 " in answer(client)


def test_a_body_cut_short_is_no_push(service: Service, tmp_path: Path) -> None:
    """Nothing of it is kept, though its first records are whole."""
    line = json.dumps(PREDICTION).encode() + b"\n"
    client = connect(service)
    client.sendall(
        b"POST /v1/predictions HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n"
        b"Content-Length: %d\r\n\r\n" % (len(line) * 9) + line * 5
    )
    end(client)
    assert answer(client) == b""
    assert list(tmp_path.rglob("*.pushed/*/*")) == []


def test_as_many_pushes_as_there_is_room_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bodies that do not come hold their places; others are told to come later; scrapes go on."""
    monkeypatch.setattr(Server, "seconds", 30.0)
    head = (
        b"POST /v1/predictions HTTP/1.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9999999\r\n\r\n"
    )
    slow = [connect(service) for _ in range(8)]
    for client in slow:
        client.sendall(head)
    assert eventually(lambda: service._door._slots._value == 0)
    late = connect(service)
    late.sendall(head.replace(b"9999999", b"2") + b"[]")
    found = answer(late)
    assert b" 429 " in found
    assert b"Retry-After: " in found
    assert b"model_exporter_build_info" in scrape(service)
    for client in slow:
        client.close()
    assert eventually(lambda: service._door._slots._value == 8)
