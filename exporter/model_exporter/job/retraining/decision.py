"""Whether an alert starts a retraining: a function of the rules, the alert and what was requested.

Nothing here depends on how often or in which order alerts are delivered at one instant, except
which of several gets the only request that is due.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from model_exporter.job.retraining.alert import Alert, iso
from model_exporter.job.yaml_section import Duration

DAY = 86_400_000_000
"""In microseconds; any 24 hours, so that no choice of midnight gives more."""


class Outcome(enum.StrEnum):
    """What came of an alert; of a request, what came of its call; of a call without token, that."""

    REQUESTED = "requested"
    DRY_RUN = "dry_run"
    """It would have been requested."""
    DUPLICATE = "duplicate"
    """The same episode has a request."""
    COOLDOWN = "cooldown"
    DAILY_MAXIMUM = "daily_maximum"
    TOO_FEW_LABELS = "too_few_labels"
    TOO_OLD = "too_old"
    """It began before episodes that are forgotten: it may have been one of them."""
    NOT_CONFIGURED = "not_configured"
    RESOLVED = "resolved"
    ACCEPTED = "accepted"
    """The service answered that it took the request."""
    RETRYING = "retrying"
    FAILED = "failed"
    """The service was not reached, or refused: nothing was started."""
    UNKNOWN = "unknown"
    """It was sent, and no answer came; it is not sent again."""
    UNAUTHORIZED = "unauthorized"


class State(enum.StrEnum):
    """Where a request is."""

    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DRY_RUN = "dry_run"


@dataclass(frozen=True, slots=True)
class Rules:
    """When a retraining is due: which alerts, and how often at most."""

    alerts: tuple[str, ...]
    cooldown: Duration
    daily_maximum: int
    minimum_new_labels: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was decided on, at an instant in microseconds, with so many labels joined."""

    episode: tuple[str, int]
    at: int
    labels: int
    state: State


@dataclass(frozen=True, slots=True)
class History:
    """The requests of a model, and the latest start among those that are kept no more."""

    requests: Sequence[Request] = ()
    forgotten: int | None = None


def decide(
    rules: Rules, alert: Alert, history: History, *, labels: int, now: int
) -> tuple[Outcome, str]:
    """Return what comes of an alert, and why.

    Parameters
    ----------
    labels
        Labels joined to predictions so far.
    now
        In microseconds. Where a clock went back, requests of the future count as of now.
    """
    counted = [r for r in history.requests if rules.dry_run or r.state is not State.DRY_RUN]
    known = _known(rules, alert, counted, history.forgotten)
    if known is not None:
        return known
    last = max((request.at for request in counted), default=None)
    if last is not None and now - last < rules.cooldown.microseconds:
        text = f"the last request was at {iso(last)}; the cool-down is {rules.cooldown.text}"
        return Outcome.COOLDOWN, text
    today = sum(now - request.at < DAY for request in counted)
    if today >= rules.daily_maximum:
        return Outcome.DAILY_MAXIMUM, f"{today} in the last 24 h; at most {rules.daily_maximum}"
    fresh = _new_labels(counted, labels)
    if fresh < rules.minimum_new_labels:
        text = f"{fresh} labels joined since the last request; {rules.minimum_new_labels} needed"
        return Outcome.TOO_FEW_LABELS, text
    if rules.dry_run:
        return Outcome.DRY_RUN, "due, but `dry_run` is on: nothing is sent"
    return Outcome.REQUESTED, "due"


def _known(
    rules: Rules, alert: Alert, counted: Sequence[Request], forgotten: int | None
) -> tuple[Outcome, str] | None:
    """Return what comes of an alert whatever the time is; None if that depends."""
    if not alert.firing:
        return Outcome.RESOLVED, "the end of an alert starts nothing"
    if alert.name not in rules.alerts:
        return Outcome.NOT_CONFIGURED, "not among `retraining.alerts` of the model"
    same = [r for r in counted if r.episode == alert.episode and r.state is not State.FAILED]
    if same:
        return Outcome.DUPLICATE, f"this episode was requested at {iso(same[-1].at)}"
    if forgotten is not None and alert.starts_at <= forgotten:
        return Outcome.TOO_OLD, f"requests for alerts up to {iso(forgotten)} are not remembered"
    return None


def _new_labels(counted: Sequence[Request], labels: int) -> int:
    """Return the labels since the last request that may have trained with them.

    A count that fell began anew, as a counter does: the state was derived again.
    """
    trained = [request for request in counted if request.state is not State.FAILED]
    before = max(trained, key=lambda request: request.at).labels if trained else 0
    return labels - before if labels >= before else labels
