"""The keys `comparison` and `shadow` of a model: which versions are held against which."""

from dataclasses import dataclass

from model_exporter.job.yaml_section import Section


@dataclass(frozen=True, slots=True)
class ComparisonConfig:
    """Champion and challengers; empty where they follow from the predictions."""

    champion: str = ""
    challengers: tuple[str, ...] = ()


def read_shadow(section: Section) -> bool:
    """Return whether several versions of a model predict the same ids."""
    value = section.value("shadow", default=False, expected="true or false")
    if not isinstance(value, bool):
        section.refuse(f"expected true or false, found {value!r}", key="shadow")
    return value


def read_comparison(section: Section) -> ComparisonConfig | None:
    """Return what versions to compare; None where none are."""
    comparison = section.section("comparison")
    if comparison is None:
        return ComparisonConfig() if read_shadow(section) else None
    found = ComparisonConfig(
        champion=comparison.text("champion", default="", expected="a version"),
        challengers=comparison.texts("challengers"),
    )
    if found.champion in found.challengers:
        comparison.refuse(
            f"{found.champion!r} is the champion; leave it out of the challengers",
            key="challengers",
        )
    comparison.finish()
    return found
