"""What the metrics server answers: requests in, responses out, no socket in sight."""

from collections.abc import Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry

from model_exporter.sidecar.collector import report
from model_exporter.sidecar.connection import MAX_REQUEST
from model_exporter.sidecar.exposition import not_allowed, respond
from model_exporter.sidecar.faults import Stage
from model_exporter.web.response import Response, plain


class Guard(Protocol):
    """Decides who gets an answer, and what is said beside it."""

    headers: tuple[tuple[str, str], ...]

    def refuse(self, headers: Mapping[str, str]) -> Response | None:
        """Return the answer for a client that must not see the metrics; None lets it in."""


class Site:
    """The pages of a registry's server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def answer(self, request: bytes, guard: Guard | None) -> bytes:
        """Return the response, as bytes, to a request's head; never raises."""
        try:
            response = self._respond(request, guard)
        except Exception as error:  # ours: those of other collectors are left out one by one
            response = plain("500 Internal Server Error", "the metrics cannot be shown")
            report_quietly(self._registry, error)
        extra = [("Connection", "close"), *(guard.headers if guard else ())]
        lines = [f"{name}: {value}" for name, value in (*response.headers, *extra)]
        head = "\r\n".join((f"HTTP/1.1 {response.status}", *lines, "", ""))
        return head.encode("latin-1") + (b"" if request.startswith(b"HEAD ") else response.body)

    def _respond(self, request: bytes, guard: Guard | None) -> Response:
        if b"\r\n\r\n" not in request[: MAX_REQUEST + 4]:
            return plain("431 Request Header Fields Too Large", "the request is too long")
        try:
            method, target, headers = parse(request)
        except ValueError:
            return plain("400 Bad Request", "this is not HTTP")
        refusal = guard.refuse(headers) if guard else None
        if refusal is not None:
            return refusal
        if method not in ("GET", "HEAD"):
            return not_allowed()
        path, _, query = target.partition("?")
        if path == "/":
            return plain("200 OK", "model-exporter: metrics are at /metrics")
        if path != "/metrics":
            return plain("404 Not Found", "metrics are at /metrics")
        return respond(self._registry, method=method, query=query, headers=headers)


def report_quietly(registry: CollectorRegistry, error: Exception) -> None:
    """Count a failure of the server among the internal errors."""
    try:
        report(registry, Stage.SERVER, error)
    except Exception:  # strict mode raises to the caller; there is none in this thread
        return


def parse(request: bytes) -> tuple[str, str, dict[str, str]]:
    """Return method, target and headers of a request, header names in lower case.

    Raises
    ------
    ValueError
        If it is not HTTP/1.
    """
    head, *lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, version = head.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(version)
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}
