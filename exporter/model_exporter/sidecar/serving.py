"""How a monitor serves its metrics: by a server of its own, in an application, in a registry."""

import functools
import os
from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from model_exporter.sidecar.adopted import Adopted

if TYPE_CHECKING:
    from model_exporter.sidecar.exposition import App, AsgiApp
    from model_exporter.sidecar.server import MetricsServer


class Serving(Adopted):
    """The part of a monitor that is scraped."""

    _servers: "list[MetricsServer]"

    def start_metrics_server(
        self,
        port: int = 0,
        addr: str = "127.0.0.1",
        *,
        web_config: str | os.PathLike[str] | None = None,
    ) -> "MetricsServer":
        """Serve the registry under ``/metrics`` from a background thread.

        Parameters
        ----------
        port
            0 takes a free one, which is the `port` of the returned server.
        addr
            ``"0.0.0.0"`` for other machines, and then with a `web_config` if others can reach it.
        web_config
            Path of a web configuration file as node_exporter takes it: TLS, client certificates,
            users, headers, rate limit. YAML and bcrypt need ``model-exporter[web]``; JSON does not.
        """
        from model_exporter.sidecar.server import MetricsServer  # imports stay light

        web = None
        if web_config is not None:
            from model_exporter.sidecar.site import report_quietly
            from model_exporter.web.guard import ConfiguredWeb  # so does TLS

            report = functools.partial(report_quietly, self.registry)
            web = ConfiguredWeb(web_config, report=report)
        server = MetricsServer(self.registry, addr=addr, port=port, web=web)
        self._servers.append(server)
        return server

    def metrics_app(self) -> "App":
        """Return an application for WSGI and ASGI that serves the registry under any path."""
        from model_exporter.sidecar.exposition import app

        return app(self.registry)

    def metrics_asgi_app(self) -> "AsgiApp":
        """Return the same for servers that insist on a coroutine function."""
        from model_exporter.sidecar.exposition import asgi_app

        return asgi_app(self.registry)

    def collector(self) -> Collector:
        """Return what serves every monitor of this one's registry, to register with another.

        For a registry that is made at each scrape, as with prometheus_client's own
        multiprocess mode. Monitors that appear in one exposition share one registry.

        Examples
        --------
        >>> registry = CollectorRegistry()
        >>> registry.register(ModelMonitor("churn", task="binary").collector())
        """
        return self._collector
