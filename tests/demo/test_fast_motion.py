"""The rules in fast motion wait shorter, and say the same."""

import pytest
import yaml

from model_exporter.bundle.rules.files import RULE_FILES
from model_exporter.bundle.rules.rule import render
from model_exporter.demo import fast_motion

RULES = """
groups:
  - name: one
    interval: 1m
    rules:
      - record: calls:rate1h
        expr: sum(rate(calls_total{path=~"[0-9]m"}[1h])) / sum(rate(calls_total[5m] offset 1d))
      - alert: Slow
        expr: avg_over_time(calls:rate1h[1d:10m]) > 172800
        for: 30m
        keep_firing_for: 1h
        annotations: {summary: for 30m}
"""


def parts(text):
    groups = yaml.safe_load(text)["groups"]
    return [(group, rule) for group in groups for rule in group["rules"]]


def bare(text):
    """Return rules without their durations."""
    return [
        {
            key: fast_motion.IN_EXPRESSION.sub("", value) if key == "expr" else value
            for key, value in rule.items()
            if key not in fast_motion.RULE_KEYS
        }
        for _, rule in parts(text)
    ]


def spans(text):
    """Return the durations of rules, in seconds."""
    return [
        fast_motion.seconds(span)
        for _, rule in parts(text)
        for span in (
            *(rule[key] for key in fast_motion.RULE_KEYS if key in rule),
            *fast_motion.IN_EXPRESSION.findall(rule["expr"]),
        )
    ]


def test_divides_waits_ranges_and_offsets():
    """Every duration of a rule shrinks; label matchers, plain numbers and texts stay."""
    (group, record), (_, alert) = parts(fast_motion.rules(RULES, 360))
    assert group["interval"] == "1s"
    assert record["expr"] == (
        'sum(rate(calls_total{path=~"[0-9]m"}[10s])) / sum(rate(calls_total[5s] offset 240s))'
    )
    assert alert["for"] == "5s"
    assert alert["keep_firing_for"] == "10s"
    assert alert["expr"] == "avg_over_time(calls:rate1h[240s:5s]) > 172800"
    assert alert["annotations"] == {"summary": "for 30m"}


@pytest.mark.parametrize("name", RULE_FILES)
def test_only_durations_differ(name):
    """Without its durations a rule in fast motion is the shipped one."""
    shipped = render(RULE_FILES[name])
    for before, after in zip(bare(shipped), bare(fast_motion.rules(shipped, 360)), strict=True):
        assert before == after


@pytest.mark.parametrize("name", RULE_FILES)
def test_factor_one_changes_no_duration(name):
    """At normal speed the shipped rules wait, and look back, as long as they did."""
    shipped = render(RULE_FILES[name])
    assert spans(shipped) == spans(fast_motion.rules(shipped, 1))
    assert spans(shipped)


def test_routes_at_every_depth():
    """Grouping times shrink wherever they stand; nothing else does."""
    config = {
        "route": {
            "group_wait": "30s",
            "repeat_interval": "12h",
            "routes": [{"receiver": "a", "group_interval": "1h"}],
        }
    }
    assert fast_motion.routes(config, 360) == {
        "route": {
            "group_wait": "1s",
            "repeat_interval": "120s",
            "routes": [{"receiver": "a", "group_interval": "10s"}],
        }
    }


@pytest.mark.parametrize(
    ("text", "expected"), [("1h30m", 5400), ("2d", 172800), ("500ms", 0.5), ("1w", 604800)]
)
def test_seconds(text, expected):
    """Durations are read as Prometheus reads them."""
    assert fast_motion.seconds(text) == expected
