"""Starlette: metrics under ``/metrics`` of the application, and ids of requests."""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_exporter.integrations.request_ids import AsgiRequestIds
from model_exporter.sidecar.exposition import respond
from model_exporter.sidecar.monitor import ModelMonitor


def instrument(app: Starlette, monitor: ModelMonitor, *, path: str = "/metrics") -> None:
    """Serve a monitor's metrics in an application, and give every request an id.

    Before the application starts. Of the monitors that share a registry, one is enough; another
    registry takes another path.
    """

    async def metrics(request: Request) -> Response:
        # In a thread, so that a collector of the user's that waits does not stop the event loop.
        found = await run_in_threadpool(
            respond,
            monitor.registry,
            method=request.method,
            query=request.url.query,
            headers=request.headers,
        )
        status = int(found.status.split()[0])
        return Response(found.body, status_code=status, headers=dict(found.headers))

    # First, for a route that takes any path would hide it; a mount would redirect to `/metrics/`.
    app.router.routes.insert(0, Route(path, metrics))
    known: list[object] = [middleware.cls for middleware in app.user_middleware]
    if AsgiRequestIds not in known:
        app.add_middleware(AsgiRequestIds)
