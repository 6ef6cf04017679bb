"""aiohttp: metrics under ``/metrics`` of the application, and ids of requests."""

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler

from model_exporter.integrations.request_ids import RESPONSE_HEADER, RequestId
from model_exporter.sidecar.exposition import respond
from model_exporter.sidecar.monitor import ModelMonitor


def instrument(app: web.Application, monitor: ModelMonitor, *, path: str = "/metrics") -> None:
    """Serve a monitor's metrics in an application, and give every request an id.

    Before the application starts. Of the monitors that share a registry, one is enough; another
    registry takes another path.
    """

    async def metrics(request: web.Request) -> web.Response:
        # In a thread, so that a collector of the user's that waits does not stop the event loop.
        found = await asyncio.to_thread(
            respond,
            monitor.registry,
            method=request.method,
            query=request.query_string,
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        status = int(found.status.split()[0])
        return web.Response(body=found.body, status=status, headers=dict(found.headers))

    app.router.add_get(path, metrics)
    if _request_ids not in app.middlewares:
        app.middlewares.append(_request_ids)


@web.middleware
async def _request_ids(request: web.Request, handler: Handler) -> web.StreamResponse:
    with RequestId(request.headers.get) as id:
        try:
            response = await handler(request)
        except web.HTTPException as error:  # aiohttp's way to answer 404
            error.headers[RESPONSE_HEADER] = id
            raise
        if not response.prepared:
            response.headers[RESPONSE_HEADER] = id
        return response
