"""Hands the metrics of a batch job over, for it ends before anyone scrapes it."""

import base64
import http.client
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from model_exporter.errors import ConfigError, DeliveryError
from model_exporter.sidecar.gather import encoded

LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
PUSHGATEWAY = "a Pushgateway, such as http://pushgateway:9091"
ANSWER_BYTES = 200
"""How much of a receiver's complaint is quoted."""


def text(registry: CollectorRegistry) -> bytes:
    """Return the registry in the text format that Pushgateway and textfile collector read."""
    return encoded(registry, generate_latest)


def push(
    registry: CollectorRegistry,
    gateway: str,
    *,
    job: str,
    grouping_key: Mapping[str, str],
    timeout: float,
) -> None:
    """Replace the metrics of a group in a Pushgateway.

    Raises
    ------
    ConfigError
        If the address or a label of the group is refused.
    DeliveryError
        If the Pushgateway cannot be reached or does not take them.
    """
    address, authorization = address_of("gateway", gateway, of=PUSHGATEWAY)
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked by address_of
        address + _group(job, grouping_key),
        data=text(registry),
        method="PUT",
        headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, **authorization},
    )
    send(request, receiver=f"the Pushgateway at {address}", timeout=timeout)


def send(request: urllib.request.Request, *, receiver: str, timeout: float) -> None:
    """Send a request; `receiver` names its place without a password.

    Raises
    ------
    DeliveryError
        If the receiver cannot be reached or does not take it.
    """
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            response.read(ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(ANSWER_BYTES).decode("utf-8", "replace").strip()
        raise DeliveryError(f"{receiver} answered {error.code} {error.reason}: {said}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DeliveryError(
            f"{receiver} cannot be reached ({reason}); is it up, and is this its address?"
        ) from None


def address_of(what: str, given: str, *, of: str) -> tuple[str, dict[str, str]]:
    """Return an address without a trailing slash or password, and the header for the latter."""
    parts = urllib.parse.urlsplit(given if "//" in given else f"http://{given}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ConfigError(f"{what}: expected the address of {of}")
    place = parts.netloc.rpartition("@")[2]
    address = urllib.parse.urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
    if parts.username is None:
        return address, {}
    user, password = map(urllib.parse.unquote, (parts.username, parts.password or ""))
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    return address, {"Authorization": f"Basic {credentials}"}


def _group(job: str, grouping_key: Mapping[str, str]) -> str:
    """Return the path of a group."""
    if not job:
        raise ConfigError("job='': expected a text that is not empty, such as job='churn-nightly'")
    for name in grouping_key:
        if not LABEL.fullmatch(name) or name == "job":
            raise ConfigError(
                f"grouping_key={name!r}: expected the name of a label other than job, such as "
                "grouping_key={'instance': 'eu-1'}"
            )
    pairs = (("job", job), *((name, str(value)) for name, value in grouping_key.items()))
    return "/metrics" + "".join(_segment(name, value) for name, value in pairs)


def _segment(name: str, value: str) -> str:
    """Return a label in a path; one that a path cannot hold is encoded, as Pushgateway asks."""
    if value and "/" not in value and value not in (".", ".."):
        return f"/{name}/{urllib.parse.quote(value, safe='')}"
    encoded_value = base64.urlsafe_b64encode(value.encode()).decode() or "="
    return f"/{name}@base64/{encoded_value}"


def write_textfile(registry: CollectorRegistry, path: str | os.PathLike[str]) -> None:
    """Replace a file at once, so that no reader sees half of it.

    Raises
    ------
    DeliveryError
        If it cannot be written.
    """
    target = Path(path)
    # node_exporter reads every *.prom of the directory, so this must not be called that.
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(text(registry))
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DeliveryError(
            f"{str(target)!r}: cannot write this file ({error.strerror}); its directory must "
            "exist and be writable"
        ) from error
