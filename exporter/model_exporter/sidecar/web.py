"""Holds the metrics server to its web configuration: TLS, users, headers, rate."""

import base64
import binascii
import hashlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry

from model_exporter.errors import ConfigError
from model_exporter.sidecar.collector import report
from model_exporter.sidecar.connection import Connection
from model_exporter.sidecar.exposition import Response, plain
from model_exporter.sidecar.faults import Stage
from model_exporter.sidecar.tls import TlsConnection
from model_exporter.sidecar.web_config import RateLimit, WebConfig, read

REFRESH_SECONDS = 1.0
"""How often the files are looked at, at most: a renewed certificate is served within a second."""
REMEMBERED = 100
"""Passwords known to be right; there are few users."""


class Users:
    """Checks passwords against bcrypt hashes, without letting that stop the scrapes.

    A hash takes 70 ms and more, by design. The server has one thread, so a password that was right
    is remembered (as a keyed hash), and after one that was wrong the next to be hashed has to wait
    for as long as that took: guessing gets half of the thread at most, Prometheus the rest.
    """

    def __init__(self, users: Mapping[str, bytes], clock: Callable[[], float]) -> None:
        self._users = users
        self._clock = clock
        self._key = os.urandom(32)
        self._right: dict[bytes, None] = {}
        self._busy_until = 0.0

    def refuse(self, authorization: str) -> Response | None:
        """Return the answer to a wrong password, or None."""
        if not self._users:
            return None
        user, password = _credentials(authorization)
        if user is None:
            return _unauthorized()
        seen = hashlib.blake2b(user.encode() + b":" + password, key=self._key).digest()
        if seen in self._right:
            return None
        start = self._clock()
        if start < self._busy_until:
            return plain("429 Too Many Requests", "too many passwords to check; try again")
        if self._is_right(user, password):
            if len(self._right) < REMEMBERED:
                self._right[seen] = None
            return None
        end = self._clock()
        self._busy_until = end + (end - start)
        return _unauthorized()

    def _is_right(self, user: str, password: bytes) -> bool:
        import bcrypt

        if b"\x00" in password:
            return False
        # Longer ones are cut as in Go's and every other bcrypt, which newer versions of this
        # package refuse to do.
        # For unknown users another's hash: an answer that came sooner would tell names.
        somebody = next(iter(self._users.values()))
        right = bcrypt.checkpw(password[:72], self._users.get(user, somebody))
        return right and user in self._users


def _credentials(authorization: str) -> tuple[str | None, bytes]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None, b""
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode("utf-8") if colon else None), password
    except (binascii.Error, UnicodeError, ValueError):
        return None, b""


def _unauthorized() -> Response:
    response = plain("401 Unauthorized", "a user and the password are needed")
    response.headers.append(("WWW-Authenticate", 'Basic realm="metrics", charset="UTF-8"'))
    return response


class Bucket:
    """Lets through one request an interval, and a burst."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._tokens = float(limit.burst)
        self._at = clock()

    def take(self) -> bool:
        """Return whether there was a token."""
        if self._limit.interval_seconds <= 0:
            return True
        now = self._clock()
        gained = (now - self._at) / self._limit.interval_seconds
        self._tokens = min(self._tokens + gained, float(self._limit.burst))
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class ConfiguredWeb:
    """A web configuration file in force; it is read anew when it or its certificates change.

    One that is then refused leaves the old in force, and is counted and logged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        registry: CollectorRegistry,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(path)
        self._registry = registry
        self._clock = clock
        self._checked = clock()
        config = read(self._path)
        self._adopt(config)
        self._state = _state(self._path, config)

    def _adopt(self, config: WebConfig) -> None:
        self._config = config
        self.headers = config.headers
        self._users = Users(config.users, self._clock)
        self._bucket = Bucket(config.rate_limit, self._clock)

    def refresh(self) -> None:
        """Read the files again if they changed."""
        now = self._clock()
        if now - self._checked < REFRESH_SECONDS:
            return
        self._checked = now
        state = _state(self._path, self._config)
        if state == self._state:
            return
        self._state = state
        try:
            self._adopt(read(self._path))
        except ConfigError as error:
            self._report(error)
        else:
            self._state = _state(self._path, self._config)

    def _report(self, error: ConfigError) -> None:
        try:
            report(self._registry, Stage.SERVER, error)
        except ConfigError:  # strict mode raises to the caller; there is none in this thread
            return

    def connection(self, client: socket.socket, deadline: float) -> Connection:
        """Return a client's connection."""
        tls = self._config.tls
        if tls is None:
            return Connection(client, deadline)
        return TlsConnection(client, deadline, tls.context, allowed_names=tls.allowed_names)

    def refuse(self, headers: Mapping[str, str]) -> Response | None:
        """Return the answer for who asks too often, or without the password."""
        if not self._bucket.take():
            return plain("429 Too Many Requests", "the rate limit of the web configuration")
        return self._users.refuse(headers.get("authorization", ""))


def _state(path: Path, config: WebConfig) -> tuple[object, ...]:
    """Return what changes when a file does."""
    files = (path, *(config.tls.files if config.tls else ()))
    return tuple(map(_stamp, files))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
