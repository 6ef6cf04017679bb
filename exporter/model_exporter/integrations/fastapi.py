"""FastAPI: metrics under ``/metrics`` of the application, and ids of requests.

An application of FastAPI is one of Starlette. The route of the metrics is not in its OpenAPI.
"""

from fastapi import FastAPI

from model_exporter.integrations import starlette
from model_exporter.sidecar.monitor import ModelMonitor


def instrument(app: FastAPI, monitor: ModelMonitor, *, path: str = "/metrics") -> None:
    """Serve a monitor's metrics in an application, and give every request an id.

    Before the application starts. Of the monitors that share a registry, one is enough; another
    registry takes another path.
    """
    starlette.instrument(app, monitor, path=path)
