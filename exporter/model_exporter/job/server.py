"""The HTTP endpoints of the job: metrics, health, readiness, reload, push."""

import json
import threading
from collections.abc import Callable
from typing import Self

from model_exporter.errors import ModelExporterError
from model_exporter.job.connections import Handler, Server
from model_exporter.job.door import PATHS, RETRY_SECONDS, Door
from model_exporter.job.page import Page
from model_exporter.job.push_body import PushError
from model_exporter.job.redaction import redact
from model_exporter.web.guard import ConfiguredWeb
from model_exporter.web.response import Response

INDEX = b"""<!doctype html><title>model-exporter</title><h1>model-exporter</h1>
<p><a href="/metrics">metrics</a> <a href="/-/healthy">healthy</a> <a href="/-/ready">ready</a>
"""


class Endpoints:
    """What the server asks of the service."""

    def __init__(
        self,
        page: Page,
        *,
        ready: Callable[[], bool],
        reload: Callable[[], None],
        door: Door,
    ) -> None:
        self.page = page
        self.ready = ready
        self.reload = reload
        self.door = door


class JobServer:
    """Serves the endpoints from threads of its own until closed."""

    def __init__(
        self, address: tuple[str, int], endpoints: Endpoints, *, web: ConfiguredWeb | None = None
    ) -> None:
        handler = type("Handler", (_Handler,), {"endpoints": endpoints})
        self._server = Server(address, handler, web=web)
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


class _Handler(Handler):
    endpoints: Endpoints
    stranger = False
    """Whether a token is to stand for the password that the port asks for."""

    def do_GET(self) -> None:  # noqa: N802  # the standard library's name
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self.answer(200, *self.endpoints.page.text(self.headers.get("Accept", "")))
        elif path == "/-/healthy":
            self.answer(200, b"model-exporter is healthy.\n")
        elif path == "/-/ready":
            ready = self.endpoints.ready()
            self.answer(200 if ready else 503, b"ready\n" if ready else b"first evaluation runs\n")
        elif path == "/":
            self.answer(200, INDEX, "text/html; charset=utf-8")
        elif path == "/-/reload" or path in PATHS:
            self.answer(405, b"use POST\n", Allow="POST")
        else:
            self.answer(404, b"not found; try /metrics\n")

    do_HEAD = do_GET  # noqa: N815  # the standard library's name

    def do_POST(self) -> None:  # noqa: N802  # the standard library's name
        path, _, query = self.path.partition("?")
        if path in PATHS:
            self._push(PATHS[path], query)
        elif path == "/-/reload":
            self._reload()
        else:
            self.answer(404, b"not found\n")

    def do_PUT(self) -> None:  # noqa: N802  # the standard library's name
        self.answer(405, b"use GET or POST\n", Allow="GET, HEAD, POST")

    do_PATCH = do_DELETE = do_OPTIONS = do_PUT  # noqa: N815  # the standard library's names

    def refusal(self) -> Response | None:
        """Return the answer to who may not ask; a token of a source stands for a user."""
        web, headers = self.server.web, self.lower_headers()
        if web is None:
            return None
        scheme = headers.get("authorization", "").partition(" ")[0]
        pushed = self.command == "POST" and self.path.partition("?")[0] in PATHS
        self.stranger = web.has_users and pushed and scheme.lower() == "bearer"
        return web.refuse(headers, by_token=self.stranger)

    def _push(self, source: str, query: str) -> None:
        door = self.endpoints.door
        headers = self.lower_headers()
        try:
            with door.entered(source, headers, stranger=self.stranger) as (intakes, length):
                body = self.read_body(length)
                answer = door.take(intakes, query, headers, body)
        except PushError as error:
            more = {"Retry_After": str(RETRY_SECONDS)} if error.retry else {}
            if error.status == 401:
                more["WWW_Authenticate"] = "Bearer"
            self._json(error.status, error.body, **more)
        else:
            self._json(202, answer)

    def _json(self, status: int, body: object, **headers: str) -> None:
        self.answer(status, json.dumps(body).encode() + b"\n", "application/json", **headers)

    def _reload(self) -> None:
        try:
            self.endpoints.reload()
        except ModelExporterError as error:
            self.answer(500, f"the old configuration stays: {redact(str(error))}\n".encode())
        else:
            self.answer(200, b"reloaded\n")
