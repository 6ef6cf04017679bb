"""The metric table of the README, between its two markers."""

from collections.abc import Iterable

from model_exporter.catalogue import (
    ESTIMATES,
    JOB_FAMILIES,
    MEASURES,
    MODEL,
    SCORES,
    SIDECAR_FAMILIES,
    Family,
)

BEGIN = "<!-- metrics:begin -->"
END = "<!-- metrics:end -->"


def render() -> str:
    """Return the block, markers included."""
    parts = (
        BEGIN,
        f"Most carry {_labels(MODEL)}: the tables name the labels beyond these two, and all labels"
        " of the few that lack one of them.",
        "**From the model's process**",
        _table(SIDECAR_FAMILIES),
        "**From the exporter job**",
        _table(JOB_FAMILIES),
        "**Scores, from the exporter job**: labels `window`, `segment`, `segment_value` (empty for"
        " the whole) and those named. Each `X` comes with `X_lower` and `X_upper`, its 95 %"
        " confidence interval, and with its value on the baseline's rows.",
        _scores(),
        "**Estimates**, before labels come: over all predictions of the window, with the labels of"
        " the score. Each `X` comes with `X_lower` and `X_upper`, a band that holds 95 % of what"
        " the labels will give.",
        ", ".join(f"`{estimated.name}`" for estimated in ESTIMATES) + ".",
        "**Measures, from the exporter job**, most where the configuration asks for them. Each `X`"
        " comes with `X_lower` and `X_upper`.",
        _measures(),
        END,
    )
    return "\n\n".join(parts)


def replaced(readme: str) -> str | None:
    """Return the README with a fresh block, or None where it has no pair of markers."""
    begin, end = readme.find(BEGIN), readme.find(END)
    if begin < 0 or end < begin:
        return None
    return readme[:begin] + render() + readme[end + len(END) :]


def _table(families: Iterable[Family]) -> str:
    rows = (
        f"| `{family.name}` | {family.kind} | {_further(family.labels)} | {family.help} |"
        for family in families
    )
    return "\n".join(("| metric | type | labels | |", "| --- | --- | --- | --- |", *rows))


def _scores() -> str:
    rows = (
        f"| `{score.name}` | {_labels(score.extra)} | {score.help} | `{score.baseline}` |"
        for score in SCORES
    )
    return "\n".join(("| metric | labels | | baseline |", "| --- | --- | --- | --- |", *rows))


def _measures() -> str:
    rows = (
        f"| `{measure.name}` | {_further(measure.labels)} | {measure.help} |"
        for measure in MEASURES
    )
    return "\n".join(("| metric | labels | |", "| --- | --- | --- |", *rows))


def _further(labels: tuple[str, ...]) -> str:
    if not set(MODEL) <= set(labels):
        return _labels(labels) or "none"
    return _labels(tuple(label for label in labels if label not in MODEL))


def _labels(labels: tuple[str, ...]) -> str:
    return ", ".join(f"`{label}`" for label in labels)
