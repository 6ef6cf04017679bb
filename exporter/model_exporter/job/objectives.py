"""The key `objectives` of a model: thresholds of its own for the shipped alert rules.

They are served as metrics, and the rules read them from there: nobody edits rules for a model.
"""

from dataclasses import dataclass

from prometheus_client.utils import floatToGoString

from model_exporter.job.snapshot import Snapshot
from model_exporter.job.yaml_section import Duration, Section


@dataclass(frozen=True, slots=True)
class LatencyObjective:
    """The share `ratio` of calls takes at most `seconds`, a bucket of the sidecar's histogram."""

    seconds: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Objectives:
    """What is None is left to the rules' own default."""

    availability: float | None = None
    latency: LatencyObjective | None = None
    label_coverage: float | None = None
    label_delay: Duration | None = None
    input_age: Duration | None = None


def read_objectives(section: Section) -> Objectives:
    """Return what a model's section says of its objectives."""
    objectives = section.section("objectives")
    if objectives is None:
        return Objectives()
    found = Objectives(
        availability=_share(objectives, "availability", open_end=True),
        latency=_latency(objectives),
        label_coverage=_share(objectives, "label_coverage"),
        label_delay=objectives.optional_duration("label_delay"),
        input_age=objectives.optional_duration("input_age"),
    )
    objectives.finish()
    return found


def put_objectives(snapshot: Snapshot, name: str, objectives: Objectives) -> None:
    """Serve the objectives of the model `name`."""
    model = (name,)
    if objectives.availability is not None:
        snapshot.put("model_objective_availability_ratio", model, objectives.availability)
    if objectives.latency is not None:
        # Written as the bounds of buckets are, so that rules can match the two.
        labels = (name, floatToGoString(objectives.latency.seconds))  # type: ignore[no-untyped-call]
        snapshot.put("model_objective_latency_ratio", labels, objectives.latency.ratio)
    if objectives.label_coverage is not None:
        snapshot.put("model_objective_label_coverage_ratio", model, objectives.label_coverage)
    if objectives.label_delay is not None:
        seconds = objectives.label_delay.seconds
        snapshot.put("model_objective_label_delay_seconds", model, seconds)
    if objectives.input_age is not None:
        snapshot.put("model_objective_input_age_seconds", model, objectives.input_age.seconds)


def _share(section: Section, key: str, *, open_end: bool = False) -> float | None:
    if section.value(key, default=None) is None:
        return None
    return _checked(section, key, open_end=open_end)


def _checked(section: Section, key: str, *, open_end: bool) -> float:
    value = section.number(key)
    if not 0 < value <= 1:
        section.refuse(f"expected a share above 0 and up to 1, found {value:g}", key=key)
    if open_end and value == 1:
        section.refuse(
            "an objective of 1 leaves no budget that could burn; write for example 0.999", key=key
        )
    return value


def _latency(objectives: Section) -> LatencyObjective | None:
    latency = objectives.section("latency")
    if latency is None:
        return None
    seconds = latency.number("seconds")
    if seconds <= 0:
        latency.refuse(f"expected seconds above 0, found {seconds:g}", key="seconds")
    ratio = _checked(latency, "ratio", open_end=True)
    latency.finish()
    return LatencyObjective(seconds, ratio)
