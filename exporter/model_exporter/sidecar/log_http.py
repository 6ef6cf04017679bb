"""Posts rows of the prediction log to a receiver, such as the exporter job."""

import contextlib
import gzip
import math
from collections.abc import Iterator
from typing import NamedTuple

from model_exporter.sidecar.clock import Clock
from model_exporter.sidecar.faults import TelemetryError
from model_exporter.sidecar.log_target import Target, read_token

TIMEOUT_SECONDS = 10.0
"""For each of connecting, sending and the answer."""
POST_BYTES = 1 << 20
"""Of a request at most, before compression, but for a longer line: receivers bound theirs."""
CONTENT_TYPE = "application/x-ndjson"


class Answer(NamedTuple):
    """What a receiver answered.

    Attributes
    ----------
    retry_after
        Seconds that it asked to be left alone; 0 where it did not ask.
    """

    status: int
    retry_after: float


def post(target: Target, data: bytes, *, clock: Clock) -> Answer:
    """Post rows as one request.

    Redirects are not followed: they could lead the token to another host. No proxy is used.

    Raises
    ------
    OSError, http.client.HTTPException
        If there is no answer.
    TelemetryError
        If the token's file holds none.
    """
    import http.client  # most sidecars write files, or no log at all

    kind = http.client.HTTPSConnection if target.https else http.client.HTTPConnection
    connection = kind(target.host, target.port, timeout=TIMEOUT_SECONDS)
    try:
        headers, body = _headers(target), gzip.compress(data, 6, mtime=0)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused half-way: why?
            connection.request("POST", target.path, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, _seconds(response.getheader("Retry-After"), clock))
    finally:
        connection.close()


def _headers(target: Target) -> dict[str, str]:
    headers = {
        "Content-Type": CONTENT_TYPE,
        "Content-Encoding": "gzip",
        "User-Agent": "model-exporter",
        "Prefer": "handling=lenient",  # RFC 7240: an odd row must not cost the others of its batch
    }
    if target.token_file is not None:
        token = read_token(target.token_file)  # every time: it is small, and may have changed
        if token is None:
            raise TelemetryError("log_token_file does not hold one line of visible ASCII")
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _seconds(retry_after: str | None, clock: Clock) -> float:
    """Read the header: seconds, or a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return 0.0
    try:
        return max(float(int(retry_after)), 0.0)
    except (ValueError, OverflowError):
        pass
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(retry_after).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return max(math.ceil(at - clock.wall_ns() * 1e-9), 0.0)


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut lines into pieces of `POST_BYTES` at most, but for a longer line."""
    start = 0
    while start < len(data):
        end = start + POST_BYTES
        if end < len(data):
            cut = data.rfind(b"\n", start, end)
            cut = data.find(b"\n", end) if cut < 0 else cut
            end = len(data) if cut < 0 else cut + 1
        yield data[start:end]
        start = end
