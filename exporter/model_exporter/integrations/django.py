"""Django: a view with the metrics for `urlpatterns`, and a middleware for the ids of requests."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from model_exporter.integrations.request_ids import RESPONSE_HEADER, RequestId
from model_exporter.sidecar.exposition import respond
from model_exporter.sidecar.monitor import ModelMonitor


def metrics_view(monitor: ModelMonitor) -> Callable[[HttpRequest], HttpResponse]:
    """Return the view: ``path("metrics", metrics_view(monitor))``."""

    def metrics(request: HttpRequest) -> HttpResponse:
        found = respond(
            monitor.registry,
            method=request.method or "GET",
            query=request.META.get("QUERY_STRING", ""),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        status = int(found.status.split()[0])
        return HttpResponse(found.body, status=status, headers=dict(found.headers))

    return metrics


@sync_and_async_middleware  # type: ignore[untyped-decorator]  # without Django it has no type
def request_ids(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Give every request an id.

    In the settings: ``MIDDLEWARE = ["model_exporter.integrations.django.request_ids", ...]``.
    """
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> Any:
            with RequestId(request.headers.get) as id:
                waiting: Awaitable[Any] = get_response(request)
                response = await waiting
                response[RESPONSE_HEADER] = id
                return response

        return answer_later

    def answer(request: HttpRequest) -> Any:
        with RequestId(request.headers.get) as id:
            response = get_response(request)
            response[RESPONSE_HEADER] = id
            return response

    return answer
