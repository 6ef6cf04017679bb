"""What a window is told of in TensorBoard: one scalar for each of its series."""

from collections.abc import Mapping
from typing import NamedTuple

from model_exporter.catalogue import BY_NAME, Kind
from model_exporter.records import Task
from model_exporter.tracking.names import short_name, slug, split

MODEL_AND_WINDOW = ("model_name", "model_version", "window")


class Point(NamedTuple):
    """A scalar at an instant (microseconds), in the run of a model version."""

    run: str
    tag: str
    value: float
    at: int


def point(
    family: str, labels: tuple[str, ...], value: float, *, at: int, tasks: Mapping[str, Task]
) -> Point | None:
    """Return a sample as a scalar; None if it is not of a window, or is of a bin.

    The tag is the score, then the window, then the segment and what else there is: TensorBoard
    draws the windows of a score side by side, and a line for each version.

    Parameters
    ----------
    labels
        Values, in the order of the family's labels.
    tasks
        By model name: which average a bare name means.

    Examples
    --------
    >>> labels = ("churn", "3", "7d", "country", "DE", "macro")
    >>> point("model_f1_ratio_lower", labels, 0.9, at=0, tasks={"churn": Task.BINARY})
    Point(run='churn/3', tag='f1_macro_lower/7d/country/DE', value=0.9, at=0)
    """
    known = BY_NAME[family]
    if known.labels[:3] != MODEL_AND_WINDOW or known.kind is not Kind.GAUGE:
        return None
    if "bin" in known.labels:  # a histogram in parts: hundreds of scalars that nobody reads
        return None
    name, version, window = labels[:3]
    average, rest = split(known.labels[3:], labels[3:])
    score = short_name(family, average, tasks.get(name))
    parts = (window, *(part for part in rest if part))
    return Point(
        run=f"{slug(name)}/{slug(version)}",
        tag="/".join((score, *map(slug, parts))),
        value=value,
        at=at,
    )
