"""Takes alerts, decides, and makes the calls in a thread of its own.

An alert is answered when its decision is on the disk. Nothing here waits for a poll or an
evaluation, and none of them waits for anything here.
"""

import logging
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from model_exporter.errors import SourceError
from model_exporter.job.push_body import PushError
from model_exporter.job.retraining.alert import Alert, iso
from model_exporter.job.retraining.decision import History, Outcome, Request, State, decide
from model_exporter.job.retraining.journal import Journal
from model_exporter.job.retraining.outbox import Outbox, Waiting
from model_exporter.job.retraining.section import RetrainingConfig
from model_exporter.job.retraining.sending import End, Result, send
from model_exporter.job.retraining.template import variables_of
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.sources.web import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, Adapter

MAX_ATTEMPTS = 15
"""About half an hour; then the alert, which still fires, is decided on anew when it comes again."""
IDLE_SECONDS = 15.0
"""Between two looks at what nobody announced: attempts without a token."""
TROUBLE_SECONDS = 15.0
GRACE_SECONDS = 2.5
"""How long a call may go on after the service was asked to stop."""
LOOK_SECONDS = 0.05
TOGETHER = 1_000
"""Lines that are written to the journal at once."""
MAX_UNWRITTEN = 100_000
"""Lines that wait for a journal that cannot be written; then alerts are refused."""
NAME_LENGTH = 200
"""Of labels in the journal."""
NOBODY = ""
"""`model_name` of what belongs to no model that is retrained."""

logger = logging.getLogger("model_exporter")


