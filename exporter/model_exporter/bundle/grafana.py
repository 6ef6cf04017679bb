"""A small builder of Grafana dashboards: plain dicts, stable ids, positions computed.

The id of a panel follows from its title, so that links to it outlive panels that come and go.

The output is the classic JSON model, schemaVersion 39: Grafana migrates upwards only, so that the
oldest supported version (10.3) decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any
from zlib import crc32

Json = dict[str, Any]

SCHEMA_VERSION = 39
COLUMNS = 24
DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
ROW_HEIGHT = 1


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL query; `legend` is Grafana's legend format.

    `exemplar` asks for traces beside the values.
    """

    expr: str
    legend: str = ""
    exemplar: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel before it has an id and a place.

    `options`, `defaults` (field options) and `custom` (field options of the panel type) go to
    the JSON as they are. `instant` queries give tables and bars, `points` bounds how often over
    the time range a costly query is evaluated.
    """

    kind: str
    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    empty: str
    width: int = 8
    height: int = 8
    options: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()
    result: str = "time_series"
    instant: bool = False
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of panels, filled from left to right; a collapsed one asks nothing."""

    title: str
    panels: Sequence[Panel]
    collapsed: bool = False


def dashboard(
    uid: str,
    title: str,
    *,
    description: str,
    variables: Sequence[Json],
    annotations: Sequence[Json],
    rows: Iterable[Row],
    since: str = "now-24h",
) -> Json:
    """Return a dashboard ready to be written as JSON; `since` is where its time range begins."""
    return {
        "annotations": {"list": list(annotations)},
        "description": description,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [_link_to_others()],
        "panels": _placed(rows),
        "refresh": "1m",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["model-exporter"],
        "templating": {"list": list(variables)},
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }


def _link_to_others() -> Json:
    return {
        "asDropdown": True,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": ["model-exporter"],
        "targetBlank": False,
        "title": "Model dashboards",
        "tooltip": "The others, with the same variables and time range",
        "type": "dashboards",
        "url": "",
    }


def _placed(rows: Iterable[Row]) -> list[Json]:
    """Return rows and panels from top to bottom; a collapsed row holds its panels itself."""
    placed: list[Json] = []
    top = 0
    for row in rows:
        panels, end = _lines(row.panels, top=top + ROW_HEIGHT)
        placed.append(_row_json(row, top=top, panels=panels if row.collapsed else []))
        if row.collapsed:
            top += ROW_HEIGHT
        else:
            placed += panels
            top = end
    return placed


def _lines(panels: Iterable[Panel], *, top: int) -> tuple[list[Json], int]:
    """Return the panels placed from `top` on, and where the next row may begin."""
    placed: list[Json] = []
    left = line_height = 0
    for panel in panels:
        if left + panel.width > COLUMNS:
            top, left, line_height = top + line_height, 0, 0
        position = {"h": panel.height, "w": panel.width, "x": left, "y": top}
        placed.append(_panel_json(panel, position=position))
        left += panel.width
        line_height = max(line_height, panel.height)
    return placed, top + line_height


def _number(text: str) -> int:
    """Return an id that follows from a title alone."""
    return crc32(text.encode()) % 1_000_000 + 1


def _row_json(row: Row, *, top: int, panels: list[Json]) -> Json:
    return {
        "collapsed": row.collapsed,
        "gridPos": {"h": ROW_HEIGHT, "w": COLUMNS, "x": 0, "y": top},
        "id": _number(f"row {row.title}"),
        "panels": panels,
        "title": row.title,
        "type": "row",
    }


def _panel_json(panel: Panel, *, position: Json) -> Json:
    defaults = {"unit": panel.unit, "noValue": panel.empty, **panel.defaults}
    if panel.custom:
        defaults["custom"] = dict(panel.custom)
    found: Json = {
        "datasource": DATASOURCE,
        "description": panel.description,
        "fieldConfig": {"defaults": defaults, "overrides": list(panel.overrides)},
        "gridPos": position,
        "id": _number(panel.title),
        "options": dict(panel.options),
        "targets": [
            _target_json(query, ref, panel=panel)
            for query, ref in zip(panel.queries, ascii_uppercase, strict=False)
        ],
        "title": panel.title,
        "transformations": list(panel.transformations),
        "type": panel.kind,
    }
    if panel.points is not None:
        found["maxDataPoints"] = panel.points
    return found


def _target_json(query: Query, ref: str, *, panel: Panel) -> Json:
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "exemplar": query.exemplar,
        "expr": query.expr,
        "format": panel.result,
        "instant": panel.instant,
        "legendFormat": query.legend,
        "range": not panel.instant,
        "refId": ref,
    }
