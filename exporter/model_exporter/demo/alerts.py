"""Which alerts fire: asked from Prometheus, or judged here by the same thresholds without it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from model_exporter.bundle.rules.files import RULE_FILES
from model_exporter.bundle.rules.rule import Alert as Rule
from model_exporter.demo.fast_motion import seconds
from model_exporter.demo.processes import fetch
from model_exporter.demo.readings import Exposition, Labels
from model_exporter.records import ALL_VERSIONS

RULES = {
    rule.name: rule
    for groups in RULE_FILES.values()
    for group in groups
    for rule in group.rules
    if isinstance(rule, Rule)
}

NAMED = 4
"""Features or scores that a line names."""


@dataclass(frozen=True, slots=True, order=True)
class Alert:
    """A firing alert; `about` says what of the model, such as a feature or a score."""

    model: str
    name: str
    about: str
    severity: str


def about(alerts: Iterable[Alert]) -> str:
    """Return what some alerts are about, the first few of it."""
    names = sorted({alert.about for alert in alerts if alert.about})
    rest = [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return ", ".join(names[:NAMED] + rest)


@dataclass(slots=True)
class History:
    """When each alert fired for the first time, in seconds of the story."""

    first: dict[Alert, float] = field(default_factory=dict)

    def note(self, firing: Iterable[Alert], *, elapsed: float) -> list[Alert]:
        """Take over what fires now, and return what had not fired before."""
        new = [alert for alert in sorted(firing) if alert not in self.first]
        self.first |= dict.fromkeys(new, elapsed)
        return new

    def by_rule(self) -> dict[tuple[str, str], list[Alert]]:
        """Return all that fired, by rule and model, in the order in which these first did."""
        found: dict[tuple[str, str], list[Alert]] = {}
        for alert in sorted(self.first, key=lambda alert: self.first[alert]):
            found.setdefault((alert.name, alert.model), []).append(alert)
        return found


def asked(url: str) -> Callable[[Exposition, float], list[Alert]]:
    """Return a function that asks the Prometheus at `url`."""

    def firing(_: Exposition, __: float) -> list[Alert]:
        alerts = json.loads(fetch(f"{url}/api/v1/alerts"))["data"]["alerts"]
        return [
            _alert(alert["labels"]["alertname"], alert["labels"])
            for alert in alerts
            # The heartbeat fires by design.
            if alert["state"] == "firing" and alert["labels"]["severity"] != "none"
        ]

    return firing


class Judge:
    """Judges the metrics of the job as the shipped rules do, waiting as they wait.

    Of the rules it knows those about quality and drift; the others need a Prometheus.
    """

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._since: dict[Alert, float] = {}

    def __call__(self, job: Exposition, elapsed: float) -> list[Alert]:
        """Return the alerts whose condition has held for as long as their rule demands."""
        holding = {_alert(name, labels) for name, labels in conditions(job)}
        self._since = {alert: self._since.get(alert, elapsed) for alert in holding}
        return [
            alert for alert, since in self._since.items() if elapsed - since >= self._wait(alert)
        ]

    def _wait(self, alert: Alert) -> float:
        return seconds(RULES[alert.name].wait) / self._factor


def conditions(job: Exposition) -> list[tuple[str, Labels]]:
    """Return rule name and labels wherever the condition of a rule holds."""
    found = []
    for labels, violated in job.series("model_expectation_violated"):
        if violated and labels["model_version"] != ALL_VERSIONS:
            kind = "Segment" if labels["segment"] else ""
            found.append((f"Model{kind}QualityBelowExpectation", labels))
    for labels, detected in job.series("model_drift_detected"):
        if not detected or labels["model_version"] == ALL_VERSIONS:
            continue
        if labels["subject"] == "feature":
            found.append(("ModelFeatureDrift", labels))
        elif labels["subject"] in ("prediction", "score"):
            found.append(("ModelPredictionDrift", labels))
    return found


def _alert(name: str, labels: Labels) -> Alert:
    parts = [labels.get(key, "") for key in ("score", "segment", "segment_value", "feature")]
    if not any(parts) and name in ("ModelPredictionDrift", "ModelSidecarDrift"):
        parts = [labels.get("subject", "")]
    about = " ".join(part for part in parts if part)
    severity = labels.get("severity") or RULES[name].severity
    return Alert(labels.get("model_name", ""), name, about, severity)
