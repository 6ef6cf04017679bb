"""One client of the metrics server, as a state machine that never waits."""

import selectors
import socket
from collections.abc import Callable

MAX_REQUEST = 8192
"""Bytes of a request's head."""
RECEIVE = 65_536
"""Bytes read at a time: closing with some unread would take the answer back."""
DONE = 0
"""Instead of an event to wait for: the connection has ended."""

Answer = Callable[[bytes], bytes]
"""From a request's head, or as much of it as is too much, to the response."""


class Connection:
    """One client: first the request is read, then the response is written.

    Attributes
    ----------
    waits_for
        The event of `selectors` without which nothing can go on.
    """

    __slots__ = ("deadline", "inbox", "outbox", "socket", "waits_for")

    def __init__(self, client: socket.socket, deadline: float) -> None:
        self.socket = client
        self.deadline = deadline
        self.waits_for = selectors.EVENT_READ
        self.inbox = b""
        self.outbox = memoryview(b"")

    def advance(self, answer: Answer) -> int:
        """Go on until something has to be waited for; return what, or `DONE`.

        Raises
        ------
        OSError
            If the client is gone.
        """
        try:
            return self._advance(answer)
        except BlockingIOError:
            return selectors.EVENT_WRITE if self.outbox else selectors.EVENT_READ

    def _advance(self, answer: Answer) -> int:
        while not self.outbox:
            received = self.socket.recv(RECEIVE)
            self.inbox += received
            if b"\r\n\r\n" in self.inbox or len(self.inbox) >= MAX_REQUEST:
                self.outbox = memoryview(answer(self.inbox))
            elif not received:
                return DONE
        while self.outbox:
            sent = self.socket.send(self.outbox)
            self.outbox = self.outbox[sent:]
        self.say_goodbye()
        return DONE

    def say_goodbye(self) -> None:
        """Tell the client that the response is whole; plain HTTP has its length for that."""
