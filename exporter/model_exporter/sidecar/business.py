"""What the business counts, by model version: revenue, chargebacks, claims avoided."""

import math
from collections.abc import Iterable
from typing import Any

from model_exporter.sidecar.faults import Stage, TelemetryError
from model_exporter.sidecar.labels import Names
from model_exporter.sidecar.recorder import Recorder
from model_exporter.sidecar.sections import Floats


def record(recorder: Recorder, measure: str, amount: float) -> None:
    """Leave an amount to the fold; one that no counter can take is an internal error."""
    try:
        recorder.amount(_text(measure), _amount(measure, amount))
    except TelemetryError as error:
        recorder.faults.error(Stage.BUSINESS, error)


def _text(measure: Any) -> str:
    if isinstance(measure, str) and measure:
        return measure
    raise TelemetryError(
        f"business(): expected the name of a measure as a text that is not empty, "
        f'such as "revenue_eur", got a {type(measure).__name__}'
    )


def _amount(measure: str, amount: Any) -> float:
    try:
        value = float(amount)
    except Exception:  # a method of the user's
        value = math.nan
    if 0 <= value < math.inf:
        return value
    raise TelemetryError(
        f"business({measure!r}): expected an amount of 0 or more, got {_described(value, amount)}; "
        "counters only rise: count what is lost as a measure of its own"
    )


def _described(value: float, amount: Any) -> str:
    return f"a {type(amount).__name__}" if math.isnan(value) else "a negative or infinite one"


def count(flat: Iterable[Any], names: Names, counts: Floats) -> None:
    """Add recorded amounts, alternately measure and amount, to the counts of the measures."""
    pairs = iter(flat)
    for measure, amount in zip(pairs, pairs, strict=True):
        counts[names.slot(measure)] += amount
