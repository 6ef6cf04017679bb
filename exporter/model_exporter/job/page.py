"""The text of `/metrics`, rendered when an evaluation ends, so that a scrape costs nothing."""

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

OPENMETRICS = "application/openmetrics-text"


class Page:
    """The families of a registry as they were last rendered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.render()

    def render(self) -> None:
        """Render what the registry holds now, in both formats that scrapers ask for."""
        plain = generate_latest(self._registry)
        self._bodies = (
            plain,
            openmetrics.generate_latest(  # type: ignore[no-untyped-call]
                self._registry
            ),
        )

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return the body and its content type, for an Accept header."""
        plain, open_metrics = self._bodies
        if OPENMETRICS in accept:
            return open_metrics, openmetrics.CONTENT_TYPE_LATEST
        return plain, CONTENT_TYPE_PLAIN_0_0_4
