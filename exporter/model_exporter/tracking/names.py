"""What scores are called in trackers: by their names in `expectations:`, with their bounds."""

import re
from collections.abc import Mapping

from model_exporter.catalogue import ESTIMATES, SCORES
from model_exporter.records import Estimate, Task

LOWER, UPPER = "_lower", "_upper"
USUAL_AVERAGE = {Task.BINARY: "binary", Task.MULTICLASS: "macro"}
"""The average that is meant where precision, recall or F1 are named without one."""
NOT_IN_A_NAME = re.compile(r"[^\w.-]")
"""MLflow and TensorBoard both take the rest; a slash is ours, and groups their charts."""

Quality = Mapping[str, Mapping[tuple[str, ...], Estimate]]
"""Scores by family name and values of the family's extra labels."""

_SHORT: dict[str, tuple[str, str]] = {
    family: (prefix + score.key, bound)
    for prefix, scores in (("", SCORES), ("estimated_", ESTIMATES))
    for score in scores
    for family, bound in ((score.name, ""), (score.lower, LOWER), (score.upper, UPPER))
}
_EXTRA = {score.name: score.extra for score in SCORES}


def metrics(quality: Quality, task: Task) -> dict[str, float]:
    """Return the values of scores, and the bounds that are known, by name.

    Examples
    --------
    >>> found = {("macro",): Estimate(0.5, 0.4, 0.6), ("binary",): Estimate(0.7)}
    >>> metrics({"model_f1_ratio": found}, Task.BINARY)
    {'f1_macro': 0.5, 'f1_macro_lower': 0.4, 'f1_macro_upper': 0.6, 'f1': 0.7}
    """
    named = {}
    for family, estimates in quality.items():
        for extra, estimate in estimates.items():
            average, rest = split(_EXTRA[family], extra)
            bounds = (("", estimate.value), (LOWER, estimate.lower), (UPPER, estimate.upper))
            for bound, value in bounds:
                if value is not None:
                    name = short_name(family, average, task, bound=bound)
                    named["/".join((name, *map(slug, rest)))] = value
    return named


def short_name(
    family: str, average: str | None = None, task: Task | None = None, *, bound: str = ""
) -> str:
    """Return the short name of a family; that of any but the task's usual average says which.

    Examples
    --------
    >>> short_name("model_f1_ratio_lower", "macro", Task.BINARY)
    'f1_macro_lower'
    >>> short_name("model_f1_ratio_lower", "macro", Task.MULTICLASS)
    'f1_lower'
    >>> short_name("model_drift_psi")
    'drift_psi'
    """
    key, own = _SHORT.get(family, (family.removeprefix("model_"), ""))
    usual = average is None or (task is not None and average == USUAL_AVERAGE.get(task))
    return key + ("" if usual else f"_{average}") + (bound or own)


def split(names: tuple[str, ...], values: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the value of the label `average`, and the other values."""
    average = next((v for n, v in zip(names, values, strict=True) if n == "average"), None)
    return average, tuple(v for n, v in zip(names, values, strict=True) if n != "average")


def slug(text: str) -> str:
    """Return a text as part of a name: what cannot stand there as its code, so that texts differ.

    Examples
    --------
    >>> slug("sunny"), slug("C++"), slug("a b"), slug("..")
    ('sunny', 'C_2b_2b', 'a_20b', '_2e_2e')
    """
    if not text.strip("."):  # a name must not look like the directory above
        return "".join(map(_code, text)) or "_"
    return NOT_IN_A_NAME.sub(lambda found: _code(found[0]), text)


def _code(character: str) -> str:
    return f"_{ord(character):02x}"
