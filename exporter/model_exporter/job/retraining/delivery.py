"""Sends what waits in the outbox, one call at a time, and writes down how each ended."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from model_exporter.errors import SourceError
from model_exporter.job.retraining.decision import Outcome, State
from model_exporter.job.retraining.outbox import Outbox, Waiting
from model_exporter.job.retraining.section import RetrainingConfig
from model_exporter.job.retraining.sending import End, Result, send
from model_exporter.job.sources.web import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, Adapter

MAX_ATTEMPTS = 15
"""About half an hour; then the alert, which still fires, is decided on anew when it comes again."""
ENDS = {
    End.ACCEPTED: (Outcome.ACCEPTED, State.ACCEPTED),
    End.REFUSED: (Outcome.FAILED, State.FAILED),
    End.AGAIN: (Outcome.RETRYING, State.PENDING),
    End.UNKNOWN: (Outcome.UNKNOWN, State.UNKNOWN),
}
WRITTEN = ("model_name", "alertname", "fingerprint", "starts_at", "idempotency_key")

logger = logging.getLogger("model_exporter")


class Delivery:
    """Makes the calls for some models; `clock` returns microseconds of Unix time."""

    def __init__(
        self, outbox: Outbox, models: Mapping[str, RetrainingConfig], clock: Callable[[], int]
    ) -> None:
        self._outbox = outbox
        self._models = models
        self._clock = clock
        self._not_before: dict[int, float] = {}
        self._adapter = Adapter()

    def settle(self) -> None:
        """Give an end to the calls that were under way when the last process ended."""
        with self._outbox.transaction():
            interrupted = self._outbox.interrupted()
        for request in interrupted:
            reason = "the job ended while the call was under way; it is not sent again"
            self._end(request, Result(End.UNKNOWN, reason))

    def send_next(self, idle: float) -> float:
        """Send the first request that is due; return how long there is nothing to do, at most."""
        with self._outbox.transaction():
            waiting = self._outbox.waiting()
        now = time.monotonic()
        due = {request.id: self._not_before.get(request.id, 0.0) for request in waiting}
        self._not_before = dict(due)
        for request in waiting:
            if due[request.id] <= now:
                self._send(request)
                return 0.0
        return min([idle, *(moment - now for moment in due.values())])

    def cut(self) -> None:
        """Cut the connection of the call that is under way; from any thread."""
        self._adapter.cut()

    def _send(self, request: Waiting) -> None:
        config = self._models.get(request.model)
        if config is None:
            self._end(request, Result(End.REFUSED, "the model has no `retraining` any more"))
            return
        try:
            call = config.request.call(request.variables)
        except SourceError as error:
            self._end(request, Result(End.AGAIN, f"{error}; nothing was sent"))
            return
        self._adapter = Adapter()
        with self._outbox.transaction():
            self._outbox.move(request, State.SENDING)
        self._end(request, send(call, self._adapter, known=config.request.known))

    def _end(self, request: Waiting, result: Result) -> None:
        """Write down how a call ended, and when to try again if it is to be."""
        if result.end is End.AGAIN and request.attempts + 1 >= MAX_ATTEMPTS:
            result = replace(result, end=End.REFUSED)
        outcome, state = ENDS[result.end]
        about = {key: request.variables.get(key, "") for key in WRITTEN}
        with self._outbox.transaction():
            self._outbox.move(request, state, attempted=True)
            self._outbox.record(
                *(request.model, outcome, result.reason),
                at=self._clock(),
                about={**about, "request": request.id},
            )
        if state is State.PENDING:
            longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**request.attempts)
            wait = max(result.retry_after, random.uniform(longest / 2, longest))
            self._not_before[request.id] = time.monotonic() + wait
        logger.log(
            logging.INFO if state is State.ACCEPTED else logging.WARNING,
            "%s: retraining %s: %s",
            *(request.model, outcome, result.reason),
            extra={"event": f"retraining_{outcome}", "model": request.model},
        )
