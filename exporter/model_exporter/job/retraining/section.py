"""The section `retraining` of a model, and `alerts` of the whole: who may send, what may follow."""

from dataclasses import dataclass
from pathlib import Path

from model_exporter.job.retraining.decision import Rules
from model_exporter.job.retraining.presets import read_request
from model_exporter.job.retraining.template import RequestTemplate
from model_exporter.job.yaml_section import Section

MOST_A_DAY = 100
"""What asks for more retrainings than this is a mistake."""


@dataclass(frozen=True, slots=True)
class RetrainingConfig:
    """When a model is retrained, and what is called then; `place` is for messages."""

    rules: Rules
    request: RequestTemplate
    place: str


def read_retraining(section: Section, *, labels: bool) -> RetrainingConfig | None:
    """Take the section `retraining` of a model, which has a source of `labels` or none."""
    retraining = section.section("retraining")
    if retraining is None:
        return None
    alerts = retraining.texts("alerts")
    if not alerts:
        retraining.refuse(
            "name the alerts that start it, for example: alerts: [ModelQualityBelowExpectation]",
            key="alerts",
        )
    rules = Rules(
        alerts=alerts,
        cooldown=retraining.duration("cooldown", default="1d", positive=False),
        daily_maximum=_whole(retraining, "daily_maximum", 1, least=1, most=MOST_A_DAY),
        minimum_new_labels=_whole(retraining, "minimum_new_labels", 0, least=0, most=10**12),
        dry_run=retraining.flag("dry_run", default=False),
    )
    if rules.minimum_new_labels and not labels:
        retraining.refuse("the model has no `labels` to count", key="minimum_new_labels")
    example = "request: {type: github, repository: acme/churn, event: retrain, token_file: token}"
    request = read_request(retraining.required_section("request", example=example))
    retraining.finish()
    place = f"{retraining.path}:{retraining.line}: {retraining.key}"
    return RetrainingConfig(rules, request, place)


def read_alerts(root: Section, retraining: list[RetrainingConfig]) -> Path | None:
    """Take the section `alerts`: the file of the token that Alertmanager sends."""
    alerts = root.section("alerts")
    if alerts is None and retraining:
        root.refuse(
            "a model has `retraining`, and nobody may send alerts; add, for example: "
            "alerts: {token_file: webhook-token}"
        )
    if alerts is None:
        return None
    file = alerts.text("token_file", expected="the path of a file with the token of Alertmanager")
    alerts.finish()
    return root.path.parent / Path(file).expanduser()


def _whole(section: Section, key: str, default: int, *, least: int, most: int) -> int:
    value = section.number(key, default=default)
    if not least <= value == int(value) <= most:
        section.refuse(f"expected a whole number from {least} to {most}, found {value:g}", key=key)
    return int(value)
