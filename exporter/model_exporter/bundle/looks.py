"""What panels share beside their shape: colours, line styles, legends, texts for no data."""

from collections.abc import Mapping, Sequence
from typing import Any

from model_exporter.bundle import thresholds
from model_exporter.bundle.grafana import Json

# What stands before the colon fits a number's panel; the whole stands where there is room.
NO_PREDICTIONS = "No predictions yet: is the model scraped, and used?"
NO_JOB = "No exporter job: run `model-exporter serve` with this model in exporter.yml"
NO_LABELS = "No labels yet: scores come with the first ones (`labels` in exporter.yml)"
NO_DRIFT = "No baseline: name one in exporter.yml; or there are no predictions in this window yet"
NOT_TESTED = "Not tested: no baseline in exporter.yml, or too few rows for the drift test"
NO_BINS = "No baseline: ModelMonitor(..., baseline=...) makes the model server count by its bins"
NO_EXPECTATIONS = (
    "No expectations: name bounds as `expectations` in exporter.yml; they wait for labels"
)
NO_RULES = "No rules: Prometheus does not load the recording rules of alerting/rules"
NO_TARGETS = "No targets: Prometheus has no scrape configuration for them"
NOTHING_WRONG = "None so far: nothing of the kind was ever counted"

VERSION_LEGEND = "{{model_name}} {{model_version}}"
FEATURE_LEGEND = "{{feature}}"

COLOURED_TEXT = {"custom.cellOptions": {"type": "color-text"}}
COLOURED_CELL = {"custom.cellOptions": {"type": "color-background", "mode": "basic"}}


def states(*texts: tuple[str, str]) -> Json:
    """Return a mapping of 0, 1, 2, ... to (text, colour)."""
    return {
        "type": "value",
        "options": {
            str(number): {"color": colour, "index": number, "text": text}
            for number, (text, colour) in enumerate(texts)
        },
    }


VIOLATED = states(("kept", "green"), ("violated", "red"))
DRIFTED = states(("no drift", "green"), ("drift", "red"))
WORSE = states(("not worse", "green"), ("worse", "red"))
UP = states(("down", "red"), ("up", "green"))
SUCCESSFUL = states(("failed", "red"), ("ok", "green"))
FIRING = states(("OK", "green"), ("info", "blue"), ("warning", "orange"), ("critical", "red"))


def steps(*marks: tuple[float, str], base: str = "green") -> Json:
    """Return threshold steps: `base` below the first mark, then each colour from its mark on."""
    return {
        "mode": "absolute",
        "steps": [
            {"color": base, "value": None},
            *({"color": colour, "value": value} for value, colour in marks),
        ],
    }


PSI_STEPS = steps((thresholds.PSI_NOTABLE, "yellow"), (thresholds.PSI_DRIFT, "red"))
PSI_HELP = (
    f" {thresholds.PSI_NOTABLE} is worth a look, {thresholds.PSI_DRIFT} is drift; on fewer than"
    f" {thresholds.DRIFT_ROWS} rows it is mostly noise."
)
CRITICAL_STEPS = steps((1, "red"))
CRITICAL_HELP = (
    " PSI over its critical value: from 1 on it is more than chance and tolerance, whatever the"
    " number of rows."
)
ANY = steps((1, "red"))
BELOW_ZERO = steps((0, "green"), base="red")


def override(name: str, properties: Mapping[str, Any], *, regexp: bool = False) -> Json:
    """Return field options for the fields of this name."""
    return {
        "matcher": {"id": "byRegexp" if regexp else "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


EMPTY_CELL = override("/.*/", {"noValue": "–"}, regexp=True)
"""Else a cell without a value shows why the whole table could be empty."""
WIDE_COLUMNS = override(
    "/^(Feature|Measure|Model|Score|Segment)$/", {"custom.minWidth": 130}, regexp=True
)
"""Columns of names; the others hold numbers."""


def fixed(colour: str) -> Json:
    """Return the colour of a field that does not depend on its place."""
    return {"fixedColor": colour, "mode": "fixed"}


SINGLE = fixed("blue")
_UNSEEN = {"legend": True, "tooltip": False, "viz": False}

BAND = (
    override("lower", {"custom.lineWidth": 0, "custom.hideFrom": _UNSEEN}),
    override(
        "upper",
        {
            "custom.fillBelowTo": "lower",
            "custom.fillOpacity": 20,
            "custom.hideFrom": _UNSEEN,
            "custom.lineWidth": 0,
        },
    ),
)
"""The 95 % confidence interval of a single line."""

BOUND_STYLE = override(
    "/ (lower|upper)$/",
    {"custom.lineStyle": {"dash": [2, 6], "fill": "dash"}},
    regexp=True,
)
"""The ends of an interval are dotted where lines share a panel: bands would hide each other."""

REFERENCE_COLOURS = (
    override("/^(baseline|perfect)$/", {"color": fixed("text")}, regexp=True),
    override("/^expected /", {"color": fixed("red")}, regexp=True),
    override("labelled so far", {"color": fixed("orange")}),
)
"""What a single line is held against; the line and its band are blue."""

REFERENCE_STYLE = override(
    "/^(.* )?(baseline|critical|expected (min|max)|perfect)$/",
    {"custom.lineStyle": {"dash": [12, 6], "fill": "dash"}},
    regexp=True,
)
"""What a score or a drift is held against is dashed."""


def merged(*, rename: Mapping[str, str], hide: Sequence[str] = ()) -> list[Json]:
    """Return the transformations that make one row of what several queries say of one thing.

    `rename` also gives the order of the columns.
    """
    return [{"id": "merge", "options": {}}, organized(rename=rename, hide=hide)]


def organized(*, rename: Mapping[str, str], hide: Sequence[str] = ()) -> Json:
    """Return the transformation that names, orders and hides columns."""
    return {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(("Time", *hide), True),
            "indexByName": {name: place for place, name in enumerate(rename)},
            "renameByName": dict(rename),
        },
    }


def joined(
    field: str, *, rename: Mapping[str, str], sort: str, hide: Sequence[str] = ()
) -> list[Json]:
    """Return the transformations that put several queries side by side, in the order of `sort`."""
    return [
        {"id": "joinByField", "options": {"byField": field, "mode": "outer"}},
        *ordered(rename=rename, sort=sort, hide=hide),
    ]


def ordered(*, rename: Mapping[str, str], sort: str, hide: Sequence[str] = ()) -> list[Json]:
    """Return the transformations that put rows in the order of a field, as a number.

    A bin is text, and as text 10 stands before 9.
    """
    number = {"destinationType": "number", "targetField": sort}
    times = [f"Time {place}" for place in range(1, 6)]
    return [
        {"id": "convertFieldType", "options": {"conversions": [number], "fields": {}}},
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"desc": False, "field": sort}]}},
        organized(rename=rename, hide=[*times, *hide, *([] if sort in rename else [sort])]),
    ]


def linked(links: Sequence[Json]) -> Json:
    """Return the field options that let every series lead somewhere."""
    return override("/.*/", {"links": list(links)}, regexp=True)
