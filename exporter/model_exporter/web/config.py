"""The web configuration file of Prometheus' exporter-toolkit, read and checked.

The same file that node_exporter takes as ``--web.config.file``:
https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md

What this server cannot do as the file asks is refused: a security setting that is silently
ignored is worse than none.
"""

import json
import re
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from model_exporter.errors import ConfigError

HEADERS = (
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
)
CLIENT_AUTH = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
"""Go can also ask for a certificate without verifying it; Python cannot: it would prove nothing."""
VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
UNSUPPORTED = {
    "cert": "give cert_file",
    "key": "give key_file",
    "cipher_suites": "its names are Go's; set min_version: TLS13 instead",
    "curve_preferences": "its names are Go's; leave it out",
}
UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")


class Tls(NamedTuple):
    """TLS as configured.

    Attributes
    ----------
    allowed_names
        A client's certificate must have one of these; empty allows all.
    files
        What the context was made of.
    """

    context: ssl.SSLContext
    allowed_names: tuple[str, ...]
    files: tuple[Path, ...]

    def wrapped(self, client: socket.socket) -> ssl.SSLSocket:
        """Return a connected socket as one that speaks TLS, before the handshake.

        Doing that here would wait for the client.
        """
        return self.context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)

    def check_client(self, client: ssl.SSLSocket) -> None:
        """Raise ConnectionRefusedError if a client's certificate has no allowed name."""
        names = (client.getpeercert() or {}).get("subjectAltName", ())
        found = {pair[1] for pair in names if isinstance(pair, tuple)}
        if self.allowed_names and not found & set(self.allowed_names):
            raise ConnectionRefusedError("the client's certificate has none of the allowed names")


class RateLimit(NamedTuple):
    """A token bucket: one request an interval (0 turns it off), `burst` at once."""

    interval_seconds: float
    burst: int


class WebConfig(NamedTuple):
    """A web configuration file, checked."""

    tls: Tls | None
    users: Mapping[str, bytes]
    headers: tuple[tuple[str, str], ...]
    rate_limit: RateLimit

    @property
    def keeps_strangers_out(self) -> bool:
        """Whether a password or a certificate is asked for."""
        by_certificate = self.tls and self.tls.context.verify_mode == ssl.CERT_REQUIRED
        return bool(self.users or by_certificate)


