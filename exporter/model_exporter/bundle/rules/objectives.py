"""Service level objectives for models whose configuration names none: `bundle write --slo ...`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from model_exporter.bundle import thresholds

FORM = re.compile(
    r"availability=(?P<availability>[\d.]+)|latency=(?P<seconds>[\d.]+)s:(?P<share>[\d.]+)"
)
EXAMPLE = "write for example availability=99.9 or latency=0.25s:99"


@dataclass(frozen=True, slots=True)
class Latency:
    """The share `ratio` of calls takes at most `le` seconds, a bucket of the sidecar."""

    le: str
    ratio: float


@dataclass(frozen=True, slots=True)
class Objectives:
    """What rules hold a model to that has no objective of its own."""

    availability: float = thresholds.AVAILABILITY
    latency: Latency | None = None


def parse(texts: Iterable[str]) -> Objectives:
    """Return the objectives of `--slo` flags; of several of a kind the last counts.

    Raises
    ------
    ValueError
        If one is of no known form, or no percentage between 0 and 100.

    Examples
    --------
    >>> parse(["availability=99.9", "latency=0.25s:99"])
    Objectives(availability=0.999, latency=Latency(le='0.25', ratio=0.99))
    """
    found = Objectives()
    for text in texts:
        form = FORM.fullmatch(text)
        if form is None:
            raise ValueError(f"--slo {text}: expected an objective; {EXAMPLE}")
        if form["availability"]:
            found = replace(found, availability=_share(text, form["availability"]))
        else:
            bound = str(_number(text, form["seconds"]))  # as the sidecar writes its buckets
            found = replace(found, latency=Latency(bound, _share(text, form["share"])))
    return found


def _share(flag: str, text: str) -> float:
    percent = _number(flag, text)
    if not 0 < percent < 100:
        raise ValueError(
            f"--slo {flag}: expected a percentage between 0 and 100, found {text}; {EXAMPLE}"
        )
    return float(round(percent / 100, 9))


def _number(flag: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--slo {flag}: expected a number, found {text!r}; {EXAMPLE}") from None
