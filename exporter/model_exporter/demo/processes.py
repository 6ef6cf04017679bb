"""Starts processes and ends exactly those, whatever happens in between."""

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

STOP_SECONDS = 10.0
LAST_LINES = 15
READY = "ready"
"""What a child of ours prints once it can be asked."""

# Without it a proxy of the environment would be asked for 127.0.0.1.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class StoryError(Exception):
    """Something that the demo needs did not come up; the message says what, and what it said."""


class Processes:
    """A group of child processes; leaving it ends them, last one first.

    Each is in a session of its own: a Ctrl-C in the terminal reaches the demo alone, which then
    ends them in order.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        pipe: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a process; its output goes to a file, its input is a pipe if asked for."""
        log = self._stack.enter_context((self._logs / f"{name}.log").open("w"))
        child = subprocess.Popen(  # noqa: S603  # no shell, and every argument is our own
            command,
            stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=environment,
        )
        self._stack.callback(_end, child)
        return child

    def wait_for(
        self, name: str, child: subprocess.Popen[str], ready: Callable[[], bool], seconds: float
    ) -> None:
        """Wait until `ready`; say what the process said if it ends or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            if child.poll() is not None:
                raise StoryError(f"{name} ended with status {child.returncode}:\n{self.said(name)}")
            if time.monotonic() > deadline:
                raise StoryError(f"{name} was not ready in {seconds:g} s:\n{self.said(name)}")
            time.sleep(0.1)

    def said(self, name: str) -> str:
        """Return the last lines that a process wrote."""
        text = (self._logs / f"{name}.log").read_text("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-LAST_LINES:])


def _end(child: subprocess.Popen[str]) -> None:
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def fetch(url: str, *, seconds: float = 5.0) -> str:
    """Return what a loopback URL serves.

    Raises
    ------
    OSError
        If it cannot be fetched, with whatever status.
    """
    with _open(url, timeout=seconds) as response:
        return str(response.read().decode("utf-8"))


def answers(url: str) -> Callable[[], bool]:
    """Return a function that tells whether the URL is served."""

    def ready() -> bool:
        with contextlib.suppress(OSError):
            fetch(url, seconds=1.0)
            return True
        return False

    return ready


@contextlib.contextmanager
def ending_on_signals(*numbers: int) -> Iterator[None]:
    """Turn signals into a KeyboardInterrupt, so that what was started is ended."""
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
