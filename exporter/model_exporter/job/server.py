"""The job's HTTP endpoints: /metrics, /-/healthy, /-/ready and POST /-/reload."""

import http.server
import logging
import socketserver
import threading
from collections.abc import Callable
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from model_exporter.errors import ModelExporterError
from model_exporter.job.redaction import redact

TIMEOUT_SECONDS = 10
"""A client that sends or reads nothing for this long is hung up on."""

logger = logging.getLogger("model_exporter")

INDEX = b"""<!doctype html><title>model-exporter</title><h1>model-exporter</h1>
<p><a href="/metrics">metrics</a> <a href="/-/healthy">healthy</a> <a href="/-/ready">ready</a>
"""


class Endpoints:
    """What the server asks of the service."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        ready: Callable[[], bool],
        reload: Callable[[], None],
    ) -> None:
        self.registry = registry
        self.ready = ready
        self.reload = reload


class JobServer:
    """Serves the endpoints from threads of its own until closed."""

    def __init__(self, address: tuple[str, int], endpoints: Endpoints) -> None:
        handler = type("Handler", (_Handler,), {"endpoints": endpoints})
        self._server = _Server(address, handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="model-exporter-http", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port bound; the one asked for unless that was 0."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Log what the standard library would print: who hangs up early is no news."""
        logger.debug("a request failed", exc_info=True, extra={"event": "request_failed"})


class _Handler(http.server.BaseHTTPRequestHandler):
    endpoints: Endpoints
    timeout = TIMEOUT_SECONDS
    protocol_version = "HTTP/1.1"
    server_version = "model-exporter"
    sys_version = ""

    def do_GET(self) -> None:  # the standard library's name
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, encode(self.endpoints.registry), content_type)
        elif path == "/-/healthy":
            self._answer(200, b"model-exporter is healthy.\n")
        elif path == "/-/ready":
            ready = self.endpoints.ready()
            self._answer(200 if ready else 503, b"ready\n" if ready else b"first evaluation runs\n")
        elif path == "/":
            self._answer(200, INDEX, "text/html; charset=utf-8")
        elif path == "/-/reload":
            self._answer(405, b"use POST\n")
        else:
            self._answer(404, b"not found; try /metrics\n")

    do_HEAD = do_GET  # noqa: N815  # the standard library's name

    def do_POST(self) -> None:  # the standard library's name
        self.close_connection = True  # whatever body there is stays unread
        if self.path != "/-/reload":
            self._answer(404, b"not found\n")
            return
        try:
            self.endpoints.reload()
        except ModelExporterError as error:
            self._answer(500, f"the old configuration stays: {redact(str(error))}\n".encode())
        else:
            self._answer(200, b"reloaded\n")

    def _answer(
        self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: scrapes are not news."""
