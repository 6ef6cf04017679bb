"""The metrics of a registry as HTTP responses, for our own server and for the user's."""

import gzip
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, overload
from urllib.parse import parse_qs

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from model_exporter.sidecar.gather import encoded
from model_exporter.web.response import Response, plain

MAX_NAMES = 64
"""Families that one request may pick with `name[]`."""


def not_allowed() -> Response:
    """Return the answer to a request that would change something."""
    response = plain("405 Method Not Allowed", "metrics are read with GET")
    response.headers.append(("Allow", "GET, HEAD"))
    return response


def respond(
    registry: CollectorRegistry, *, method: str, query: str, headers: Mapping[str, str]
) -> Response:
    """Return the metrics in the format that the client accepts, header names in lower case."""
    if method not in ("GET", "HEAD"):
        return not_allowed()
    try:
        names = parse_qs(query, max_num_fields=MAX_NAMES).get("name[]", ())
    except ValueError:
        return plain("400 Bad Request", "the query is not understood")
    encode, content_type = choose_encoder(headers.get("accept", ""))
    body = encoded(registry, encode, names)
    answer = [("Content-Type", content_type), ("Vary", "Accept, Accept-Encoding")]
    if accepts_gzip(headers.get("accept-encoding", "")):
        # The fastest level: it takes 9 of 10 bytes away, and every scrape has another body.
        body = gzip.compress(body, compresslevel=1, mtime=0)
        answer.append(("Content-Encoding", "gzip"))
    response = Response("200 OK", answer, body)
    if method == "HEAD":
        response.body = b""
    return response


def accepts_gzip(header: str) -> bool:
    """Return whether an Accept-Encoding header accepts gzip; `gzip;q=0` refuses it."""
    for item in header.lower().split(","):
        coding, _, weight = item.replace(" ", "").partition(";q=")
        if coding in ("gzip", "*"):
            return weight.strip("0.") != "" or not weight
    return False


WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class App(Protocol):
    """An application that WSGI and ASGI servers can call, each in its own way."""

    @overload
    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any], /
    ) -> Iterable[bytes]: ...

    @overload
    def __call__(self, scope: Any, receive: Any, send: Any, /) -> Awaitable[None]: ...

    @overload
    def __call__(self, scope: Any, /) -> Callable[[Any, Any], Awaitable[None]]: ...


def app(registry: CollectorRegistry) -> App:
    """Return an application for WSGI (two arguments) and ASGI (three, or one after the other).

    A server that asks before it calls finds no coroutine function, and takes it for WSGI
    (hypercorn) or for ASGI 2, whose first call has the scope only (uvicorn): both are served.
    """
    wsgi, asgi = wsgi_app(registry), asgi_app(registry)

    def application(*arguments: Any) -> Any:
        if len(arguments) == 1:
            return lambda receive, send: asgi(arguments[0], receive, send)
        return wsgi(*arguments) if len(arguments) == 2 else asgi(*arguments)

    return application


def wsgi_app(registry: CollectorRegistry) -> WsgiApp:
    """Return a WSGI application that serves the registry under any path."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        accept = environ.get("HTTP_ACCEPT", "")
        encoding = environ.get("HTTP_ACCEPT_ENCODING", "")
        response = respond(
            registry,
            method=environ.get("REQUEST_METHOD", "GET"),
            query=environ.get("QUERY_STRING", ""),
            headers={"accept": accept, "accept-encoding": encoding},
        )
        start_response(response.status, response.headers)
        return [response.body]

    return app


def asgi_app(registry: CollectorRegistry) -> AsgiApp:
    """Return an ASGI application that serves the registry under any path."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        response = respond(
            registry,
            method=scope["method"],
            query=scope.get("query_string", b"").decode("latin-1"),
            headers={k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]},
        )
        headers = [(k.lower().encode(), v.encode()) for k, v in response.headers]
        status = int(response.status.split()[0])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
        return None

    return app


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
