"""The kinds of panel that the dashboards use."""

from collections.abc import Sequence
from typing import Any

from model_exporter.bundle.grafana import Json, Panel, Query
from model_exporter.bundle.looks import EMPTY_CELL, WIDE_COLUMNS, steps

LIST_LEGEND = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}
TABLE_LEGEND = {
    "calcs": ["lastNotNull", "max"],
    "displayMode": "table",
    "placement": "right",
    "showLegend": True,
    "sortBy": "Last *",
    "sortDesc": True,
}
LEAST_TOPS = {"percentunit": 0.01, "cps": 0.1, "reqps": 0.1, "short": 1}
"""Where the axis of a unit ends at least: that of lines at 0 would end at 100, which is 10000 %."""
NARROW = 8
"""Panels up to this width have their legend below; wider ones beside the lines, with numbers."""


def timeseries(
    title: str,
    description: str,
    *,
    unit: str,
    queries: Sequence[Query],
    empty: str,
    width: int = 8,
    height: int = 8,
    stacked: str | None = None,
    marks: Json | None = None,
    lowest: float | None = 0,
    top: float | None = None,
    points: int | None = None,
    colour: Json | None = None,
    overrides: Sequence[Json] = (),
) -> Panel:
    """Return lines over time.

    `marks` draws threshold lines, `lowest` and `top` bound the axis softly, `stacked` is Grafana's
    mode of stacking: normal or percent, and `colour` is that of lines without one of their own.
    """
    custom: dict[str, Any] = {
        "drawStyle": "line",
        "fillOpacity": 40 if stacked else 0,
        "lineWidth": 1,
        "showPoints": "auto",
        "spanNulls": False,
    }
    if stacked:
        custom["stacking"] = {"group": "A", "mode": stacked}
    defaults: dict[str, Any] = {"color": colour or {"mode": "palette-classic"}}
    if marks:
        defaults["thresholds"] = marks
        custom["thresholdsStyle"] = {"mode": "dashed"}
    if lowest is not None:
        custom["axisSoftMin"] = lowest
    top = LEAST_TOPS.get(unit) if top is None else top
    if top is not None:
        custom["axisSoftMax"] = top
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        unit=unit,
        queries=queries,
        empty=empty,
        width=width,
        height=height,
        custom=custom,
        defaults=defaults,
        overrides=overrides,
        points=points,
        options={
            "legend": LIST_LEGEND if width <= NARROW else TABLE_LEGEND,
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def stat(
    title: str,
    description: str,
    *,
    unit: str,
    query: Query,
    empty: str,
    width: int = 4,
    marks: Json | None = None,
    mappings: Sequence[Json] = (),
    decimals: int | None = None,
) -> Panel:
    """Return a number, now, with its recent course behind it.

    Of `empty`, what stands before the colon takes the place of the number, and the rest goes to the
    description: a long text would be shrunk until nobody could read it.
    """
    short, _, reason = empty.partition(": ")
    defaults: dict[str, Any] = {
        "color": {"mode": "thresholds"},
        "thresholds": marks or steps(base="text"),
    }
    if mappings:
        defaults["mappings"] = list(mappings)
    if decimals is not None:
        defaults["decimals"] = decimals
    return Panel(
        kind="stat",
        title=title,
        description=f'{description} "{short}": {reason.rstrip("?")}.',
        unit=unit,
        queries=[query],
        empty=short,
        width=width,
        height=4,
        defaults=defaults,
        options={
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value",
        },
    )


def table(
    title: str,
    description: str,
    *,
    unit: str,
    queries: Sequence[Query],
    empty: str,
    width: int = 24,
    height: int = 8,
    sort: str | None = None,
    ascending: bool = False,
    transformations: Sequence[Json] = (),
    overrides: Sequence[Json] = (),
) -> Panel:
    """Return a table of instant queries, greatest `sort` first."""
    options: dict[str, Any] = {
        "cellHeight": "sm",
        "footer": {"countRows": False, "enablePagination": True, "reducer": ["sum"], "show": False},
        "showHeader": True,
    }
    if sort:
        options["sortBy"] = [{"desc": not ascending, "displayName": sort}]
    return Panel(
        kind="table",
        title=title,
        description=description,
        unit=unit,
        queries=queries,
        empty=empty,
        width=width,
        height=height,
        custom={
            "align": "auto",
            "cellOptions": {"type": "auto"},
            "filterable": True,
            "minWidth": 64,
        },
        options=options,
        overrides=[EMPTY_CELL, WIDE_COLUMNS, *overrides],
        transformations=transformations,
        result="table",
        instant=True,
    )
