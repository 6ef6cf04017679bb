"""The sidecar's own HTTP server: one thread, no blocking call, everything bounded.

It runs in other people's processes, so a client that says nothing, or half a request, or does not
read its answer, must cost neither a thread nor the next scrape. One selector loop holds all
connections; each has a deadline, and at the limit the oldest gives way to the newest.
"""

import contextlib
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry

from model_exporter.errors import ConfigError
from model_exporter.sidecar import fork
from model_exporter.sidecar.connection import DONE, Connection
from model_exporter.sidecar.site import Guard, Site

if TYPE_CHECKING:
    from model_exporter.web.config import Tls

MAX_CONNECTIONS = 64
CONNECTION_SECONDS = 10.0
"""Longer than any scrape that Prometheus still waits for by default."""
MAX_PORT = 65_535
ACCEPT_PAUSE_SECONDS = 0.1
"""Rest when the process has no file descriptors left."""


class Web(Guard, Protocol):
    """What a web configuration file asks of the server, see `web.guard.ConfiguredWeb`."""

    @property
    def tls(self) -> "Tls | None":
        """TLS as configured."""

    def refresh(self) -> None:
        """Read what changed on disk since."""


class MetricsServer:
    """Serves a registry under `/metrics` until closed.

    Attributes
    ----------
    port
        The port it listens on, chosen by the system if 0 was asked for.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        addr: str,
        port: int,
        web: Web | None = None,
        seconds: float = CONNECTION_SECONDS,
    ) -> None:
        self._site = Site(registry)
        self._web = web
        self._seconds = seconds
        self._listener = _listen(addr, port)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._waker, self._wakee = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wakee, selectors.EVENT_READ)
        self._connections: dict[int, Connection] = {}
        self._closing = False
        self._pid_is_ours = True
        self._thread = threading.Thread(target=self._run, name="model-exporter-http", daemon=True)
        self._thread.start()
        fork.track(self)

    def close(self) -> None:
        """Stop serving and free the port."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(OSError):
            self._waker.send(b".")
        if self._pid_is_ours:
            self._thread.join(self._seconds)
        self._release()

    def __enter__(self) -> "MetricsServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """Let go of the parent's sockets: a child that held them would keep the port taken."""
        self._pid_is_ours = False
        self._closing = True
        self._release()

    def _release(self) -> None:
        for connection in self._connections.values():
            connection.socket.close()
        self._connections.clear()
        for item in (self._listener, self._waker, self._wakee):
            item.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is not self._wakee:
                    self._advance(key.data)
            self._drop_late()

    def _patience(self) -> float | None:
        if not self._connections:
            return None
        first = min(connection.deadline for connection in self._connections.values())
        return max(first - time.monotonic(), 0.0)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # out of file descriptors; the client stays in the backlog
            time.sleep(ACCEPT_PAUSE_SECONDS)
            return
        client.setblocking(False)
        if len(self._connections) >= MAX_CONNECTIONS:
            self._drop(min(self._connections.values(), key=lambda c: c.deadline))
        try:
            connection = self._connection(client)
        except OSError:  # already gone
            client.close()
            return
        self._connections[connection.socket.fileno()] = connection
        self._selector.register(connection.socket, connection.waits_for, connection)

    def _connection(self, client: socket.socket) -> Connection:
        deadline = time.monotonic() + self._seconds
        if self._web is None:
            return Connection(client, deadline)
        self._web.refresh()
        if self._web.tls is None:
            return Connection(client, deadline)
        from model_exporter.sidecar.tls import TlsConnection  # imports stay light

        return TlsConnection(client, deadline, self._web.tls)

    def _advance(self, connection: Connection) -> None:
        if self._connections.get(connection.socket.fileno()) is not connection:
            return  # dropped by an event before this one
        try:
            event = connection.advance(self._answer)
        except (OSError, ValueError):
            event = DONE
        if event == DONE:
            self._drop(connection)
        elif event != connection.waits_for:
            connection.waits_for = event
            self._selector.modify(connection.socket, event, connection)

    def _answer(self, request: bytes) -> bytes:
        return self._site.answer(request, self._web)

    def _drop_late(self) -> None:
        now = time.monotonic()
        for connection in [c for c in self._connections.values() if c.deadline <= now]:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        self._connections.pop(connection.socket.fileno(), None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        connection.socket.close()


def _listen(addr: str, port: int) -> socket.socket:
    if not 0 <= port <= MAX_PORT:
        raise ConfigError(f"port={port}: expected 1 to {MAX_PORT}, or 0 for a free one")
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    try:
        return socket.create_server((addr, port), family=family, backlog=128)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {addr}:{port} ({error.strerror}); give another port, or 0 for a "
            "free one"
        ) from error
