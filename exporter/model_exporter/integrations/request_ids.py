"""Carries the id of a request to the prediction log, and the prediction's id back to the client.

Who sends the label later has to name the prediction. A client that sends an id has it logged; one
that sends none gets one, in the header ``X-Prediction-Id`` of the response.

Examples
--------
>>> from model_exporter import ModelMonitor
>>> monitor = ModelMonitor("churn", task="binary")
>>> predict = monitor(prediction_id=request_id)(lambda features: 1)
>>> with RequestId({"x-request-id": "r-17"}.get) as id:
...     predict({}), request_id(), id
(1, 'r-17', 'r-17')
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar, Token
from typing import Any

HEADERS = ("x-request-id", "ce-id", "x-amzn-sagemaker-inference-id")
"""Of proxies, of CloudEvents (KServe, Knative) and of SageMaker; the first that is there counts."""
RESPONSE_HEADER = "X-Prediction-Id"
SAFE = re.compile(r"[\w.:/+=@~-]{1,128}", re.ASCII)
"""What is taken for an id: it goes into a log and a header, so nobody may write lines with it."""


class _Request:
    """The id of one request, and how many predictions took it."""

    __slots__ = ("id", "taken")

    def __init__(self, id: str) -> None:
        self.id = id
        self.taken = 0


_current: ContextVar[_Request | None] = ContextVar("model_exporter_request", default=None)


def request_id(*_: Any, **__: Any) -> str | None:
    """Return the id of the request that is being answered; to be given as `prediction_id`.

    The first prediction of a request has the request's id, and later ones ``-2``, ``-3`` and so on
    behind it, for ids are not to repeat. None outside a request: the log then makes an id.
    It is for functions that predict one row; a batch needs a list of ids.
    """
    request = _current.get()
    if request is None:
        return None
    request.taken += 1
    return request.id if request.taken == 1 else f"{request.id}-{request.taken}"


class RequestId:
    """A request, while it is being answered; gives the id to answer with.

    Parameters
    ----------
    header
        Maps the name of a header, in lower case, to its value, or to None.
    """

    def __init__(self, header: Callable[[str], str | None]) -> None:
        given = (header(name) for name in HEADERS)
        self.id = next((text for text in given if text and SAFE.fullmatch(text)), "")
        self.id = self.id or str(uuid.uuid4())
        self._token: Token[_Request | None] | None = None

    def __enter__(self) -> str:
        self._token = _current.set(_Request(self.id))
        return self.id

    def __exit__(self, *_: object) -> None:
        assert self._token is not None
        _current.reset(self._token)


class AsgiRequestIds:
    """ASGI middleware: ``app.add_middleware(AsgiRequestIds)``, or ``AsgiRequestIds(app)``."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request with its id among the headers."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        with RequestId(lambda name: headers.get(name.encode())) as id:
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
