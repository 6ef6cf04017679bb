"""One HTTP call, and what its end says about whether a retraining was started."""

import enum
from dataclasses import dataclass

import requests

from model_exporter.errors import SourceError
from model_exporter.job.redaction import redact
from model_exporter.job.retraining.template import Call
from model_exporter.job.sources.deadline import deadline
from model_exporter.job.sources.web import (
    ERRORS,
    LONGEST_RETRY_AFTER_SECONDS,
    Adapter,
    retry_after_seconds,
    what_failed,
)

CONNECT_SECONDS = 5
EXCERPT_BYTES = 300
"""Of an answer that refuses, for the journal: services say there what is wrong."""
TRY_AGAIN = frozenset({429, 500, 503})
"""The service said that it did not take the request."""
AMBIGUOUS = frozenset({302, 303, 502, 504})
"""It was taken and the page about it is elsewhere, or a login is; or a gateway answered for a
service that may have taken it."""


class End(enum.Enum):
    """How a call ended."""

    ACCEPTED = enum.auto()
    REFUSED = enum.auto()
    """For good: the same call would be refused again."""
    AGAIN = enum.auto()
    """Nothing was started, and another time it may be."""
    UNKNOWN = enum.auto()


@dataclass(frozen=True, slots=True)
class Result:
    """How a call ended, in words that go into the journal, and how long to wait at least."""

    end: End
    reason: str
    retry_after: float = 0.0


def send(call: Call, adapter: Adapter, *, known: frozenset[int] = frozenset()) -> Result:
    """Send a request once, and follow no redirect; `adapter.cut` from another thread ends it.

    Whoever sends credentials sends them to the one place that is configured. `known` are statuses
    beside those of success that mean that the service has this request.
    """
    ca_file = call.credentials.ca_file
    try:
        with requests.Session() as session, deadline(call.seconds, adapter.cut):
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            session.auth = call.credentials
            session.headers.update({"User-Agent": "model-exporter", "Accept-Encoding": "identity"})
            with session.request(
                call.method,
                call.url,
                data=call.body,
                headers=dict(call.headers),
                stream=True,
                allow_redirects=False,
                verify=None if ca_file is None else str(ca_file),
                timeout=(CONNECT_SECONDS, call.seconds),
            ) as response:
                return _judged(response, known)
    except ERRORS as error:
        return _broken(what_failed(error), adapter)
    except SourceError as error:  # a secret that cannot be read, or the deadline
        return _broken(str(error), adapter)


def _broken(reason: str, adapter: Adapter) -> Result:
    if adapter.connected:
        return Result(End.UNKNOWN, f"{reason}; whether the request was taken is not known")
    return Result(End.AGAIN, f"{reason}; nothing was sent")


def _judged(response: requests.Response, known: frozenset[int]) -> Result:
    code = response.status_code
    reason = f"answered {code} {response.reason}"[:EXCERPT_BYTES]
    if 200 <= code < 300 or code in known:
        return Result(End.ACCEPTED, reason)
    reason += _excerpt(response)
    if code in TRY_AGAIN:
        after = retry_after_seconds(response.headers.get("Retry-After", ""))
        return Result(End.AGAIN, reason, min(after, LONGEST_RETRY_AFTER_SECONDS))
    if code in AMBIGUOUS:
        return Result(End.UNKNOWN, reason)
    return Result(End.REFUSED, reason)


def _excerpt(response: requests.Response) -> str:
    try:
        found = response.raw.read(EXCERPT_BYTES, decode_content=False)
    except ERRORS:  # the status has come, and says enough
        return ""
    text = " ".join(found.decode("utf-8", "replace").split())
    return f": {redact(text)}" if text else ""
