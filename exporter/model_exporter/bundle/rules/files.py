"""The rule files, by name under alerting/rules/."""

from model_exporter.bundle.rules import (
    burn,
    data,
    drift,
    fleet,
    labels,
    monitoring,
    quality,
    recording,
    serving,
    slo,
    verdicts,
)
from model_exporter.bundle.rules.objectives import Objectives
from model_exporter.bundle.rules.rule import Group

DEFAULT = Objectives()


def rule_files(objectives: Objectives = DEFAULT) -> dict[str, tuple[Group, ...]]:
    """Return the groups of each file; `objectives` are those of models that name none."""
    return {
        "model-recording.yml": (*recording.GROUPS, *fleet.GROUPS),
        "model-slo.yml": slo.groups(objectives),
        "model-verdicts.yml": verdicts.GROUPS,
        "model-alerts.yml": (
            *serving.GROUPS,
            *burn.GROUPS,
            *data.GROUPS,
            *drift.GROUPS,
            *quality.GROUPS,
            *labels.GROUPS,
            *monitoring.GROUPS,
        ),
    }


RULE_FILES = rule_files()
