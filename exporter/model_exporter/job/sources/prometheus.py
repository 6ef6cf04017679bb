"""Prometheus, or what answers queries like it: counters as it knows them, by its HTTP API."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from model_exporter.errors import SourceError, UnreachableError
from model_exporter.job.sources.address import (
    Credentials,
    public_name,
    take_credentials,
    take_url,
)
from model_exporter.job.sources.web import Backoff, fetch
from model_exporter.job.yaml_section import Section

PATH = "/api/v1/query"
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
OURS = ("__name__", "model_name")
"""Labels that are not for the user to match."""

Series = list[tuple[Mapping[str, str], float]]
"""Labels and value of each series of an answer."""


@dataclass(frozen=True, slots=True)
class PrometheusOptions:
    """What the configuration says of a Prometheus."""

    url: str
    match: Mapping[str, str]
    tenant: str
    credentials: Credentials
    seconds: float

    @property
    def name(self) -> str:
        """The URL without its parameters, which may hold a key."""
        return public_name(self.url)


def take_prometheus(section: Section) -> PrometheusOptions:
    """Take the keys of a Prometheus from a section."""
    match = section.mapping("match")
    for label in match:
        if label in OURS or not LABEL_NAME.fullmatch(label):
            section.refuse(
                f"{label!r} is no label to match; expected labels of targets, as {{cluster: eu}}",
                key="match",
            )
    return PrometheusOptions(
        url=take_url(section, example="http://prometheus:9090"),
        match=match,
        tenant=section.text("tenant", default=""),
        credentials=take_credentials(section),
        seconds=section.duration("timeout", default="60s").seconds,
    )


class Prometheus:
    """The query API of a server."""

    def __init__(self, options: PrometheusOptions, *, backoff: Backoff | None = None) -> None:
        self.options = options
        self._backoff = backoff or Backoff()

    def selector(self, model: str, **more: str) -> str:
        """Return the label matchers of a model's series."""
        matched = {"model_name": model, **self.options.match, **more}
        quoted = (f"{name}={json.dumps(v, ensure_ascii=False)}" for name, v in matched.items())
        return "{" + ",".join(quoted) + "}"

    def query(self, expression: str, *, now: int) -> Series:
        """Return the series of an expression as of an instant (microseconds).

        Raises
        ------
        SourceError
            If the server does not answer as it should. It is then left alone for a while.
        """
        self._backoff.check()
        try:
            found = self._query(expression, now)
        except SourceError as error:
            error.args = (f"{self.options.name}: {error}",)
            self._backoff.failed(error)
            raise
        self._backoff.succeeded()
        return found

    def _query(self, expression: str, now: int) -> Series:
        options = self.options
        parts = urlsplit(options.url)
        asked = urlencode({"query": expression, "time": f"{now / 1_000_000:.3f}"})
        query = "&".join(filter(None, [parts.query, asked]))
        path = parts.path.rstrip("/").removesuffix(PATH) + PATH
        answer = fetch(
            urlunsplit((parts.scheme, parts.netloc, path, query, "")),
            credentials=options.credentials,
            seconds=options.seconds,
            headers={"X-Scope-OrgID": options.tenant} if options.tenant else {},
        )
        return _series(_document(answer.body or b""))


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreachableError(f"not JSON: {body[:80]!r}; check `url`") from error
    if not isinstance(document, dict) or document.get("status") != "success":
        raise UnreachableError(f"no answer of Prometheus: {body[:80]!r}; check `url`")
    if document.get("warnings"):
        # As from a store that is down behind Thanos: the counts would be too small.
        raise UnreachableError(f"the answer may be incomplete: {str(document['warnings'])[:200]}")
    return document


def _series(document: Mapping[str, Any]) -> Series:
    try:
        found = [(s["metric"], float(s["value"][1])) for s in document["data"]["result"]]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UnreachableError("the answer is no instant vector; check `url`") from error
    if not all(math.isfinite(value) for _, value in found):
        raise SourceError("a counter is not finite; see what is scraped")
    return found
