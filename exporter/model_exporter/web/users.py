"""Users and their passwords, checked against bcrypt hashes."""

import base64
import binascii
import hashlib
import os
import threading
from collections.abc import Callable, Mapping

from model_exporter.web.response import Response, plain

REMEMBERED = 100
"""Passwords known to be right; there are few users."""


class Users:
    """Checks passwords against bcrypt hashes, without letting that stop the scrapes.

    A hash takes 70 ms and more, by design, and the server may have one thread. So a password that
    was right is remembered (as a keyed hash), one is hashed at a time, and after one that was wrong
    the next has to wait for as long as that took: guessing gets half of a thread at most.
    """

    def __init__(self, users: Mapping[str, bytes], clock: Callable[[], float]) -> None:
        self._users = users
        self._clock = clock
        self._key = os.urandom(32)
        self._right: dict[bytes, None] = {}
        self._busy_until = 0.0
        self._hashing = threading.Lock()

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
        if not self._hashing.acquire(blocking=False):
            return _busy()
        try:
            return self._judged(user, password, seen)
        finally:
            self._hashing.release()

    def _judged(self, user: str, password: bytes, seen: bytes) -> Response | None:
        start = self._clock()
        if start < self._busy_until:
            return _busy()
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


def _busy() -> Response:
    return plain("429 Too Many Requests", "too many passwords to check; try again")


def _unauthorized() -> Response:
    response = plain("401 Unauthorized", "a user and the password are needed")
    response.headers.append(("WWW-Authenticate", 'Basic realm="metrics", charset="UTF-8"'))
    return response
