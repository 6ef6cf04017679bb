"""Carries the id of a request to the prediction log, and the prediction's id back to the client.

Who sends the label later has to name the prediction. A client that sends an id has it logged; one
that sends none gets one, in the header ``X-Prediction-Id`` of the response.

Examples
--------
>>> from model_exporter.sidecar.ids import next_request_id
>>> with RequestId({"X-Request-Id": "r-17"}.get) as id:
...     id, next_request_id()  # the second is what the log does
('r-17', 'r-17')
"""

import contextlib
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from model_exporter.sidecar.ids import request_id, request_id_of

RESPONSE_HEADER = "X-Prediction-Id"


class RequestId:
    """A request, while it is being answered; gives the id to answer with.

    Parameters
    ----------
    header
        Maps the name of a header, in any case, to its value, or to None.
    """

    def __init__(self, header: Callable[[str], str | None]) -> None:
        self.id = request_id_of(header) or str(uuid.uuid4())
        self._context = contextlib.ExitStack()

    def __enter__(self) -> str:
        self._context.enter_context(request_id(self.id))
        return self.id

    def __exit__(self, *_: object) -> None:
        self._context.close()


class AsgiRequestIds:
    """ASGI middleware: ``app.add_middleware(AsgiRequestIds)``, or ``AsgiRequestIds(app)``."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request with its id among the headers."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        with RequestId(lambda name: headers.get(name.lower().encode())) as id:
            answer = (RESPONSE_HEADER.lower().encode(), id.encode())

            async def send_with_id(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message.get("headers", ()), answer]}
                await send(message)

            await self._app(scope, receive, send_with_id)
        return None


class WsgiRequestIds:
    """WSGI middleware: ``app = WsgiRequestIds(app)``."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request with its id among the headers.

        What a generator predicts after the headers is no longer within the request.
        """

        def header(name: str) -> str | None:
            found = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
            return None if found is None else str(found)

        with RequestId(header) as id:

            def start_with_id(status: str, headers: Any, *rest: Any) -> Any:
                return start_response(status, [*headers, (RESPONSE_HEADER, id)], *rest)

            return self._app(environ, start_with_id)
