"""Sends what waits in an outbox, again and again, from a thread of its own."""

import contextlib
import random
import threading
from collections.abc import Callable

from model_exporter.sidecar.faults import DropReason, Faults, Stage, TelemetryError
from model_exporter.sidecar.log_http import Answer, pieces
from model_exporter.sidecar.log_outbox import Batch, Outbox

BACKOFF_SECONDS = 0.5
"""The first pause after a failure, at most; doubled with each further one."""
MAX_BACKOFF_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 3600.0
"""A receiver that asks for a longer pause is asked again after this one."""
IDLE_SECONDS = 30.0
"""How often an empty spool is looked into: other processes may have left something."""
CLOSE_SECONDS = 10.0
REFUSED = frozenset({400, 413, 415, 422})
"""The data is at fault, so no repetition helps. Whatever else fails is tried again: a wrong token
or address, once set right, must not have cost the predictions."""

Post = Callable[[bytes], Answer]


class Sender:
    """Delivers batches at least once, for as long as the outbox keeps them."""

    def __init__(self, outbox: Outbox, post: Post, *, faults: Faults) -> None:
        self._outbox = outbox
        self._post = post
        self._faults = faults
        self.after_fork()

    def after_fork(self) -> None:
        """Leave the thread, and what it was sending, to the parent."""
        self._thread: threading.Thread | None = None
        self._arrived = threading.Event()
        self._closing = threading.Event()

    def wake(self) -> None:
        """Tell that there may be something to send; the first time, start the thread."""
        self._arrived.set()
        if self._thread is None and not self._closing.is_set():
            thread = threading.Thread(target=self._run, name="model-exporter-send", daemon=True)
            with contextlib.suppress(RuntimeError):  # the interpreter is going down
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """Send what can be sent at once and end the thread."""
        self._closing.set()
        if self._thread is not None:
            self._arrived.set()
            self._thread.join(CLOSE_SECONDS)
        elif self._arrived.is_set():
            self._run()
        self._thread = None
        self._outbox.close()

    def _run(self) -> None:
        failures = 0
        while True:
            self._arrived.clear()
            pause = self._send_one()
            if pause is None:
                if self._closing.is_set():
                    return
                self._arrived.wait(IDLE_SECONDS)
            elif pause < 0:
                failures = 0
            elif self._closing.is_set():
                return  # what is left stays in the spool
            else:
                self._closing.wait(pause + backoff(failures))
                failures += 1

    def _send_one(self) -> float | None:
        """Send a batch.

        Returns
        -------
        float or None
            None if there was none; negative if it is done; else seconds that the receiver asked
            to be left alone, 0 if it did not.
        """
        try:
            batch = self._outbox.take()
            if batch is None:
                return None
            pause = self._deliver(batch)
            (self._outbox.done if pause < 0 else self._outbox.keep)(batch)
            return pause
        except Exception as error:  # the spool cannot be read, or the file not be deleted
            self._failed(error)
            return 0.0

    def _deliver(self, batch: Batch) -> float:
        try:
            return self._send_all(batch)
        except Exception as error:
            self._failed(error)
            return 0.0

    def _send_all(self, batch: Batch) -> float:
        refused = 0
        for piece in pieces(batch.data):
            status, retry_after = self._post(piece)
            if status in REFUSED:
                refused += piece.count(b"\n")
                self._failed(TelemetryError(f"the receiver refuses predictions: HTTP {status}"))
            elif not 200 <= status < 300:
                self._failed(TelemetryError(f"the receiver takes no predictions: HTTP {status}"))
                return min(retry_after, MAX_RETRY_AFTER_SECONDS)
        if refused:  # counted at the end: a batch that is kept is sent again from its beginning
            self._faults.drop(DropReason.LOG_REFUSED, refused)
        return -1.0

    def _failed(self, error: Exception) -> None:
        with contextlib.suppress(Exception):  # strict mode raises, but this thread must go on
            self._faults.error(Stage.LOG, error)


def backoff(failures: int) -> float:
    """Return a random pause: exponential with full jitter, so that replicas do not come at once.

    References
    ----------
    M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return random.uniform(0, min(BACKOFF_SECONDS * 2 ** min(failures, 30), MAX_BACKOFF_SECONDS))
