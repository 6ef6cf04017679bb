"""One HTTP request with every limit that a server cannot be trusted to keep.

Time in all and for each read, size before and after decompression, redirects to the same place
only; credentials are sent to that place alone and never quoted.
"""

import http.client
import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from model_exporter.errors import SourceError, UnreachableError
from model_exporter.job.sources.address import Credentials
from model_exporter.job.sources.deadline import cut, deadline

CONNECT_SECONDS = 10
REDIRECTS = {301, 302, 303, 307, 308}
MAX_REDIRECTS = 5
MAX_BYTES = 64 << 20
"""Of one answer, decompressed."""
MAX_RATIO = 200
"""Text compresses 5 to 30 times, very repetitive text 100; a bomb 1,000."""
RATIO_FROM_BYTES = 1 << 20
READ_BYTES = 1 << 16
GZIP = b"\x1f\x8b"
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
LONGEST_RETRY_AFTER_SECONDS = 3600.0
ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # of URLs and numbers that are none
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: 200 with a body, or 304 without."""

    url: str
    headers: Mapping[str, str]
    body: bytes | None


class Backoff:
    """Keeps away from a server that failed: twice as long each time, with jitter, without sleep."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._clock = clock
        self._uniform = uniform
        self._failures = 0
        self._until = 0.0
        self._reason = ""

    def check(self) -> None:
        """Raise the last failure again while it is too early to try."""
        wait = self._until - self._clock()
        if self._failures and wait > 0:
            raise UnreachableError(f"{self._reason}; trying again in {wait:.0f} s")

    def failed(self, error: Exception) -> None:
        """Note a failure; one that says when to come back is taken at its word."""
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(self._failures, 16))
        asked = min(getattr(error, "retry_after", 0.0), LONGEST_RETRY_AFTER_SECONDS)
        self._failures += 1
        self._reason = str(error)
        self._until = self._clock() + max(asked, self._uniform(longest / 2, longest))

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures = 0


class RefusedError(UnreachableError):
    """The server answered with a status that is no success."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def fetch(
    url: str, *, credentials: Credentials, seconds: float, headers: Mapping[str, str]
) -> Answer:
    """Get a URL.

    Raises
    ------
    UnreachableError
        If there is no answer in time, or none of success.
    SourceError
        If the answer is larger than the limits.
    """
    adapter = _Adapter()
    verify = None if credentials.ca_file is None else str(credentials.ca_file)
    try:
        with requests.Session() as session, deadline(seconds, adapter.cut):
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            session.auth = credentials
            session.headers.update({"Accept-Encoding": "gzip", **headers})
            return _follow(session, url, seconds, verify=verify)
    except ERRORS as error:
        raise UnreachableError(_what_failed(error)) from error


def same_place(origin: str, target: str) -> bool:
    """Tell whether a URL is on the same host and port, or on its encrypted side."""
    try:
        a, b = urlsplit(origin), urlsplit(target)
        upgrade = (a.scheme, b.scheme) == ("http", "https") and a.hostname == b.hostname
        return upgrade or (a.scheme, a.hostname, _port(a)) == (b.scheme, b.hostname, _port(b))
    except ValueError:  # a port that is none, for example
        return False


class _Adapter(HTTPAdapter):
    """Remembers its sockets, so that they can be cut."""

    def __init__(self) -> None:
        super().__init__(max_retries=0)
        self._sockets: list[Any] = []

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return a pool whose connections are remembered."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        sockets, plain = self._sockets, pool.ConnectionCls

        class Connection(plain):  # type: ignore[misc, valid-type]  # the class depends on TLS
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        pool.ConnectionCls = Connection
        return pool

    def cut(self) -> None:
        """Cut every connection."""
        for line in self._sockets:
            if line.fileno() >= 0:
                cut(line.fileno())


def _follow(session: requests.Session, url: str, seconds: float, *, verify: str | None) -> Answer:
    limits = (CONNECT_SECONDS, seconds)
    for _ in range(MAX_REDIRECTS + 1):
        # Given here, as REQUESTS_CA_BUNDLE would come before that of the session.
        with session.get(
            url, stream=True, allow_redirects=False, timeout=limits, verify=verify
        ) as response:
            if response.status_code in REDIRECTS and "Location" in response.headers:
                target = urljoin(url, response.headers["Location"])
                if not same_place(url, target):
                    raise UnreachableError(
                        f"redirected to another host, {urlsplit(target).netloc}, which is not "
                        "followed; if that is right, name it in `url`"
                    )
                url = target
                continue
            if response.status_code == 304:
                return Answer(url, response.headers, None)
            if response.status_code != 200:
                raise _refused(response)
            return Answer(url, response.headers, _body(response))
    raise UnreachableError(f"more than {MAX_REDIRECTS} redirects")


def _body(response: requests.Response) -> bytes:
    parts, size = [], 0
    for part in inflated(_raw(response)):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise SourceError(f"the answer is larger than {MAX_BYTES} bytes; ask for smaller pages")
    return b"".join(parts)


def _raw(response: requests.Response) -> Iterator[bytes]:
    while part := response.raw.read(READ_BYTES, decode_content=False):
        yield part


def inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress what begins like gzip, in steps of bounded size; hand on anything else.

    Raises
    ------
    SourceError
        If it grows as only a bomb does, or breaks off.
    """
    inflate: Any = None
    taken = given = 0
    for chunk in chunks:
        if taken == 0 and chunk.startswith(GZIP):
            inflate = zlib.decompressobj(31)
        taken += len(chunk)
        if inflate is None:
            yield chunk
            continue
        while chunk:
            if inflate.eof:
                inflate = zlib.decompressobj(31)  # another member
            try:
                part = inflate.decompress(chunk, RATIO_FROM_BYTES)
            except zlib.error as error:
                raise SourceError(f"the answer is damaged: {error}") from error
            given += len(part)
            if given > max(RATIO_FROM_BYTES, MAX_RATIO * taken):
                raise SourceError(f"the answer grows more than {MAX_RATIO} times: not taken")
            yield part
            chunk = inflate.unconsumed_tail or inflate.unused_data
    if inflate is not None and not inflate.eof:
        raise SourceError("the compressed answer breaks off")


def _refused(response: requests.Response) -> RefusedError:
    status = f"{response.status_code} {response.reason}"
    if response.status_code in (401, 403):
        return RefusedError(f"answered {status}; check the token or the password")
    after = _seconds(response.headers.get("Retry-After", ""))
    return RefusedError(f"answered {status}", retry_after=after)


def _seconds(retry_after: str) -> float:
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _what_failed(error: Exception) -> str:
    """Name a failure without the URL that libraries put in, for it may hold a key."""
    kinds: list[tuple[type[Exception], str]] = [
        (requests.exceptions.SSLError, "the TLS certificate or handshake was refused"),
        (requests.exceptions.ConnectTimeout, f"no connection within {CONNECT_SECONDS} s"),
        (requests.exceptions.Timeout, "no answer in time"),
        (requests.exceptions.ProxyError, "the proxy refused"),
        (requests.exceptions.ConnectionError, "cannot connect, or the connection was lost"),
    ]
    found = (text for kind, text in kinds if isinstance(error, kind))
    return next(found, f"the answer broke off ({type(error).__name__})")


def _port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
