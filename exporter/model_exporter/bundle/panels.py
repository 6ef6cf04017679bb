"""The kinds of panel that the dashboards use."""

from collections.abc import Sequence
from typing import Any

from model_exporter.bundle.grafana import Json, Panel, Query
from model_exporter.bundle.looks import steps


def timeseries(
    title: str,
    description: str,
    *,
    unit: str,
    queries: Sequence[Query],
    empty: str,
    width: int = 8,
    stacked: bool = False,
    marks: Json | None = None,
    top: float | None = None,
    overrides: Sequence[Json] = (),
) -> Panel:
    """Return lines over time; `marks` draws threshold lines, `top` fixes the axis at 0..top."""
    custom: dict[str, Any] = {
        "drawStyle": "line",
        "fillOpacity": 40 if stacked else 0,
        "lineWidth": 1,
        "showPoints": "auto",
        "spanNulls": False,
    }
    if stacked:
        custom["stacking"] = {"group": "A", "mode": "normal"}
    defaults: dict[str, Any] = {"color": {"mode": "palette-classic"}}
    if marks:
        defaults["thresholds"] = marks
        custom["thresholdsStyle"] = {"mode": "dashed"}
    if top is not None:
        defaults |= {"min": 0, "max": top}
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        unit=unit,
        queries=queries,
        empty=empty,
        width=width,
        custom=custom,
        defaults=defaults,
        overrides=overrides,
        options={
            "legend": {
                "calcs": ["lastNotNull"],
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
            },
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
) -> Panel:
    """Return a number per series, now, with its recent course behind it."""
    return Panel(
        kind="stat",
        title=title,
        description=description,
        unit=unit,
        queries=[query],
        empty=empty,
        width=width,
        height=5,
        defaults={"color": {"mode": "thresholds"}, "thresholds": marks or steps()},
        options={
            "colorMode": "value" if marks else "none",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "auto",
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
    transformations: Sequence[Json] = (),
    overrides: Sequence[Json] = (),
) -> Panel:
    """Return a table of instant queries."""
    return Panel(
        kind="table",
        title=title,
        description=description,
        unit=unit,
        queries=queries,
        empty=empty,
        width=width,
        height=height,
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True},
        options={"cellHeight": "sm", "showHeader": True},
        overrides=overrides,
        transformations=transformations,
    )


def bar_chart(
    title: str,
    description: str,
    *,
    unit: str,
    queries: Sequence[Query],
    empty: str,
    across: str,
    width: int = 12,
    transformations: Sequence[Json] = (),
) -> Panel:
    """Return grouped bars of instant queries; `across` is the field along the x axis."""
    return Panel(
        kind="barchart",
        title=title,
        description=description,
        unit=unit,
        queries=queries,
        empty=empty,
        width=width,
        height=9,
        custom={"fillOpacity": 80, "lineWidth": 1},
        options={
            "barWidth": 0.9,
            "groupWidth": 0.8,
            "legend": {
                "calcs": [],
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": True,
            },
            "orientation": "auto",
            "showValue": "never",
            "stacking": "none",
            "tooltip": {"mode": "multi", "sort": "none"},
            "xField": across,
            "xTickLabelRotation": -30,
        },
        transformations=transformations,
    )
