"""What a model is judged by: the scores it is expected to have, and when its data have drifted."""

from dataclasses import dataclass

from model_exporter.catalogue import SCORE_BY_KEY
from model_exporter.job.yaml_section import Section


@dataclass(frozen=True, slots=True)
class Expectation:
    """A bound that a score is expected to keep; `bound` is ``min`` or ``max``."""

    score: str
    bound: str
    threshold: float


@dataclass(frozen=True, slots=True)
class DriftConfig:
    """What the drift test takes for drift; its terms are those of `drift.detect`.

    A `design_effect` of None is that of the baseline.
    """

    tolerance: float = 0.01
    false_alarms_per_month: float = 1.0
    minimum_rows: float = 100.0
    design_effect: float | None = None


def read_drift(section: Section) -> DriftConfig:
    """Read `drift`."""
    drift = section.section("drift")
    if drift is None:
        return DriftConfig()
    usual = DriftConfig()
    least = {"tolerance": 0, "false_alarms_per_month": 1e-6, "minimum_rows": 1, "design_effect": 1}
    found = {}
    for key, bound in least.items():
        found[key] = drift.number(key, default=getattr(usual, key) or 1.0)
        if found[key] < bound:
            drift.refuse(f"expected a number of at least {bound}, found {found[key]:g}", key=key)
    drift.finish()
    given = {key: value for key, value in found.items() if key in drift}
    return DriftConfig(**given)


def read_expectations(section: Section) -> tuple[Expectation, ...]:
    """Read `expectations`."""
    expectations = section.section("expectations")
    if expectations is None:
        return ()
    expectations.only(SCORE_BY_KEY)
    found = []
    for score in expectations:
        bounds = expectations.required_section(score, example="{min: 0.9}")
        bounds.only(("min", "max"))
        found += [Expectation(score, bound, bounds.number(bound)) for bound in bounds]
    return tuple(found)
