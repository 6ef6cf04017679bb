"""Where an HTTP log goes, checked at construction; no message quotes what may be a secret."""

import os
from pathlib import Path
from typing import NamedTuple, TypeGuard

from model_exporter.errors import ConfigError


class Target(NamedTuple):
    """The receiver of a log over HTTP."""

    https: bool
    host: str
    port: int | None
    path: str
    token_file: Path | None


def is_url(value: object) -> TypeGuard[str]:
    """Return whether a log goes over HTTP, and not into a directory."""
    return isinstance(value, str) and value.lower().startswith(("http://", "https://"))


def read_target(url: str, token_file: object) -> Target:
    """Check the address of a receiver, and the file of its token.

    Raises
    ------
    ConfigError
        If the address has no host, holds a user or a password, or the file cannot be read.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or any(ord(c) <= 32 or ord(c) > 126 for c in url):
        raise ConfigError(
            "log= begins like a URL but cannot be read as one; expected something like "
            "log='http://exporter:9920/v1/predictions'"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"log= has a user or a password in the URL of {host!r}, where proxies and logs would "
            "see it; put a token into a file and give log_token_file="
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    file = None if token_file is None else _token_file(token_file)
    return Target(parts.scheme.lower() == "https", host, port, path, file)


def _token_file(value: object) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ConfigError(f"log_token_file={type(value).__name__}: expected the path of a file")
    path = Path(os.fspath(value))
    try:
        found = read_token(path)
    except OSError as error:
        raise ConfigError(
            f"log_token_file={str(path)!r}: cannot read it ({error.strerror}); give a file that "
            "holds the bearer token"
        ) from error
    if found is None:
        raise ConfigError(
            f"log_token_file={str(path)!r}: expected one line of visible ASCII, the bearer token"
        )
    return path


def read_token(path: Path) -> str | None:
    """Return the token in a file; None if it is no token, which no message may quote."""
    token = path.read_bytes().strip()
    if not token or any(octet <= 32 or octet > 126 for octet in token):
        return None
    return token.decode("ascii")
