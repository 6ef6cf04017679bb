"""A threaded HTTP server whose clients can hold neither a thread for ever nor the next scrape.

Each connection has a deadline, whatever its client sends or reads by then; at the limit the oldest
gives way to the newest.
"""

import contextlib
import http.client
import http.server
import io
import logging
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, cast

from model_exporter.web.guard import ConfiguredWeb
from model_exporter.web.response import Response

MAX_CONNECTIONS = 64
CONNECTION_SECONDS = 30.0
"""Longer than any scrape, and than 16 MiB take on a line that can bear the load."""
IDLE_SECONDS = 10.0
"""A client that sends or reads nothing for this long is hung up on."""
HEAD_BYTES = 16 << 10
DRAIN_BYTES = 32 << 20
"""Of a refused body: closing with some unread would take the answer back."""

logger = logging.getLogger("model_exporter")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Bounds the connections that are open, and with them the threads."""

    daemon_threads = True
    request_queue_size = 128
    seconds = CONNECTION_SECONDS

    def __init__(
        self, address: tuple[str, int], handler: type["Handler"], *, web: ConfiguredWeb | None
    ) -> None:
        self.web = web
        self._open: dict[socket.socket, float] = {}  # the oldest first
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a client; the handshake of TLS is left to its own thread."""
        client, address = super().get_request()
        if self.web is not None:
            self.web.refresh()
        if self.web is not None and self.web.tls is not None:
            client = self.web.tls.wrapped(client)
        return client, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own; make room for it first."""
        with self._lock:
            while len(self._open) >= MAX_CONNECTIONS:
                self._hang_up(next(iter(self._open)))
            self._open[request] = time.monotonic() + self.seconds
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that was answered, or could not be."""
        with self._lock:
            self._open.pop(request, None)
        if isinstance(request, ssl.SSLSocket):
            # Send close_notify, by which a client knows that nobody cut the response short.
            with contextlib.suppress(OSError, ValueError):
                request.settimeout(0)
                request.unwrap()
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Hang up on who is late; called twice a second, and between connections."""
        now = time.monotonic()
        with self._lock:
            for request in [r for r, deadline in self._open.items() if deadline <= now]:
                self._hang_up(request)

    def server_close(self) -> None:
        """Hang up on everyone, and free the port."""
        super().server_close()
        with self._lock:
            for request in list(self._open):
                self._hang_up(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong here; a client that is gone is not news."""
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            logger.exception("a request failed")

    def _hang_up(self, request: socket.socket) -> None:
        """Wake the thread that waits for the client; it closes the socket."""
        del self._open[request]
        with contextlib.suppress(OSError):  # gone already
            # The plain one, for that of TLS would take the other thread's encryption away.
            socket.socket.shutdown(request, socket.SHUT_RDWR)


class Handler(http.server.BaseHTTPRequestHandler):
    """One request a connection, with a bounded head."""

    timeout = IDLE_SECONDS
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # what names none gets a status line, too
    server_version = "model-exporter"
    sys_version = ""
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"
    unread = 0
    """Bytes of the body that nobody has read."""

    server: Server

    def setup(self) -> None:
        """Shake hands where TLS is spoken, and bound the head."""
        web = self.server.web
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(self.timeout)
            self.request.do_handshake()
            if web is not None and web.tls is not None:
                web.tls.check_client(self.request)
        super().setup()
        self._body = self.rfile
        self.rfile = cast(io.BufferedReader, _Head(self._body))

    def handle(self) -> None:
        """Answer one request; the next one makes a connection of its own."""
        self.handle_one_request()
        self._drain()

    def parse_request(self) -> bool:
        """Read the head; answer who may not ask at all, and return whether there is more to do."""
        if not super().parse_request():
            return False
        length = self.headers.get("Content-Length", "") if self.command == "POST" else ""
        self.unread = int(length) if length.isdecimal() and len(length) < 19 else 0
        refusal = self.refusal()
        if refusal is None:
            return True
        self.send_response(int(refusal.status.split()[0]))
        self._send(refusal.headers, refusal.body)
        return False

    def refusal(self) -> Response | None:
        """Return the answer to who may not ask, or None."""
        web = self.server.web
        return None if web is None else web.refuse(self.lower_headers())

    def lower_headers(self) -> dict[str, str]:
        """Return the headers, their names in lower case."""
        return {name.lower(): value for name, value in self.headers.items()}

    def end_headers(self) -> None:
        """Add those that every answer has."""
        for name, value in self.server.web.headers if self.server.web else ():
            self.send_header(name, value)
        super().end_headers()

    def read_body(self, length: int) -> bytes:
        """Return the whole body; raise ConnectionError if the client goes before its end."""
        body = self._body.read(length)
        self.unread = 0
        if len(body) < length:
            raise ConnectionAbortedError("the body is not whole")
        return body

    def answer(
        self,
        status: int,
        body: bytes,
        content_type: str = "text/plain; charset=utf-8",
        **headers: str,
    ) -> None:
        """Send a response; of the headers' names, ``_`` is a hyphen."""
        self.send_response(status)
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        length = ("Content-Length", str(len(body)))
        self._send([("Content-Type", content_type), *named, length], body)

    def _send(self, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        for name, value in (*headers, ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: scrapes are not news."""

    def _drain(self) -> None:
        left = min(self.unread, DRAIN_BYTES)
        if left and not isinstance(self.connection, ssl.SSLSocket):
            self.connection.shutdown(socket.SHUT_WR)
        while left > 0:
            read = len(self._body.read1(min(left, 1 << 16)))
            left = left - read if read else 0


class _Head:
    """Lines of a request's head, up to a bound."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = HEAD_BYTES

    def readline(self, limit: int) -> bytes:
        """Return the next line; raise what the standard library answers with 431."""
        if self._left <= 0:
            raise http.client.LineTooLong("head")
        line: bytes = self._file.readline(min(limit, self._left))
        self._left -= len(line)
        return line

    def close(self) -> None:
        """Close the connection's file."""
        self._file.close()
