"""Alertmanager's webhook, version 4: from bytes that anyone may have sent to alerts.

What is not needed is not looked at: later versions may add fields.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from model_exporter.job.push_body import PushError, parsed

MAX_BYTES = 1 << 20
"""Of one webhook; an alert with its annotations has about 1 KiB."""
VERSION = "4"
STATUSES = ("firing", "resolved")
FINGERPRINT = re.compile(r"[0-9A-Za-z_-]{1,128}")
TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
"""RFC 3339, as Go writes it: with up to nine digits of a second."""
LATEST = 253_402_300_799
"""The last second that can be written."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a webhook. An episode is a fingerprint with the start, in microseconds."""

    firing: bool
    labels: Mapping[str, str]
    fingerprint: str
    starts_at: int

    @property
    def name(self) -> str:
        """Which rule fired."""
        return self.labels.get("alertname", "")

    @property
    def model(self) -> str:
        """Which model it is about."""
        return self.labels.get("model_name", "")

    @property
    def episode(self) -> tuple[str, int]:
        """What makes it the same alert however often it is delivered."""
        return self.fingerprint, self.starts_at

    @property
    def key(self) -> str:
        """The idempotency key of the call that it may start."""
        text = f"{self.model}\n{self.fingerprint}\n{self.starts_at}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def alerts(body: bytes) -> list[Alert]:
    """Return the alerts of a webhook.

    Raises
    ------
    PushError
        If it is none, naming the alert (counted from 0) and the field.
    """
    document = parsed(body, record=None)
    if not isinstance(document, dict):
        raise PushError(400, "expected Alertmanager's webhook, an object")
    if document.get("version") != VERSION:
        raise PushError(
            400, f"expected Alertmanager's webhook of version {VERSION!r}", field="version"
        )
    found = document.get("alerts")
    if not isinstance(found, list):
        raise PushError(400, "expected a list of alerts", field="alerts")
    return [_alert(record, place) for place, record in enumerate(found)]


def iso(microseconds: int) -> str:
    """Return an instant in UTC as RFC 3339."""
    text = datetime.fromtimestamp(microseconds / 1_000_000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _alert(record: Any, place: int) -> Alert:
    if not isinstance(record, dict):
        raise PushError(400, "expected an object for each alert", record=place)

    def text(field: str, expected: str, pattern: re.Pattern[str]) -> re.Match[str]:
        value = record.get(field)
        found = pattern.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise PushError(400, f"expected {expected}", record=place, field=field)
        return found

    status = text("status", "firing or resolved", re.compile("|".join(STATUSES)))[0]
    fingerprint = text("fingerprint", "letters and digits, 128 at most", FINGERPRINT)[0]
    starts_at = _microseconds(text("startsAt", "a time as of RFC 3339", TIME))
    if starts_at is None:
        raise PushError(400, "no such time", record=place, field="startsAt")
    return Alert(status == "firing", _labels(record, place), fingerprint, starts_at)


def _labels(record: dict[str, Any], place: int) -> dict[str, str]:
    labels = record.get("labels")
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        raise PushError(400, "expected an object of texts", record=place, field="labels")
    try:
        "".join([*labels, *labels.values()]).encode()
    except UnicodeEncodeError as error:
        problem = "half a surrogate pair is no text"
        raise PushError(400, problem, record=place, field="labels") from error
    return labels


def _microseconds(match: re.Match[str]) -> int | None:
    whole, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(whole.upper() + zone.upper())
    except ValueError:
        return None
    seconds = int(moment.timestamp())
    if not 0 <= seconds <= LATEST:
        return None
    return seconds * 1_000_000 + int((fraction or "0").ljust(6, "0")[:6])
