"""An HTTP response as plain data."""


class Response:
    """Status line, headers and body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = [*headers, ("Content-Length", str(len(body)))]
        self.body = body


def plain(status: str, message: str) -> Response:
    """Return a response of one line."""
    return Response(
        status, [("Content-Type", "text/plain; charset=utf-8")], f"{message}\n".encode()
    )
