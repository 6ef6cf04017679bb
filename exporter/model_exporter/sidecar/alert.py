"""Sends an alert to Alertmanager, by its API of version 2."""

import json
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from model_exporter.errors import ConfigError
from model_exporter.sidecar.deliver import LABEL, address_of, send

ALERTMANAGER = "an Alertmanager, such as http://alertmanager:9093"


def alert(
    message: str, *, name: str, labels: Mapping[str, str], now_ns: int, seconds: float
) -> dict[str, object]:
    """Return an alert as Alertmanager takes it.

    Raises
    ------
    ConfigError
        If a label is refused.
    """
    for label in labels:
        if not LABEL.fullmatch(label):
            raise ConfigError(
                f"labels={label!r}: expected names of labels, such as labels={{'team': 'risk'}}"
            )
    start = datetime.fromtimestamp(now_ns / 1e9, tz=UTC)
    return {
        "labels": {"alertname": name, **{key: str(value) for key, value in labels.items()}},
        "annotations": {"summary": message},
        "startsAt": start.isoformat(),
        "endsAt": (start + timedelta(seconds=seconds)).isoformat(),
    }


def post(alertmanager: str, alerts: list[dict[str, object]], *, timeout: float) -> None:
    """Hand alerts over.

    Raises
    ------
    ConfigError
        If the address is refused.
    DeliveryError
        If Alertmanager cannot be reached or does not take them.
    """
    address, authorization = address_of("alertmanager", alertmanager, of=ALERTMANAGER)
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked by address_of
        f"{address}/api/v2/alerts",
        data=json.dumps(alerts).encode(),
        method="POST",
        headers={"Content-Type": "application/json", **authorization},
    )
    send(request, receiver=f"the Alertmanager at {address}", timeout=timeout)
