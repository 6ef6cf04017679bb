"""The sections `predictions` and `labels` of a model: where records are read from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_exporter.distribution import category_text
from model_exporter.errors import SourceError
from model_exporter.job.scoring import read_quantiles
from model_exporter.job.sources import SOURCES, Source
from model_exporter.job.sources.presets import PRESETS, opener
from model_exporter.job.sources.prometheus import PrometheusOptions, take_prometheus
from model_exporter.job.yaml_section import Section
from model_exporter.records import Task

PREDICTION_COLUMNS = {
    "id": "prediction_id",
    "timestamp": "timestamp",
    "version": "model_version",
    "prediction": "prediction",
    "score": "score",
}
LABEL_COLUMNS = {"id": "prediction_id", "label": "label", "timestamp": "label_timestamp"}
PUSH = "push"
PROMETHEUS = "prometheus"
SPOOL_BYTES = 256 << 20
"""Of pushed records that wait to be taken in, at most, for one source."""
MIN_SPOOL_BYTES = 32 << 20
"""So that the largest push finds room, whatever waits before it."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where predictions or labels are read from.

    `open` makes the source, which connects to nothing before it is read. `columns` maps our names
    to those of the source, `scores` a class to the column of its probability, `quantiles` a level
    to that of the predicted quantile, `business` a measure to that of its amount. Columns in
    `optional` were not named by the user and may be absent. `token_file` and `spool_bytes` are of
    what is pushed, `prometheus` is of counters, which hold no records to open.
    """

    name: str
    type: str
    open: Callable[[], Source]
    columns: Mapping[str, str]
    scores: Mapping[str, str]
    quantiles: Mapping[str, str]
    business: Mapping[str, str]
    optional: frozenset[str]
    place: str
    token_file: Path | None = None
    spool_bytes: int = SPOOL_BYTES
    prometheus: PrometheusOptions | None = None


def read_predictions(section: Section, task: Task) -> SourceConfig:
    """Take the section of predictions."""
    if section.value("type", default=None) == PROMETHEUS:
        return _counters(section)
    columns = section.section("columns")
    if columns and "scores" in columns and task is not Task.MULTICLASS:
        columns.refuse("`scores` is for multiclass models; name one `score` column", key="scores")
    if columns and "score" in columns and task is not Task.BINARY:
        columns.refuse(f"`score` is for binary models, this one is {task}", key="score")
    if columns and "quantiles" in columns and task is not Task.REGRESSION:
        columns.refuse(f"`quantiles` is for regression models, this one is {task}", key="quantiles")
    return _source(section, "predictions", PREDICTION_COLUMNS, optional=("score", "version"))


def read_labels(section: Section) -> SourceConfig:
    """Take the section of labels."""
    return _source(section, "labels", LABEL_COLUMNS)


def _source(
    section: Section, name: str, defaults: Mapping[str, str], *, optional: tuple[str, ...] = ()
) -> SourceConfig:
    columns = section.section("columns")
    preset = PRESETS[section.choice("preset", PRESETS, default="none")]
    defaults = {**defaults, **getattr(preset, name)}
    named = {key: columns.text(key, default=d) if columns else d for key, d in defaults.items()}
    scores = columns.mapping("scores") if columns else {}
    predictions = name == "predictions"
    kind = section.choice("type", (*SOURCES, PUSH, *([PROMETHEUS] if predictions else [])))
    pushed = kind == PUSH
    if columns and predictions and "group" in columns:
        named["group"] = columns.text("group")
    source = SourceConfig(
        name=name,
        type=kind,
        open=_pushed_only if pushed else opener(preset, SOURCES[kind](section)),
        columns=named,
        scores={category_text(text) or text: column for text, column in scores.items()},
        quantiles=read_quantiles(columns) if columns and predictions else {},
        business=columns.mapping("business") if columns and not predictions else {},
        optional=frozenset(key for key in optional if columns is None or key not in columns),
        place=f"{section.path}:{section.line}: {section.key}",
        **(_pushed(section) if pushed else {}),
    )
    if columns:
        columns.finish()
    section.finish()
    return source


def _counters(section: Section) -> SourceConfig:
    """Take a section of predictions that are read as counters, not one by one."""
    source = SourceConfig(
        name="predictions",
        type=section.text("type"),
        open=_counters_only,
        columns={},
        scores={},
        quantiles={},
        business={},
        optional=frozenset(),
        place=f"{section.path}:{section.line}: {section.key}",
        prometheus=take_prometheus(section),
    )
    section.finish()
    return source


def _counters_only() -> Source:
    raise SourceError("counters hold no records; `CounterReader` reads them")


def _pushed_only() -> Source:
    raise SourceError("pushed records wait in the state directory; `Runner` opens them")


def _pushed(section: Section) -> Mapping[str, Any]:
    token_file = section.text("token_file", default="", expected="the path of a file")
    spool_bytes = section.number("spool_bytes", default=SPOOL_BYTES)
    if not MIN_SPOOL_BYTES <= spool_bytes == int(spool_bytes):
        section.refuse(
            f"expected a whole number of bytes, at least {MIN_SPOOL_BYTES}", key="spool_bytes"
        )
    return {
        "token_file": resolve(section, token_file) if token_file else None,
        "spool_bytes": int(spool_bytes),
    }


def resolve(section: Section, text: str) -> Path:
    """Return a path; a relative one is relative to the file of the section."""
    return section.path.parent / Path(text).expanduser()