class Section:
    """One mapping of the file, whose keys are taken one by one until none may be left."""

    def __init__(self, place: str, value: object) -> None:
        self.place = place
        if value is not None and not isinstance(value, dict):
            raise self.error("", f"expected a mapping, got {value!r}")
        self._rest = dict(value or {})

    def error(self, key: str, message: str) -> ConfigError:
        """Return the error to raise about a key."""
        return ConfigError(f"{self.place}{f': {key}' if key else ''}: {message}")

    def take(self, key: str, kind: type, default: Any) -> Any:
        """Return a value of the given type; absent and null are the default."""
        value = self._rest.pop(key, None)
        if value is None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(key, f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    def choose(self, key: str, choices: Mapping[str, Any], default: str) -> Any:
        """Return what one of several texts stands for."""
        value = self.take(key, str, default)
        if value not in choices:
            raise self.error(
                key, f"got {value!r}, expected one of {', '.join(filter(None, choices))}"
            )
        return choices[value]

    def end(self, *known: str) -> None:
        """Refuse what nobody took."""
        for key in self._rest:
            raise self.error(str(key), f"is not known here; known are {', '.join(known)}")


def read(path: Path) -> WebConfig:
    """Read a web configuration file.

    Raises
    ------
    ConfigError
        If it cannot be read or asks for what is not there; no message holds a hash or a key.
    """
    root = Section(str(path), _load(path))
    tls = root.take("tls_server_config", dict, None)
    users = root.take("basic_auth_users", dict, {})
    http = Section(f"{path}: http_server_config", root.take("http_server_config", dict, None))
    limit = Section(f"{path}: rate_limit", root.take("rate_limit", dict, None))
    root.end("tls_server_config", "basic_auth_users", "http_server_config", "rate_limit")
    return WebConfig(
        tls=_tls(Section(f"{path}: tls_server_config", tls), path.parent) if tls else None,
        users=_users(Section(f"{path}: basic_auth_users", users), users),
        headers=_headers(http),
        rate_limit=_rate_limit(limit),
    )


def _load(path: Path) -> object:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"web_config={str(path)!r}: cannot read this file ({why})") from error
    try:
        return json.loads(text)  # JSON is YAML, and needs no package
    except ValueError:
        pass
    try:
        import yaml
    except ImportError as error:
        raise ConfigError(
            f"{path}: YAML needs pyyaml, which is not installed; "
            "`pip install model-exporter[web]`, or write the file in JSON"
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise ConfigError(f"{path}: line {line}: this is not YAML") from None


def _tls(section: Section, directory: Path) -> Tls:
    for key, remedy in UNSUPPORTED.items():
        if section.take(key, object, None):
            raise section.error(key, f"is not supported by this server; {remedy}")
    cert, key_file = (_file(section, directory, key) for key in ("cert_file", "key_file"))
    if cert is None or key_file is None:
        raise section.error("", "expected cert_file and key_file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = section.choose("min_version", VERSIONS, "TLS12")
    context.maximum_version = section.choose("max_version", VERSIONS, "TLS13")
    if section.take("prefer_server_cipher_suites", bool, True):
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        # Without a password given, OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(cert, key_file, password="")
    except (OSError, ValueError) as error:
        raise section.error("cert_file, key_file", _why(error)) from error
    clients = _clients(section, directory, context)
    names = tuple(map(str, section.take("client_allowed_sans", list, [])))
    if names and context.verify_mode != ssl.CERT_REQUIRED:
        raise section.error(
            "client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert"
        )
    section.end("cert_file", "key_file", "client_ca_file", "client_auth_type", "min_version")
    return Tls(context, names, (cert, key_file, *clients))


def _clients(section: Section, directory: Path, context: ssl.SSLContext) -> tuple[Path, ...]:
    """Set how clients are verified; return the files that this depends on."""
    mode = section.choose("client_auth_type", CLIENT_AUTH, "NoClientCert")
    file = _file(section, directory, "client_ca_file")
    inline = section.take("client_ca", str, None)
    given = file is not None or inline is not None
    if given != (mode != ssl.CERT_NONE):
        raise section.error(
            "client_ca_file", "and a client_auth_type that verifies it: expected both or neither"
        )
    if given:
        try:
            context.load_verify_locations(file, cadata=inline)
        except (OSError, ValueError) as error:
            raise section.error("client_ca_file", _why(error)) from error
        context.verify_mode = mode
    return () if file is None else (file,)


def _file(section: Section, directory: Path, key: str) -> Path | None:
    """Return a file's path; as in the toolkit, relative to the configuration file."""
    name = section.take(key, str, "")
    return directory / name if name else None


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"not a certificate and its unencrypted key, in PEM ({error.reason or 'damaged'})"
    return f"cannot be read ({getattr(error, 'strerror', None) or 'not a file'})"


def _users(section: Section, users: Mapping[Any, Any]) -> dict[str, bytes]:
    for name, digest in users.items():
        if not isinstance(name, str) or ":" in name or not isinstance(digest, str):
            raise section.error(str(name), "expected names without a colon, each with a hash")
        if not BCRYPT.fullmatch(digest):
            raise section.error(name, "expected a bcrypt hash, as `htpasswd -nBC 10 ''` makes")
    if users:
        try:
            import bcrypt  # noqa: F401
        except ImportError as error:
            raise section.error(
                "", "needs bcrypt, which is not installed; `pip install model-exporter[web]`"
            ) from error
    return {name: digest.encode() for name, digest in users.items()}


def _headers(section: Section) -> tuple[tuple[str, str], ...]:
    section.take("http2", bool, True)  # offered by servers that have it; nobody depends on it
    given = Section(f"{section.place}: headers", section.take("headers", dict, None))
    section.end("http2", "headers")
    found = [(name, given.take(name, str, "")) for name in HEADERS]
    given.end(*HEADERS)
    for name, value in found:
        if not value.isprintable() or not value.isascii():
            raise given.error(name, "expected one line of ASCII text")
    return tuple((name, value) for name, value in found if value)


def _rate_limit(section: Section) -> RateLimit:
    interval = str(section.take("interval", object, "0"))
    burst = section.take("burst", int, 1)
    section.end("interval", "burst")
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)?", interval)
    if match is None or burst < 1:
        raise section.error("", "expected an interval such as 1s, and a burst of at least 1")
    return RateLimit(float(match[1]) * UNIT_SECONDS[match[2] or "s"], burst)
