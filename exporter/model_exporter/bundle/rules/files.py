"""The rule files, by name under alerting/rules/."""

from model_exporter.bundle.rules import drift, fleet, monitoring, quality, recording, serving
from model_exporter.bundle.rules.rule import Group

RULE_FILES: dict[str, tuple[Group, ...]] = {
    "model-recording.yml": (*recording.GROUPS, *fleet.GROUPS),
    "model-alerts.yml": (
        *serving.GROUPS,
        *drift.GROUPS,
        *quality.GROUPS,
        *monitoring.GROUPS,
    ),
}
