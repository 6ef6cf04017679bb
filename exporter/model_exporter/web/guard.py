"""Holds a server to its web configuration: TLS, users, headers, rate."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from model_exporter.errors import ConfigError
from model_exporter.web.config import RateLimit, Tls, WebConfig, read
from model_exporter.web.response import Response, plain
from model_exporter.web.users import Users

REFRESH_SECONDS = 1.0
"""How often the files are looked at, at most: a renewed certificate is served within a second."""


class Bucket:
    """Lets through one request an interval, and a burst."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._tokens = float(limit.burst)
        self._at = clock()
        self._taking = threading.Lock()

    def take(self) -> bool:
        """Return whether there was a token."""
        if self._limit.interval_seconds <= 0:
            return True
        with self._taking:
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

    One that is then refused, by itself or by `check`, leaves the old in force and goes to
    `report`. One thread may call `refresh`, and any number the rest.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        report: Callable[[ConfigError], None],
        check: Callable[[WebConfig], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(path)
        self._report = report
        self._check = check
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
            config = read(self._path)
            self._check(config)
        except ConfigError as error:
            self._report(error)
        else:
            self._adopt(config)
            self._state = _state(self._path, self._config)

    @property
    def tls(self) -> Tls | None:
        """TLS as configured; None for plain HTTP."""
        return self._config.tls

    @property
    def has_users(self) -> bool:
        """Whether a user and the password are asked for."""
        return bool(self._config.users)

    @property
    def keeps_strangers_out(self) -> bool:
        """Whether a password or a certificate is asked for."""
        return self._config.keeps_strangers_out

    def refuse(self, headers: Mapping[str, str], *, by_token: bool = False) -> Response | None:
        """Return the answer for who asks too often, or without the password.

        `by_token` leaves it to the caller to check a token in the password's place.
        """
        if not self._bucket.take():
            return plain("429 Too Many Requests", "the rate limit of the web configuration")
        return None if by_token else self._users.refuse(headers.get("authorization", ""))


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
