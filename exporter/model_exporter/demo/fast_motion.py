"""Rules and routes with their durations divided, and nothing else changed.

The shipped rules wait for minutes and look back for hours. A story of a minute and a half can only
show them if their clocks run faster, as the clock of its data does.
"""

import re
from typing import Any

import yaml

HOUR = 3600.0
UNITS = {
    "y": 365 * 24 * HOUR, "w": 7 * 24 * HOUR, "d": 24 * HOUR, "h": HOUR, "m": 60.0, "s": 1.0,
    "ms": 0.001,
}  # fmt: skip
DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
IN_EXPRESSION = re.compile(
    rf"(?<=\[){DURATION}(?=[\]:])|(?<=offset ){DURATION}|(?<=:){DURATION}(?=\])"
)
RULE_KEYS = ("for", "keep_firing_for")
ROUTE_KEYS = ("group_wait", "group_interval", "repeat_interval", "resolve_timeout")
SHORTEST_RANGE = 5.0
"""A rate needs two samples, and one of the scrapes a second may be late."""
SHORTEST_INTERVAL = 1.0


def seconds(duration: str) -> float:
    """Return the seconds of a Prometheus duration such as ``1h30m``."""
    parts = re.findall(r"(\d+)(ms|[smhdwy])", duration)
    return float(sum(int(count) * UNITS[unit] for count, unit in parts))


def divided(duration: str, factor: float, *, least: float = 0.0) -> str:
    """Return a duration divided by `factor`, to the millisecond, and no shorter than `least`.

    Examples
    --------
    >>> divided("30m", 360), divided("5m", 360), divided("5m", 360, least=5)
    ('5s', '833ms', '5s')
    """
    milliseconds = max(round(seconds(duration) / factor * 1000), round(least * 1000))
    whole, rest = divmod(milliseconds, 1000)
    return f"{milliseconds}ms" if rest else f"{whole}s"


def rules(text: str, factor: float) -> str:
    """Return a rule file that waits, and looks back, `factor` times shorter.

    Divided are `for`, `keep_firing_for`, the groups' `interval`, ranges in brackets and offsets.
    Ranges stay long enough for a rate. Ages in plain seconds (``> 172800``) are left alone.
    """
    document = yaml.safe_load(text)
    for group in document["groups"]:
        if "interval" in group:
            group["interval"] = divided(group["interval"], factor, least=SHORTEST_INTERVAL)
        for rule in group["rules"]:
            rule |= {key: divided(rule[key], factor) for key in RULE_KEYS if key in rule}
            rule["expr"] = IN_EXPRESSION.sub(
                lambda found: divided(found[0], factor, least=SHORTEST_RANGE), rule["expr"]
            )
    return str(yaml.safe_dump(document, sort_keys=False, width=1000, allow_unicode=True))


def routes(node: Any, factor: float) -> Any:
    """Return an Alertmanager configuration that groups and repeats `factor` times faster."""
    if isinstance(node, list):
        return [routes(item, factor) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: divided(value, factor, least=SHORTEST_INTERVAL)
        if key in ROUTE_KEYS
        else routes(value, factor)
        for key, value in node.items()
    }
