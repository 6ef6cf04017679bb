"""The kinds of panel that are not lines, numbers or tables: bars, curves, heatmaps, states."""

from collections.abc import Sequence
from typing import Any

from model_exporter.bundle.grafana import Json, Panel, Query
from model_exporter.bundle.looks import SINGLE, steps
from model_exporter.bundle.panels import LIST_LEGEND


def bar_chart(
    title: str,
    description: str,
    *,
    unit: str,
    queries: Sequence[Query],
    empty: str,
    across: str,
    width: int = 12,
    height: int = 9,
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
        height=height,
        custom={"fillOpacity": 80, "lineWidth": 1},
        options={
            "barWidth": 0.9,
            "groupWidth": 0.8,
            "legend": LIST_LEGEND,
            "orientation": "auto",
            "showValue": "never",
            "stacking": "none",
            "tooltip": {"mode": "multi", "sort": "none"},
            "xField": across,
            "xTickLabelRotation": -30,
        },
        transformations=transformations,
        result="table",
        instant=True,
    )


def curve(
    title: str,
    description: str,
    *,
    unit: str,
    queries: Sequence[Query],
    empty: str,
    along: str,
    width: int = 8,
    transformations: Sequence[Json] = (),
    overrides: Sequence[Json] = (),
) -> Panel:
    """Return lines of instant queries over a number, the field `along`, in its order."""
    return Panel(
        kind="trend",
        title=title,
        description=description,
        unit=unit,
        queries=queries,
        empty=empty,
        width=width,
        height=9,
        defaults={"color": SINGLE, "max": 1, "min": 0},
        custom={"drawStyle": "line", "lineWidth": 2, "showPoints": "always"},
        options={
            "legend": LIST_LEGEND,
            "tooltip": {"mode": "multi", "sort": "none"},
            "xField": along,
        },
        transformations=transformations,
        overrides=overrides,
        result="table",
        instant=True,
    )


def bar_gauge(
    title: str,
    description: str,
    *,
    unit: str,
    query: Query,
    empty: str,
    width: int = 8,
    height: int = 8,
    marks: Json | None = None,
) -> Panel:
    """Return a horizontal bar for each series, now."""
    return Panel(
        kind="bargauge",
        title=title,
        description=description,
        unit=unit,
        queries=[query],
        empty=empty,
        width=width,
        height=height,
        defaults={"color": {"mode": "thresholds"}, "min": 0, "thresholds": marks or steps()},
        options={
            "displayMode": "basic",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
            "valueMode": "color",
        },
        instant=True,
    )


def state_timeline(
    title: str,
    description: str,
    *,
    queries: Sequence[Query],
    states: Json,
    empty: str,
    width: int = 24,
    height: int = 8,
    overrides: Sequence[Json] = (),
) -> Panel:
    """Return a bar over time for each series, in the colours and words of `states`."""
    defaults: dict[str, Any] = {
        "color": {"mode": "thresholds"},
        "mappings": [states],
        "thresholds": steps(),
    }
    return Panel(
        kind="state-timeline",
        title=title,
        description=description,
        unit="none",
        queries=queries,
        empty=empty,
        width=width,
        height=height,
        custom={"fillOpacity": 80, "lineWidth": 0},
        defaults=defaults,
        overrides=overrides,
        options={
            "alignValue": "left",
            "legend": LIST_LEGEND,
            "mergeValues": True,
            "rowHeight": 0.9,
            "showValue": "never",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        points=200,
    )


def heatmap(
    title: str, description: str, *, unit: str, query: Query, empty: str, width: int = 12
) -> Panel:
    """Return a histogram over time; the query gives its buckets by `le`."""
    return Panel(
        kind="heatmap",
        title=title,
        description=description,
        unit=unit,
        queries=[query],
        empty=empty,
        width=width,
        height=9,
        options={
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Blues", "steps": 64},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        },
        result="heatmap",
    )
