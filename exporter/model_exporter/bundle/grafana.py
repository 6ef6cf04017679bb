"""A small builder of Grafana dashboards: plain dicts, stable ids, positions computed.

The output is the classic JSON model, schemaVersion 39: Grafana migrates upwards only, so that the
oldest supported version (10.3) decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

Json = dict[str, Any]

SCHEMA_VERSION = 39
COLUMNS = 24
DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
ROW_HEIGHT = 1


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL query; `legend` is Grafana's legend format."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel before it has an id and a place.

    `options`, `defaults` (field options) and `custom` (field options of the panel type) go to
    the JSON as they are.
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


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of panels, filled from left to right."""

    title: str
    panels: Sequence[Panel]


def dashboard(
    uid: str, title: str, *, description: str, variables: Sequence[Json], rows: Iterable[Row]
) -> Json:
    """Return a dashboard ready to be written as JSON."""
    return {
        "annotations": {"list": []},
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
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }


def _link_to_others() -> Json:
    return {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": ["model-exporter"],
        "targetBlank": False,
        "title": "",
        "tooltip": "",
        "type": "dashboards",
        "url": "",
    }


def _placed(rows: Iterable[Row]) -> list[Json]:
    placed: list[Json] = []
    top = 0
    for row in rows:
        placed.append(_row_json(row.title, number=len(placed) + 1, top=top))
        top += ROW_HEIGHT
        left = line_height = 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, line_height = top + line_height, 0, 0
            position = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            placed.append(_panel_json(panel, number=len(placed) + 1, position=position))
            left += panel.width
            line_height = max(line_height, panel.height)
        top += line_height
    return placed


def _row_json(title: str, *, number: int, top: int) -> Json:
    return {
        "collapsed": False,
        "gridPos": {"h": ROW_HEIGHT, "w": COLUMNS, "x": 0, "y": top},
        "id": number,
        "panels": [],
        "title": title,
        "type": "row",
    }


def _panel_json(panel: Panel, *, number: int, position: Json) -> Json:
    defaults = {"unit": panel.unit, "noValue": panel.empty, **panel.defaults}
    if panel.custom:
        defaults["custom"] = dict(panel.custom)
    return {
        "datasource": DATASOURCE,
        "description": panel.description,
        "fieldConfig": {"defaults": defaults, "overrides": list(panel.overrides)},
        "gridPos": position,
        "id": number,
        "options": dict(panel.options),
        "targets": [
            _target_json(query, ref, table=panel.kind in {"table", "barchart"})
            for query, ref in zip(panel.queries, ascii_uppercase, strict=False)
        ],
        "title": panel.title,
        "transformations": list(panel.transformations),
        "type": panel.kind,
    }


def _target_json(query: Query, ref: str, *, table: bool) -> Json:
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "format": "table" if table else "time_series",
        "instant": table or query.instant,
        "legendFormat": query.legend,
        "range": not (table or query.instant),
        "refId": ref,
    }
