"""Time limits that hold whatever the other side does."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

from model_exporter.errors import UnreachableError


@contextlib.contextmanager
def deadline(seconds: float, stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` from another thread after some time; what then fails is told as being late."""
    late = threading.Event()

    def interrupt() -> None:
        late.set()
        stop()

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise UnreachableError(
                f"no answer within {seconds:g} s; make the request cheaper, or raise `timeout`"
            ) from error
        raise
    finally:
        timer.cancel()


def cut(descriptor: int) -> None:
    """Shut a socket that another thread waits on: it then reads the end, and fails.

    Through a copy: the object of the other thread is left to that thread.
    """
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as line:
        line.shutdown(socket.SHUT_RDWR)
