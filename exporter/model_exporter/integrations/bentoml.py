"""BentoML: metrics on the page of a service, beside BentoML's own, and ids of requests.

BentoML makes its page of what prometheus_client's multiprocess mode has, which leaves collectors
out; so a service may add to the text by a method of the name below.
"""

import asyncio
import inspect
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from model_exporter.integrations.request_ids import AsgiRequestIds
from model_exporter.sidecar.gather import encoded
from model_exporter.sidecar.monitor import ModelMonitor

HOOK = "__metrics__"


def instrument(service: Any, monitor: ModelMonitor) -> None:
    """Show a monitor's metrics under ``/metrics`` of a service, and give every request an id.

    Parameters
    ----------
    service
        What `bentoml.service` made of a class. Its workers share what they count, in the
        directory that BentoML gives them.
    monitor
        Made where the service is defined, for every worker makes its own. Several monitors share
        a registry, and one of them is enough: a page has every family once.
    """
    registry = CollectorRegistry()  # the monitor's may have more, which BentoML shows already
    registry.register(monitor.collector())
    before = getattr(service.inner, HOOK, lambda self, page: page)

    async def metrics(self: Any, page: str) -> str:
        # In a thread, as BentoML does it: the event loop answers requests meanwhile.
        shown = await asyncio.to_thread(before, self, page)
        theirs: str = await shown if inspect.isawaitable(shown) else shown
        return theirs + (await asyncio.to_thread(encoded, registry, generate_latest)).decode()

    setattr(service.inner, HOOK, metrics)
    service.add_asgi_middleware(AsgiRequestIds)
