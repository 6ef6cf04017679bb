"""The table of the demo, live or as plain text."""

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from model_exporter.bundle.thresholds import PSI_DRIFT, PSI_NOTABLE
from model_exporter.demo.alerts import Alert
from model_exporter.demo.readings import Reading, Score

NOTHING = "–"
COLUMNS = (
    "model\ndata of",
    "pred/s\np99",
    "rows\nlabelled",
    "quality\n95 % interval\nat deployment",
    "top drift\nPSI",
    "alerts",
)
FOLDED = "top drift\nPSI"
"""The column that gives way in a narrow terminal: names of features can be long."""
NAMES = {"mae": "MAE", "accuracy": "accuracy"}


def table(
    readings: Iterable[Reading], firing: Sequence[Alert], *, title: str, dates: Mapping[str, str]
) -> Table:
    """Return a row a model; `dates` tells where in its data each of them is."""
    found = Table(
        title=title, title_justify="left", box=box.SIMPLE, show_lines=True, padding=(0, 1, 0, 0)
    )
    for name in COLUMNS:
        found.add_column(name, overflow="fold", no_wrap=name != FOLDED)
    for reading in readings:
        found.add_row(*_cells(reading, firing, dates.get(reading.model, "")))
    return found


def _cells(reading: Reading, firing: Sequence[Alert], date: str) -> list[Text]:
    own = [alert for alert in firing if alert.model == reading.model]
    return [
        Text.assemble((reading.model, "bold"), (f"\n{date}", "dim")),
        Text(f"{_number(reading.per_second, '{:.0f}/s')}\n{latency(reading.p99_seconds)}"),
        Text(f"{reading.rows}\n{_number(reading.labeled_share, '{:.0%}')}"),
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
    """Return a score, its interval, and what it was on the baseline, a line each.

    Red where the whole interval is on the bad side of the baseline.
    """
    was = (f"\n{_score_value(score, score.baseline)}", "dim")
    if score.value is None:
        return Text.assemble("no label yet", was)
    bounds = ", ".join(_score_value(score, bound) for bound in (score.lower, score.upper))
    name = NAMES.get(score.key, score.key)
    value = f"{name} {_score_value(score, score.value)}\n[{bounds}]"
    return Text.assemble((value, "red" if score.worse else ""), was)


def drift(reading: Reading) -> Text:
    """Return the most drifted feature and its PSI, coloured as on the dashboards."""
    if reading.drifted is None or reading.psi is None:
        return Text(NOTHING)
    notable = "yellow" if reading.psi > PSI_NOTABLE else "green"
    style = "red" if reading.psi > PSI_DRIFT else notable
    return Text.assemble(reading.drifted, (f"\n{reading.psi:.2f}", style))


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
