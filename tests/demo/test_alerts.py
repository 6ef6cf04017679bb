"""Without a Prometheus, alerts are judged as the shipped rules judge."""

import pytest

from model_exporter.demo.alerts import NAMED, RULES, Alert, History, Judge, about
from model_exporter.demo.fast_motion import seconds
from model_exporter.demo.readings import Exposition

DRIFT = 'model_name="m",model_version="{version}",window="5m",subject="{subject}",feature="f"'
VIOLATED = (
    'model_expectation_violated{{model_name="m",model_version="v1",window="5m",'
    'segment="{segment}",segment_value="",score="mae",bound="max"}} {value}\n'
)
LONG = 10_000.0


def drifted(*, detected=1, subject="feature", version="v1"):
    labels = DRIFT.format(version=version, subject=subject)
    return Exposition(f"model_drift_detected{{{labels}}} {detected}\n")


def fires(job):
    judge = Judge(1)
    judge(job, 0.0)
    return {alert.name for alert in judge(job, LONG)}


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (drifted(), {"ModelFeatureDrift"}),
        (drifted(subject="prediction"), {"ModelPredictionDrift"}),
        (drifted(subject="label"), set()),
        (drifted(detected=0), set()),
        (drifted(version="all"), set()),
        (Exposition(VIOLATED.format(segment="", value=1)), {"ModelQualityBelowExpectation"}),
        (
            Exposition(VIOLATED.format(segment="s", value=1)),
            {"ModelSegmentQualityBelowExpectation"},
        ),
        (Exposition(VIOLATED.format(segment="", value=0)), set()),
    ],
)
def test_conditions(job, expected):
    """What counts and what is left out are as in the rules."""
    assert fires(job) == expected


def test_waits_as_its_rule_does():
    """A condition must hold for the rule's time, divided by the factor, without a gap."""
    factor = 360
    wait = seconds(RULES["ModelFeatureDrift"].wait) / factor
    judge = Judge(factor)
    assert judge(drifted(), 0.0) == []
    assert judge(drifted(), wait - 0.1) == []
    assert len(judge(drifted(), wait)) == 1
    assert judge(drifted(detected=0), wait + 1) == []
    assert judge(drifted(), wait + 2) == []


def test_history_keeps_the_first_time():
    """An alert that fires again has not fired for the first time."""
    early, late = Alert("m", "B", "", "warning"), Alert("m", "A", "", "critical")
    history = History()
    assert history.note([early], elapsed=1) == [early]
    assert history.note([early, late], elapsed=2) == [late]
    assert history.first == {early: 1, late: 2}
    assert list(history.by_rule()) == [("B", "m"), ("A", "m")]


def test_about_names_a_few():
    """A line names the first few features and counts the others."""
    alerts = [Alert("m", "A", f"f{i}", "warning") for i in range(NAMED + 3)]
    assert about(alerts).endswith("f3, and 3 more")
    assert about(alerts[:2]) == "f0, f1"
