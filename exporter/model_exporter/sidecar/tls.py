"""A client that speaks TLS: the same connection, with a handshake before and a farewell after.

The listening socket stays plain, and so the handshake is just one more thing to wait for: a
client that connects and says nothing holds its own connection and nobody else's.
"""

import contextlib
import selectors
import socket
import ssl

from model_exporter.sidecar.connection import Answer, Connection
from model_exporter.web.config import Tls


class TlsConnection(Connection):
    """One client behind TLS."""

    __slots__ = ("_configured", "_shaken", "_tls")

    def __init__(self, client: socket.socket, deadline: float, tls: Tls) -> None:
        self._tls = tls.wrapped(client)
        super().__init__(self._tls, deadline)
        self._configured = tls
        self._shaken = False

    def advance(self, answer: Answer) -> int:
        """Go on until something has to be waited for, be it for the handshake's sake."""
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._configured.check_client(self._tls)
                self._shaken = True
            return super().advance(answer)
        except ssl.SSLWantReadError:
            return selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            return selectors.EVENT_WRITE

    def say_goodbye(self) -> None:
        """Send close_notify, by which a client knows that nobody cut the response short."""
        with contextlib.suppress(OSError, ValueError):
            self._tls.unwrap()
