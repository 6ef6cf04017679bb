"""An HTTP server on loopback that answers as a test says, however badly."""

import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Respond = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; a test's function answers it."""

    protocol_version = "HTTP/1.1"
    server: "WebServer"

    @property
    def parameters(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def do_GET(self) -> None:
        self.server.requests.append(self)
        with suppress(OSError):  # the client may have gone away: that is what is tested
            self.server.respond(self)

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    do_PUT = do_POST  # noqa: N815  # the standard library's name

    def answer(self, body: bytes | str = b"", status: int = 200, **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


class WebServer(ThreadingHTTPServer):
    """Use as a context manager; `respond` may be replaced at any time."""

    daemon_threads = True

    def __init__(self, respond: Respond) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.respond = respond
        self.requests: list[Request] = []
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/records"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        """Say nothing: connections that are reset are meant to be."""
