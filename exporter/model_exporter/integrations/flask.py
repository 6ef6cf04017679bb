"""Flask: metrics under ``/metrics`` of the application, and ids of requests."""

from flask import Flask, Response, request

from model_exporter.integrations.request_ids import WsgiRequestIds
from model_exporter.sidecar.exposition import respond
from model_exporter.sidecar.monitor import ModelMonitor


def instrument(app: Flask, monitor: ModelMonitor, *, path: str = "/metrics") -> None:
    """Serve a monitor's metrics in an application, and give every request an id.

    Of the monitors that share a registry, one is enough; another registry takes another path.
    """

    def metrics() -> Response:
        found = respond(
            monitor.registry,
            method=request.method,
            query=request.query_string.decode("latin-1"),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        return Response(found.body, status=found.status, headers=found.headers)

    app.add_url_rule(path, f"model_exporter:{path}", metrics)
    if not isinstance(app.wsgi_app, WsgiRequestIds):
        app.wsgi_app = WsgiRequestIds(app.wsgi_app)  # type: ignore[method-assign]
