"""A client that speaks TLS: the same connection, with a handshake before and a farewell after.

The listening socket stays plain, and so the handshake is just one more thing to wait for: a
client that connects and says nothing holds its own connection and nobody else's.
"""

import contextlib
import selectors
import socket
import ssl
from collections.abc import Collection

from model_exporter.sidecar.connection import Answer, Connection


class TlsConnection(Connection):
    """One client behind TLS."""

    __slots__ = ("_allowed", "_shaken", "_tls")

    def __init__(
        self,
        client: socket.socket,
        deadline: float,
        context: ssl.SSLContext,
        *,
        allowed_names: Collection[str],
    ) -> None:
        # Wrapping a connected socket must not do the handshake, which would wait for the client.
        self._tls = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        super().__init__(self._tls, deadline)
        self._allowed = frozenset(allowed_names)
        self._shaken = False

    def advance(self, answer: Answer) -> int:
        """Go on until something has to be waited for, be it for the handshake's sake."""
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._check_client()
                self._shaken = True
            return super().advance(answer)
        except ssl.SSLWantReadError:
            return selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            return selectors.EVENT_WRITE

    def _check_client(self) -> None:
        if not self._allowed:
            return
        names = (self._tls.getpeercert() or {}).get("subjectAltName", ())
        found = {pair[1] for pair in names if isinstance(pair, tuple)}
        if not self._allowed & found:
            raise ConnectionRefusedError("the client's certificate has none of the allowed names")

    def say_goodbye(self) -> None:
        """Send close_notify, by which a client knows that nobody cut the response short."""
        with contextlib.suppress(OSError, ValueError):
            self._tls.unwrap()
