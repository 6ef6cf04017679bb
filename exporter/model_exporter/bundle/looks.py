"""What panels share beside their shape: colours, line styles, legends, texts for no data."""

from collections.abc import Mapping, Sequence
from typing import Any

from model_exporter.bundle import thresholds
from model_exporter.bundle.grafana import Json

NO_PREDICTIONS = "no predictions yet"
NO_LABELS = "no labels yet"
NO_DRIFT = "no baseline, or no predictions yet"

VERSION_LEGEND = "{{model_name}} {{model_version}}"
FEATURE_LEGEND = "{{model_name}} {{model_version}} {{feature}}"
SUBJECT_LEGEND = "{{model_name}} {{model_version}} {{subject}} {{feature}}"

COLOURED_TEXT = {"custom.cellOptions": {"type": "color-text"}}

VIOLATION = {
    "mappings": [
        {
            "type": "value",
            "options": {
                "0": {"color": "green", "index": 0, "text": "kept"},
                "1": {"color": "red", "index": 1, "text": "violated"},
            },
        }
    ]
}


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


def override(name: str, properties: Mapping[str, Any], *, regexp: bool = False) -> Json:
    """Return field options for the fields of this name."""
    return {
        "matcher": {"id": "byRegexp" if regexp else "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


BOUND_STYLE = override(
    "/ (lower|upper)$/",
    {"custom.lineStyle": {"dash": [2, 6], "fill": "dash"}},
    regexp=True,
)
"""The ends of a confidence interval are dotted: several models share a panel, and filled bands
would hide each other."""

REFERENCE_STYLE = override(
    "/ (baseline|critical|expected (min|max))$/",
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
