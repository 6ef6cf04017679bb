"""The table of the demo, live or as plain text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

from model_exporter.bundle.thresholds import PSI_DRIFT, PSI_NOTABLE
from model_exporter.demo.alerts import Alert
from model_exporter.demo.readings import Reading, Score

NOTHING = "–"
COLUMNS = ("model", "pred/s", "p99", "rows", "labelled", "quality", "drift", "alerts")
NUMBERS = ("pred/s", "p99", "rows", "labelled")
WHOLE = ("model", "quality", *NUMBERS)
"""Columns that do not wrap: a narrow terminal folds features and alerts."""
NAMES = {"mae": "MAE", "accuracy": "accuracy"}


def table(
    readings: Iterable[Reading], firing: Sequence[Alert], *, title: str, dates: Mapping[str, str]
) -> Table:
    """Return a row a model; `dates` tells where in its data each of them is."""
    found = Table(title=title, title_justify="left", box=box.HORIZONTALS, show_lines=True)
    for name in COLUMNS:
        justify: Literal["left", "right"] = "right" if name in NUMBERS else "left"
        found.add_column(name, justify=justify, overflow="fold", no_wrap=name in WHOLE)
    for reading in readings:
        found.add_row(*_cells(reading, firing, dates.get(reading.model, "")))
    return found


def _cells(reading: Reading, firing: Sequence[Alert], date: str) -> list[Text | str]:
    own = [alert for alert in firing if alert.model == reading.model]
    return [
        Text.assemble((reading.model, "bold"), (f"\n{date}" if date else "", "dim")),
        _number(reading.per_second, "{:.0f}"),
        latency(reading.p99_seconds),
        f"{reading.rows}",
        _number(reading.labeled_share, "{:.0%}"),
        quality(reading.score),
        drift(reading),
        alerts(own),
    ]


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else form.format(value)


def latency(seconds: float | None) -> str:
    """Return a duration in milliseconds.

    Examples
    --------
    >>> latency(0.00123), latency(0.25), latency(None)
    ('1.2 ms', '250 ms', '–')
    """
    if seconds is None:
        return NOTHING
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"


def _score_value(score: Score, value: float | None) -> str:
    return _number(value, "{:.1f}" if score.key == "mae" else "{:.3f}")


def quality(score: Score) -> Text:
    """Return a score, its 95 % interval, and what it was on the baseline.

    Red where the whole interval is on the bad side of the baseline.
    """
    was = f"{_score_value(score, score.baseline)} at deployment"
    if score.value is None:
        return Text.assemble("no label yet", (f"\n{was}", "dim"))
    bounds = (_score_value(score, bound) for bound in (score.lower, score.upper))
    name = NAMES.get(score.key, score.key)
    value = f"{name} {_score_value(score, score.value)} [{', '.join(bounds)}]"
    return Text.assemble((value, "red" if score.worse else ""), (f"\n{was}", "dim"))


def drift(reading: Reading) -> Text | str:
    """Return the most drifted feature and its PSI, coloured as on the dashboards."""
    if reading.drifted is None or reading.psi is None:
        return NOTHING
    notable = "yellow" if reading.psi > PSI_NOTABLE else "green"
    style = "red" if reading.psi > PSI_DRIFT else notable
    return Text(f"{reading.drifted}\nPSI {reading.psi:.2f}", style=style)


def alerts(firing: Sequence[Alert]) -> Text:
    """Return the names of firing alerts, the critical ones first, each with its number."""
    if not firing:
        return Text("none", style="green")
    counts: dict[tuple[bool, str], int] = {}
    for alert in firing:
        key = (alert.severity != "critical", alert.name)
        counts[key] = counts.get(key, 0) + 1
    return Text("\n").join(
        Text(_times(name, count), style="yellow" if minor else "bold red")
        for (minor, name), count in sorted(counts.items())
    )


def _times(name: str, count: int) -> str:
    short = name.removeprefix("Model").removesuffix("BelowExpectation")
    return short if count == 1 else f"{short} x{count}"
