"""What a service of BentoML has already is kept; the rest is in test_frameworks.py."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from model_exporter import ModelMonitor
from model_exporter.integrations.bentoml import instrument


class Service:
    """What of BentoML's services is used."""

    def __init__(self, inner: type) -> None:
        self.inner = inner

    def add_asgi_middleware(self, middleware: type) -> None: ...


class Sync:
    def __metrics__(self, page: str) -> str:
        return f"{page}theirs 1\n"


class Async:
    async def __metrics__(self, page: str) -> str:
        return f"{page}theirs 1\n"


@pytest.mark.parametrize("theirs", [Sync, Async])
def test_the_services_own_hook_is_kept(theirs: type) -> None:
    """What it adds to the page is there, before the metrics of all monitors of the registry."""
    service = Service(type("Model", (theirs,), {}))
    registry = CollectorRegistry()
    with (
        ModelMonitor("a", task="binary", registry=registry) as monitor,
        ModelMonitor("b", task="binary", registry=registry),
    ):
        instrument(service, monitor)
        page = asyncio.run(service.inner().__metrics__("bento 1\n"))
    assert page.startswith("bento 1\ntheirs 1\n")
    for model in ("a", "b"):
        assert f'model_predictions_total{{model_name="{model}",model_version=""}} 0.0' in page
    assert page.count("# TYPE model_predictions_total ") == 1
