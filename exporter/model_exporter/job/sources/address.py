"""Where an HTTP server is and how it lets one in: the keys that all sources over HTTP take."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from model_exporter.job.secret import Secret, take_secret
from model_exporter.job.yaml_section import Section


@dataclass(frozen=True, slots=True)
class Credentials:
    """A bearer token, or a user with a password; nothing if there is neither.

    `ca_file` holds the certificates that the server's may be signed with; None for the usual ones.
    """

    token: Secret | None = None
    username: str = ""
    password: Secret | None = None
    ca_file: Path | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request; as `auth` of requests it also keeps ~/.netrc out."""
        if self.token is not None:
            request.headers["Authorization"] = f"Bearer {self.token.read()}"
        elif self.password is not None:
            pair = f"{self.username}:{self.password.read()}".encode()
            request.headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return request


def take_url(section: Section, *, example: str) -> str:
    """Take the key `url`, of http or https, without credentials."""
    url = section.text("url", expected=f"a URL such as {example}")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        section.refuse("expected a URL that begins with http:// or https://", key="url")
    if parts.username or parts.password:
        section.refuse(
            "credentials are not written here; use `username` and `password_file`, or `token_file`",
            key="url",
        )
    return url


def take_credentials(section: Section) -> Credentials:
    """Take the keys of credentials, and `ca_file`."""
    token, password = take_secret(section, "token"), take_secret(section, "password")
    username = section.text("username", default="")
    if token and (username or password):
        section.refuse("give either a token, or a user and a password", key="username")
    if bool(username) != bool(password):
        section.refuse("`username` and `password` or `password_file` belong together")
    return Credentials(token, username, password, take_ca_file(section))


def take_ca_file(section: Section) -> Path | None:
    """Take the key `ca_file`."""
    text = section.text("ca_file", default="", expected="the path of a file of PEM certificates")
    if not text:
        return None
    path = section.path.parent / Path(text).expanduser()
    if not path.is_file():
        section.refuse(f"{path}: no such file; give certificates in PEM", key="ca_file")
    return path


def public_name(url: str) -> str:
    """Return a URL without its parameters, which may hold a key."""
    parts = urlsplit(url)
    mark = f"?{hashlib.sha256(parts.query.encode()).hexdigest()[:8]}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{mark}"