class Retrainer:
    """Decides about alerts for some models, and sends what was decided. Use as a context manager.

    Parameters
    ----------
    labels
        Returns how many labels of a model were joined so far; None before its first evaluation.
    clock
        Returns Unix time in seconds.
    changed
        Called, from the thread, when there is something new to serve.
    """

    def __init__(
        self,
        models: Mapping[str, RetrainingConfig],
        state: Path,
        *,
        labels: Callable[[str], int | None],
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._models = models
        self._labels = labels
        self._clock = clock
        self._changed = changed
        self._unauthorized = 0
        self._counting = threading.Lock()
        self._shown = Snapshot()
        self._not_before: dict[int, float] = {}
        self._adapter = Adapter()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._outbox = Outbox(state)
        self._journal = Journal(state)
        self._settle_interrupted()
        self._thread = threading.Thread(
            target=self._run, name="model-exporter-retraining", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> "Retrainer":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._wake.set()
        deadline = time.monotonic() + GRACE_SECONDS
        while self._thread.is_alive():
            left = deadline - time.monotonic()
            if left <= 0:
                self._adapter.cut()
            self._thread.join(max(left, LOOK_SECONDS))
        self._outbox.__exit__()

    def snapshot(self) -> Snapshot:
        """Return what to serve."""
        return self._shown

    def refused(self) -> None:
        """Count an attempt without the right token."""
        with self._counting:
            self._unauthorized += 1

    def take(self, alerts: Sequence[Alert]) -> dict[str, int]:
        """Decide about alerts; return how many had which outcome. All is on the disk then.

        Raises
        ------
        PushError
            If that is not possible now; nothing is decided then.
        """
        found: Counter[str] = Counter()
        labels = {name: self._known_labels(name) for name in {a.model for a in alerts}}
        histories: dict[str, History] = {}
        try:
            with self._outbox.transaction():
                if self._outbox.unwritten() > MAX_UNWRITTEN:
                    raise PushError(503, "the journal cannot be written; send again", retry=True)
                for alert in alerts:
                    found[self._decide(alert, histories, labels[alert.model])] += 1
        except sqlite3.Error as error:
            logger.error("alerts cannot be decided on: %s", error)
            raise PushError(503, "the disk fails; send again", retry=True) from error
        self._wake.set()
        return dict(sorted(found.items()))

    def _known_labels(self, model: str) -> int:
        config = self._models.get(model)
        found = self._labels(model)
        if found is None and config is not None and config.rules.minimum_new_labels:
            problem = "starting: the labels are not counted yet; send again"
            raise PushError(503, problem, retry=True)
        return found or 0

    def _decide(self, alert: Alert, histories: dict[str, History], labels: int) -> Outcome:
        config = self._models.get(alert.model)
        if config is None:
            outcome = Outcome.NOT_CONFIGURED if alert.firing else Outcome.RESOLVED
            self._note(NOBODY, outcome, "the model has no `retraining`", alert=_about(alert))
            return outcome
        name, now = alert.model, round(self._clock() * 1_000_000)
        history = histories.get(name) or self._outbox.history(name)
        outcome, reason = decide(config.rules, alert, history, labels=labels, now=now)
        number = None
        if outcome in (Outcome.REQUESTED, Outcome.DRY_RUN):
            state = State.PENDING if outcome is Outcome.REQUESTED else State.DRY_RUN
            request = Request(alert.episode, now, labels, state)
            number = self._outbox.add(name, request, variables_of(alert))
            history = replace(history, requests=[*history.requests, request])
        histories[name] = history
        self._note(name, outcome, reason, alert=_about(alert), request=number)
        return outcome

    def _note(
        self,
        model: str,
        outcome: Outcome,
        reason: str,
        *,
        alert: Mapping[str, str],
        request: int | None = None,
    ) -> None:
        """Count an outcome, and have it written to the journal."""
        self._outbox.count(model, outcome)
        line: dict[str, object] = {"time": iso(round(self._clock() * 1_000_000)), **alert}
        line |= {"outcome": outcome, "reason": reason}
        self._outbox.note(line if request is None else {**line, "request": request})

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._tell()
                wait = self._send_next()
            except Exception:  # of the disk, for example: what cannot be written is not sent
                logger.exception("retraining: cannot go on; trying again")
                wait = 0.0
                self._stopping.wait(TROUBLE_SECONDS)
            self._wake.wait(wait)

    def _tell(self) -> None:
        """Write the journal, and serve what was counted."""
        while True:
            with self._outbox.transaction():
                lines = self._outbox.notes(TOGETHER)
            if not lines:
                break
            self._journal.write(lines)
            with self._outbox.transaction():
                self._outbox.noted(lines[-1][0])
        snapshot = self._counted()
        if snapshot != self._shown:
            self._shown = snapshot
            self._changed()

    def _counted(self) -> Snapshot:
        with self._outbox.transaction():
            counts, last = self._outbox.counts(), self._outbox.last_requests()
        snapshot = Snapshot()
        family = "model_retraining_requests_total"
        for model in (NOBODY, *self._models):
            for outcome in OF_NOBODY if model == NOBODY else OF_A_MODEL:
                snapshot.put(family, (model, outcome), counts.get((model, outcome), 0))
        snapshot.put(family, (NOBODY, Outcome.UNAUTHORIZED), self._unauthorized)
        for model in self._models.keys() & last.keys():
            seconds = last[model] / 1_000_000
            snapshot.put("model_retraining_last_request_timestamp_seconds", (model,), seconds)
        return snapshot

    def _send_next(self) -> float:
        """Send the first request that is due; return how long there is nothing to do."""
        with self._outbox.transaction():
            waiting = self._outbox.waiting()
        now = time.monotonic()
        due = {request.id: self._not_before.get(request.id, 0.0) for request in waiting}
        self._not_before = {id_: due[id_] for id_ in due}
        for request in waiting:
            if due[request.id] <= now and not self._stopping.is_set():
                self._send(request)
                return 0.0
        return min([IDLE_SECONDS, *(moment - now for moment in due.values())])

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
        again = result.end is End.AGAIN
        if again and request.attempts + 1 >= MAX_ATTEMPTS:
            result = replace(result, end=End.REFUSED)
            again = False
        outcome, state = ENDS[result.end]
        with self._outbox.transaction():
            self._outbox.move(request, state, attempted=True)
            self._note(
                *(request.model, outcome, result.reason),
                alert=_of_request(request),
                request=request.id,
            )
        if again:
            longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**request.attempts)
            wait = max(result.retry_after, random.uniform(longest / 2, longest))
            self._not_before[request.id] = time.monotonic() + wait
        level = logging.INFO if result.end is End.ACCEPTED else logging.WARNING
        extra = {"event": f"retraining_{outcome}", "model": request.model}
        logger.log(
            level, "%s: retraining %s: %s", request.model, outcome, result.reason, extra=extra
        )

    def _settle_interrupted(self) -> None:
        with self._outbox.transaction():
            interrupted = self._outbox.interrupted()
        for request in interrupted:
            reason = "the job ended while the call was under way; it is not sent again"
            self._end(request, Result(End.UNKNOWN, reason))


ENDS = {
    End.ACCEPTED: (Outcome.ACCEPTED, State.ACCEPTED),
    End.REFUSED: (Outcome.FAILED, State.FAILED),
    End.AGAIN: (Outcome.RETRYING, State.PENDING),
    End.UNKNOWN: (Outcome.UNKNOWN, State.UNKNOWN),
}
OF_NOBODY = (Outcome.NOT_CONFIGURED, Outcome.RESOLVED)
OF_A_MODEL = tuple(outcome for outcome in Outcome if outcome is not Outcome.UNAUTHORIZED)


def _about(alert: Alert) -> dict[str, str]:
    return {
        "model_name": alert.model[:NAME_LENGTH],
        "alertname": alert.name[:NAME_LENGTH],
        "fingerprint": alert.fingerprint,
        "starts_at": iso(alert.starts_at),
    }


def _of_request(request: Waiting) -> dict[str, str]:
    keys = ("model_name", "alertname", "fingerprint", "starts_at", "idempotency_key")
    return {key: request.variables.get(key, "")[:NAME_LENGTH] for key in keys}
