"""Ids of predictions: those of the request being served, else UUIDv7 (RFC 9562), many at once.

A prediction's id is, the first of these that there is: what ``prediction_id=`` gives; the id of
the request (of a batch, for each row, ``{request id}-{row}``); a UUIDv7.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray

NS_PER_MS = 1_000_000
SAFE = re.compile(r"[\w.:/+=@~-]{1,128}", re.ASCII)
"""What is taken for an id: it goes into a log and a header, so nobody may write lines with it."""
REQUEST_ID_HEADERS = ("X-Request-Id", "Ce-Id", "X-Amzn-SageMaker-Inference-Id")
"""Where requests carry their id; the first that has one counts."""


class _Request:
    """The id of one request, and how many calls took it."""

    __slots__ = ("id", "taken")

    def __init__(self, id: str) -> None:
        self.id = id
        self.taken = 0


_request: ContextVar[_Request | None] = ContextVar("model_exporter_request", default=None)


def uuid7s(unix_ns: NDArray[np.int64]) -> list[str]:
    """Return one UUIDv7 for each timestamp, shape (n,).

    The 12 bits after the version hold the fraction of the millisecond (RFC 9562, 6.2, method 3),
    so that ids of one process sort by time; 62 bits are random.

    Examples
    --------
    >>> uuid7s(np.array([1_700_000_000_123_456_789]))[0][:15]
    '018bcfe5-687b-7'
    """
    size = unix_ns.size
    octets = np.zeros((size, 16), dtype=np.uint8)
    milliseconds, rest = np.divmod(unix_ns, NS_PER_MS)
    big_endian = milliseconds.astype(">u8").view(np.uint8).reshape(size, 8)
    octets[:, :6] = big_endian[:, 2:]
    fraction = rest * 4096 // NS_PER_MS
    octets[:, 6] = 0x70 | (fraction >> 8)
    octets[:, 7] = fraction & 0xFF
    octets[:, 8:] = np.frombuffer(os.urandom(8 * size), dtype=np.uint8).reshape(size, 8)
    octets[:, 8] = 0x80 | (octets[:, 8] & 0x3F)
    text = octets.tobytes().hex()
    return [
        f"{text[i : i + 8]}-{text[i + 8 : i + 12]}-{text[i + 12 : i + 16]}"
        f"-{text[i + 16 : i + 20]}-{text[i + 20 : i + 32]}"
        for i in range(0, 32 * size, 32)
    ]


@contextlib.contextmanager
def request_id(text: str | None) -> Iterator[None]:
    """Give the predictions made inside, by this thread or task, the id of their request.

    Notes
    -----
    The first call of a model has the request's id, later ones have ``-2``, ``-3`` and so on behind
    it, for ids are not to repeat. What does not match `SAFE` is not taken.

    Examples
    --------
    >>> with request_id("abc"):
    ...     next_request_id(), next_request_id()
    ('abc', 'abc-2')
    """
    token = _request.set(_Request(text) if text and SAFE.fullmatch(text) else None)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # a generator may be closed in another context
            _request.reset(token)


def next_request_id() -> str | None:
    """Return the id for the next call within the request being served; None outside of one."""
    request = _request.get()
    if request is None:
        return None
    request.taken += 1
    return request.id if request.taken == 1 else f"{request.id}-{request.taken}"


def request_id_of(header: Callable[[str], str | None]) -> str | None:
    """Return the id that a request carries, given a function from a header's name to its value.

    Examples
    --------
    >>> request_id_of({"Ce-Id": "b", "X-Amzn-SageMaker-Inference-Id": "c"}.get)
    'b'
    """
    given = (header(name) for name in REQUEST_ID_HEADERS)
    return next((text for text in given if text and SAFE.fullmatch(text)), None)


def row_ids(ids: list[str | None] | None, rows: int) -> list[str | None] | None:
    """Return the ids of a batch: those given, and for the others the request's, with the row.

    Examples
    --------
    >>> with request_id("abc"):
    ...     row_ids(["x", None], 2)
    ['x', 'abc-1']
    """
    request = next_request_id()
    if request is None:
        return ids
    given = [None] * rows if ids is None else ids
    return [f"{request}-{row}" if text is None else text for row, text in enumerate(given)]
