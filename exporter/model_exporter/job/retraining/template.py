"""The one HTTP request of a retraining: a template, filled with what is known of the alert.

Values stand in JSON or in a form, encoded by those who know how; never in a URL, a header or a
command, and no expression is evaluated.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Any
from urllib.parse import urlencode

from model_exporter.job.retraining.alert import Alert, iso
from model_exporter.job.secret import Secret
from model_exporter.job.sources.address import Credentials
from model_exporter.job.yaml_section import Section, nearest

LABELS = ("model_name", "model_version", "alertname", "severity", "window")
VARIABLES = (*LABELS, "starts_at", "fingerprint", "idempotency_key")
MAX_LENGTH = 1_000
"""Of the text of a variable; services refuse inputs that are long."""
IDEMPOTENCY_KEY = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request that is ready to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    credentials: Credentials
    seconds: float


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """A request whose texts may hold variables.

    Attributes
    ----------
    body
        What JSON can hold; of a `form`, a flat mapping.
    secret_field
        Field of a form that takes a secret, where a service wants it there.
    known
        Statuses beside those of success by which the service says that it has this request already.
    """

    url: str
    body: Any
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    form: bool = False
    credentials: Credentials = field(default_factory=Credentials)
    secret_field: tuple[str, Secret] | None = None
    known: frozenset[int] = frozenset()
    seconds: float = 30.0

    @property
    def secrets(self) -> list[Secret]:
        """The secrets that it needs."""
        field_secret = self.secret_field[1] if self.secret_field else None
        found = (self.credentials.token, self.credentials.password, field_secret)
        return [secret for secret in found if secret is not None]

    def call(self, variables: Mapping[str, str]) -> Call:
        """Return the request about an alert.

        Raises
        ------
        SourceError
            If a secret that stands in the body cannot be read.
        """
        body = filled(self.body, variables)
        kind = "application/x-www-form-urlencoded" if self.form else "application/json"
        if self.secret_field is not None:
            name, secret = self.secret_field
            body = {name: secret.read(), **body}
        encoded = urlencode(body) if self.form else json.dumps(body)
        headers = {
            "Content-Type": kind,
            **self.headers,
            IDEMPOTENCY_KEY: variables["idempotency_key"],
        }
        return Call(
            self.method, self.url, headers, encoded.encode(), self.credentials, self.seconds
        )


def variables_of(alert: Alert) -> dict[str, str]:
    """Return what a template may say about an alert; a label that it lacks is empty."""
    labels = {name: alert.labels.get(name, "")[:MAX_LENGTH] for name in LABELS}
    return labels | {
        "starts_at": iso(alert.starts_at),
        "fingerprint": alert.fingerprint,
        "idempotency_key": alert.key,
    }


def filled(node: Any, variables: Mapping[str, str]) -> Any:
    """Return a tree with its variables replaced; keys are left alone."""
    if isinstance(node, dict):
        return {key: filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, variables) for value in node]
    return Template(node).substitute(variables) if isinstance(node, str) else node


def check_variables(section: Section, key: str, node: Any) -> None:
    """Refuse variables that there are not."""
    if isinstance(node, (dict, list)):
        for value in node.values() if isinstance(node, dict) else node:
            check_variables(section, key, value)
    elif isinstance(node, str):
        template = Template(node)
        if not template.is_valid():
            section.refuse(f"{node!r}: a $ without a name; write $$ for a dollar sign", key=key)
        for name in template.get_identifiers():
            if name not in VARIABLES:
                known = ", ".join(VARIABLES)
                section.refuse(
                    f"no variable ${name}{nearest(name, VARIABLES)}; known here: {known}", key=key
                )
