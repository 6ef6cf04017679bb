"""Takes alerts, decides, and makes the calls in a thread of its own.

An alert is answered when its decision is on the disk. Nothing here waits for a poll or an
evaluation, and none of them waits for anything here.
"""

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from model_exporter.job.push_body import PushError
from model_exporter.job.retraining.alert import Alert, iso
from model_exporter.job.retraining.decision import History, Outcome, Request, State, decide
from model_exporter.job.retraining.delivery import Delivery
from model_exporter.job.retraining.journal import Journal
from model_exporter.job.retraining.outbox import Outbox
from model_exporter.job.retraining.section import RetrainingConfig
from model_exporter.job.retraining.template import variables_of
from model_exporter.job.snapshot import Snapshot

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
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._outbox = Outbox(state)
        self._delivery = Delivery(self._outbox, models, self._now)
        try:
            self._journal = Journal(state)
            self._delivery.settle()
        except BaseException:
            self._outbox.__exit__()
            raise
        name = "model-exporter-retraining"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
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
                self._delivery.cut()
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
            reason = "the model has no `retraining`"
            self._outbox.record(NOBODY, outcome, reason, at=self._now(), about=_about(alert))
            return outcome
        name, now = alert.model, self._now()
        history = histories.get(name) or self._outbox.history(name)
        outcome, reason = decide(config.rules, alert, history, labels=labels, now=now)
        about = _about(alert)
        if outcome in (Outcome.REQUESTED, Outcome.DRY_RUN):
            state = State.PENDING if outcome is Outcome.REQUESTED else State.DRY_RUN
            request = Request(alert.episode, now, labels, state)
            about["request"] = self._outbox.add(name, request, variables_of(alert))
            history = replace(history, requests=[*history.requests, request])
        histories[name] = history
        self._outbox.record(name, outcome, reason, at=now, about=about)
        return outcome

    def _now(self) -> int:
        return round(self._clock() * 1_000_000)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._tell()
                wait = 0.0 if self._stopping.is_set() else self._delivery.send_next(IDLE_SECONDS)
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


OF_NOBODY = (Outcome.NOT_CONFIGURED, Outcome.RESOLVED)
OF_A_MODEL = tuple(outcome for outcome in Outcome if outcome is not Outcome.UNAUTHORIZED)


def _about(alert: Alert) -> dict[str, object]:
    return {
        "model_name": alert.model,
        "alertname": alert.name,
        "fingerprint": alert.fingerprint,
        "starts_at": iso(alert.starts_at),
    }
