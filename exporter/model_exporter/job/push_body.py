"""The body of a push: from bytes that anyone may have sent to records, within bounds."""

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any, NoReturn

MAX_BYTES = 16 << 20
"""Of a body, as sent and as decompressed."""
MAX_RATIO = 200
"""Of decompression, beyond `FREE_BYTES`; rows with ids and timestamps stay below 50."""
FREE_BYTES = 1 << 20
MAX_RECORDS = 100_000
MAX_CONTAINERS = 1_000_000
"""Objects and lists in a body. An empty one has two bytes there and a hundred in memory."""
JSON = "application/json"
JSON_LINES = "application/x-ndjson"


class PushError(Exception):
    """A push is refused.

    Parameters
    ----------
    status
        Of HTTP.
    problem
        What was expected, and what to do.
    record, field
        The first record at fault, counted from 0, and its field, where it is one's fault.
    retry
        Whether the same push may succeed later.
    """

    def __init__(
        self,
        status: int,
        problem: str,
        *,
        record: int | None = None,
        field: str | None = None,
        retry: bool = False,
    ) -> None:
        super().__init__(problem)
        self.status = status
        self.retry = retry
        found = {"error": problem, "record": record, "field": field}
        self.body = {key: value for key, value in found.items() if value is not None}


def check_head(headers: Mapping[str, str], *, most: int = MAX_BYTES) -> int:
    """Return the length of the body that some headers announce; their names in lower case.

    It has `most` bytes.

    Raises
    ------
    PushError
        If it is too long, of unknown length, type or encoding.
    """
    if "transfer-encoding" in headers:
        raise PushError(411, "a chunked body has no length; send Content-Length")
    length = headers.get("content-length", "")
    if not re.fullmatch("[0-9]{1,18}", length):
        raise PushError(411, "expected a Content-Length")
    if int(length) > most:
        raise PushError(413, f"{length} bytes; send at most {most} at once")
    if _content_type(headers) not in (JSON, JSON_LINES):
        raise PushError(415, f"expected Content-Type {JSON_LINES} or {JSON}")
    if headers.get("content-encoding", "identity").lower() not in ("identity", "gzip"):
        raise PushError(415, "expected Content-Encoding gzip, or none")
    return int(length)


def records(headers: Mapping[str, str], body: bytes) -> list[dict[str, Any]]:
    """Return the records of a body whose headers were checked.

    Raises
    ------
    PushError
        If it is damaged, or holds more than is taken at once.
    """
    if headers.get("content-encoding", "").lower() == "gzip":
        body = _decompressed(body)
    if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
        raise PushError(413, f"more than {MAX_CONTAINERS} objects and lists; send them in parts")
    found = _lines(body) if _content_type(headers) == JSON_LINES else _document(body)
    if len(found) > MAX_RECORDS:
        raise PushError(413, f"{len(found)} records; send at most {MAX_RECORDS} at once")
    for i, record in enumerate(found):
        if not isinstance(record, dict):
            raise PushError(400, "expected an object for each record", record=i)
    return found


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _decompressed(body: bytes) -> bytes:
    """Decompress one gzip member, never more of it than is taken."""
    gzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    limit = min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * len(body)))
    try:
        found = gzip.decompress(body, limit + 1)
    except zlib.error as error:
        raise PushError(400, f"not gzip: {error}") from error
    if len(found) > limit:
        raise PushError(413, f"decompresses to more than {limit} bytes; send it in parts")
    if not gzip.eof or gzip.unused_data:
        raise PushError(400, "not one whole gzip stream")
    return found


def _lines(body: bytes) -> list[Any]:
    if body.count(b"\n") > MAX_RECORDS:
        raise PushError(413, f"more than {MAX_RECORDS} lines; send them in parts")
    lines = [line for line in body.split(b"\n") if line.strip()]
    return [parsed(line, record=i) for i, line in enumerate(lines)]


def _document(body: bytes) -> list[Any]:
    document = parsed(body, record=None)
    found = document.get("records") if isinstance(document, dict) else document
    if not isinstance(found, list):
        raise PushError(400, 'expected a list of records, or {"records": [...]}')
    return found


def parsed(text: bytes, *, record: int | None) -> Any:
    """Return a JSON document; raise PushError, about a record, if it is none."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise PushError(400, f"not JSON: {error}", record=record) from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
