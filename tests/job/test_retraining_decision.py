"""The decision about an alert: bounds that hold whatever is delivered, when, and how often."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter.job.retraining import outbox
from model_exporter.job.retraining.alert import Alert
from model_exporter.job.retraining.decision import (
    DAY,
    History,
    Outcome,
    Request,
    Rules,
    State,
    decide,
)
from model_exporter.job.retraining.outbox import Outbox
from model_exporter.job.yaml_section import Duration

HOUR = 3_600_000_000
START = 1_700_000_000_000_000


def rules(**changes: object) -> Rules:
    usual = Rules(("Quality",), Duration("1d", 86_400), 1, 0, dry_run=False)
    return replace(usual, **changes)


def alert(fingerprint: str = "a", *, hours: int = 0, name: str = "Quality", firing: bool = True):
    labels = {"alertname": name, "model_name": "churn"}
    return Alert(firing, labels, fingerprint, START + hours * HOUR)


ALL_RULES = st.builds(
    lambda hours, daily, minimum: rules(
        cooldown=Duration(f"{hours}h", hours * 3600),
        daily_maximum=daily,
        minimum_new_labels=minimum,
    ),
    st.integers(0, 48),
    st.integers(1, 4),
    st.sampled_from([0, 1, 50]),
)
ALERTS = st.builds(
    alert,
    st.sampled_from("abc"),
    hours=st.integers(0, 200),
    name=st.sampled_from(["Quality", "Quality", "Quality", "Other"]),
    firing=st.sampled_from([True, True, True, False]),
)
DELIVERIES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 40), st.lists(ALERTS, max_size=4)), max_size=40
)
"""Hours until the webhook comes, labels joined by then, and its alerts."""


def requested(
    known: Rules, history: History, alerts: Sequence[Alert], *, labels: int, now: int
) -> History:
    """Decide about alerts that come at one instant; return what was requested by then."""
    for each in alerts:
        outcome, reason = decide(known, each, history, labels=labels, now=now)
        assert reason
        if outcome is Outcome.REQUESTED:
            request = Request(each.episode, now, labels, State.ACCEPTED)
            history = replace(history, requests=[*history.requests, request])
    return history


def run(known: Rules, deliveries, rng: random.Random | None = None) -> History:
    history, now, labels = History(), START, 0
    for hours, more, alerts in deliveries:
        now, labels = now + hours * HOUR, labels + more
        history = requested(known, history, alerts, labels=labels, now=now)
        if rng:  # the same webhook again, in another order, with repeats
            again = rng.choices(alerts, k=8) if alerts else []
            after = requested(known, history, again, labels=labels, now=now)
            if known.cooldown.seconds:
                assert after == history
            history = after
    return history


@settings(max_examples=150, deadline=None)
@given(ALL_RULES, DELIVERIES, st.randoms())
def test_never_more_than_allowed(known: Rules, deliveries, rng: random.Random) -> None:
    """Whatever comes: at most so many in any 24 hours, the cool-down kept, an episode once."""
    found = run(known, deliveries, rng).requests
    times = [request.at for request in found]
    for i, at in enumerate(times):
        assert sum(at <= other < at + DAY for other in times) <= known.daily_maximum
        if i:
            assert at - times[i - 1] >= known.cooldown.microseconds
            assert found[i].labels - found[i - 1].labels >= known.minimum_new_labels
    assert len({request.episode for request in found}) == len(found)


@settings(max_examples=150, deadline=None)
@given(ALL_RULES, DELIVERIES, st.lists(ALERTS, max_size=6), st.integers(0, 100), st.randoms())
def test_order_and_repeats_do_not_matter(
    known: Rules, deliveries, alerts: list[Alert], hours: int, rng: random.Random
) -> None:
    """At one instant as many are requested however the webhooks are ordered and repeated."""
    history = run(known, deliveries)
    now = START + (sum(delivery[0] for delivery in deliveries) + hours) * HOUR
    labels = sum(delivery[1] for delivery in deliveries)
    repeated = alerts + rng.choices(alerts, k=5) if alerts else []
    rng.shuffle(repeated)
    once = requested(known, history, alerts, labels=labels, now=now)
    often = requested(known, history, repeated, labels=labels, now=now)
    assert len(once.requests) == len(often.requests)


@settings(max_examples=100, deadline=None)
@given(DELIVERIES)
def test_what_is_due_is_requested(deliveries) -> None:
    """Without bounds, each episode that fires is requested, and nothing else."""
    free = rules(cooldown=Duration("0s", 0), daily_maximum=10_000)
    due = {
        each.episode
        for _, _, alerts in deliveries
        for each in alerts
        if each.firing and each.name == "Quality"
    }
    assert {request.episode for request in run(free, deliveries).requests} == due


def of(*requests: tuple[int, int, State]) -> History:
    found = [Request(("old", i), START + h * HOUR, n, s) for i, (h, n, s) in enumerate(requests)]
    return History(found)


TABLE = {
    "first": (rules(), alert(), History(), Outcome.REQUESTED),
    "resolved": (rules(), alert(firing=False), History(), Outcome.RESOLVED),
    "other alert": (rules(), alert(name="Other"), History(), Outcome.NOT_CONFIGURED),
    "cool": (rules(), alert(), of((77, 0, State.ACCEPTED)), Outcome.COOLDOWN),
    "cooled": (rules(), alert(), of((76, 0, State.ACCEPTED)), Outcome.REQUESTED),
    "failed ones count": (rules(), alert(), of((90, 0, State.FAILED)), Outcome.COOLDOWN),
    "from the future": (rules(), alert(), of((200, 0, State.ACCEPTED)), Outcome.COOLDOWN),
    "daily": (
        rules(cooldown=Duration("1h", 3600), daily_maximum=2),
        alert(),
        of((77, 0, State.UNKNOWN), (98, 0, State.FAILED)),
        Outcome.DAILY_MAXIMUM,
    ),
    "labels": (
        rules(minimum_new_labels=11),
        alert(),
        of((1, 90, State.ACCEPTED)),
        Outcome.TOO_FEW_LABELS,
    ),
    "labels since what may have trained": (
        rules(minimum_new_labels=11),
        alert(),
        of((1, 80, State.ACCEPTED), (2, 95, State.FAILED)),
        Outcome.REQUESTED,
    ),
    "labels counted anew": (
        rules(minimum_new_labels=11),
        alert(),
        of((1, 5000, State.ACCEPTED)),
        Outcome.REQUESTED,
    ),
    "dry": (rules(dry_run=True), alert(), History(), Outcome.DRY_RUN),
    "dry ones count in a dry run": (
        rules(dry_run=True),
        alert(),
        of((99, 0, State.DRY_RUN)),
        Outcome.COOLDOWN,
    ),
    "and only there": (rules(), alert(), of((99, 0, State.DRY_RUN)), Outcome.REQUESTED),
    "forgotten": (rules(), alert(hours=5), History([], START + 5 * HOUR), Outcome.TOO_OLD),
    "after what is forgotten": (
        rules(),
        alert(hours=6),
        History([], START + 5 * HOUR),
        Outcome.REQUESTED,
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_each_reason(case: str) -> None:
    known, given_alert, history, expected = TABLE[case]
    outcome, _ = decide(known, given_alert, history, labels=100, now=START + 100 * HOUR)
    assert outcome is expected


@pytest.mark.parametrize("state", State)
def test_an_episode_is_requested_once(state: State) -> None:
    """Unless its request was refused for certain."""
    history = History([Request(alert().episode, START, 0, state)])
    outcome, _ = decide(rules(), alert(), history, labels=0, now=START + 100 * HOUR)
    again = state in (State.FAILED, State.DRY_RUN)
    assert outcome is (Outcome.REQUESTED if again else Outcome.DUPLICATE)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 8), st.booleans()), max_size=40))
def test_what_is_forgotten_is_never_requested_again(deliveries) -> None:
    """With room for three requests and a restart at any time, an episode has one at most."""
    free = rules(cooldown=Duration("0s", 0), daily_maximum=100)
    made: list[tuple[str, int]] = []
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as directory:
        patch.setattr(outbox, "KEPT", 3)
        box = Outbox(Path(directory))
        for now, (fingerprint, hours, restart) in enumerate(deliveries):
            if restart:
                box.__exit__()
                box = Outbox(Path(directory))
            each = alert(fingerprint, hours=hours)
            with box.transaction():
                history = box.history("churn")
                outcome, _ = decide(free, each, history, labels=0, now=START + now)
                if outcome is Outcome.REQUESTED:
                    made.append(each.episode)
                    request = Request(each.episode, START + now, 0, State.ACCEPTED)
                    box.add("churn", request, {})
            assert len(history.requests) <= 3
        box.__exit__()
    assert len(set(made)) == len(made)
