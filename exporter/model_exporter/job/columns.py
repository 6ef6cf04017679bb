"""Which columns of a source become which columns of the store, and how their values are read.

The same label may come as `1`, ``"1"``, `1.0` or `true`, a timestamp as text, as an integer or as
Parquet's own type. All become one form here, in SQL, so that nothing later has to guess.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from model_exporter.job.config import ModelConfig
from model_exporter.records import Task

MAX_DIGITS = 20
"""Of a whole number of 64 bits."""
UUIDS_ARE_NUMBERS = tuple(map(int, duckdb.__version__.split(".")[:2])) >= (2, 0)
"""Older versions of DuckDB do not read a UUID as a number."""


class Form(enum.Enum):
    """How the values of a column are read; the value is its DuckDB type in the store."""

    KEY = ("an id", "UHUGEINT")
    TEXT = ("text", "VARCHAR")
    CATEGORY = ("a category", "VARCHAR")
    TIME = ("a timestamp, such as 2026-01-31T12:00:00Z or Unix seconds", "BIGINT")
    NUMBER = ("a number", "DOUBLE")
    PROBABILITY = ("a probability from 0 to 1", "DOUBLE")
    INDEX = ("a bin index", "SMALLINT")

    def __init__(self, expected: str, sql_type: str) -> None:
        self.expected = expected
        self.sql_type = sql_type


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the store.

    Attributes
    ----------
    candidates
        Names that the source may have it under; the first that exists is read.
    required
        False where the source may lack all of the candidates; the column is then null.
    key
        The key of the configuration that names it, for messages.
    """

    name: str
    form: Form
    candidates: tuple[str, ...]
    key: str
    required: bool = True


def prediction_columns(model: ModelConfig) -> tuple[Column, ...]:
    """Return the columns of a model's predictions; `key`, `ts`, `version`, `predicted` come first.

    ``p<i>`` are probabilities, in the order of `score_classes`; ``f<i>`` are features, numeric
    ones first, with ``b<i>`` their bin index where the log holds no value; ``s<i>`` are segments;
    ``q<i>`` are predicted quantiles; `g` is the request that a row belongs to.
    """
    named, optional = model.predictions.columns, model.predictions.optional
    predicted = Form.NUMBER if model.task is Task.REGRESSION else Form.CATEGORY
    columns: list[Column] = [
        Column("key", Form.KEY, (named["id"],), "predictions.columns.id"),
        Column("ts", Form.TIME, (named["timestamp"],), "predictions.columns.timestamp"),
        Column(
            "version",
            Form.TEXT,
            (named["version"],),
            "predictions.columns.version",
            required="version" not in optional,
        ),
        Column("predicted", predicted, (named["prediction"],), "predictions.columns.prediction"),
    ]
    for i, (source, key, required) in enumerate(_score_sources(model)):
        columns.append(Column(f"p{i}", Form.PROBABILITY, (source,), key, required))
    for i, name in enumerate(feature_names(model)):
        form = Form.NUMBER if name in model.numeric else Form.CATEGORY
        raw = (name, f"features.{name}")
        columns.append(Column(f"f{i}", form, raw, "features", required=False))
        columns.append(Column(f"b{i}", Form.INDEX, (f"bins.{name}",), "features", required=False))
    for i, name in enumerate(model.segments):
        names = (name, f"segments.{name}", f"features.{name}")
        columns.append(Column(f"s{i}", Form.CATEGORY, names, "segments"))
    for i, name in enumerate(model.predictions.quantiles.values()):
        columns.append(Column(f"q{i}", Form.NUMBER, (name,), "predictions.columns.quantiles"))
    if "group" in named:
        columns.append(Column("g", Form.KEY, (named["group"],), "predictions.columns.group"))
    return tuple(columns)


def label_columns(model: ModelConfig) -> tuple[Column, ...]:
    """Return the columns of a model's labels: `key`, `ts`, `label`, and those of the amounts."""
    assert model.labels is not None
    named = model.labels.columns
    form = Form.NUMBER if model.task is Task.REGRESSION else Form.CATEGORY
    return (
        Column("key", Form.KEY, (named["id"],), "labels.columns.id"),
        Column("ts", Form.TIME, (named["timestamp"],), "labels.columns.timestamp"),
        Column("label", form, (named["label"],), "labels.columns.label"),
        *amount_columns(model),
    )


def amount_columns(model: ModelConfig) -> tuple[Column, ...]:
    """Return the columns ``m<i>`` of the amounts that labels bring."""
    return tuple(
        Column(f"m{i}", Form.NUMBER, (name,), f"labels.columns.business.{measure}")
        for i, (measure, name) in enumerate(_business(model).items())
    )


def amount_measures(model: ModelConfig) -> tuple[str, ...]:
    """Return the measures that the columns of `amount_columns` are about, in their order."""
    return tuple(_business(model))


def _business(model: ModelConfig) -> Mapping[str, str]:
    return model.labels.business if model.labels else {}


def feature_names(model: ModelConfig) -> tuple[str, ...]:
    """Return the features in the order of their store columns."""
    return (*model.numeric, *model.categorical)


def score_classes(model: ModelConfig) -> tuple[str, ...]:
    """Return the class of each probability column; ``""`` for the one of a binary model."""
    if model.task is Task.BINARY:
        return ("",)
    if model.task is Task.REGRESSION:
        return ()
    return tuple(model.predictions.scores) or known_classes(model)


def known_classes(model: ModelConfig) -> tuple[str, ...]:
    """Return the classes that the configuration or a baseline names, sorted if it is a baseline."""
    from_baselines = {c for baseline in model.baselines.values() for c in baseline.classes}
    return model.classes or tuple(sorted({*model.predictions.scores, *from_baselines}))


def binary_classes(model: ModelConfig) -> tuple[str, ...]:
    """Return (negative, positive) of a binary model; empty where the negative is not known."""
    positive = model.positive_label
    if model.task is not Task.BINARY or positive is None:
        return ()
    others = [c for c in known_classes(model) if c != positive]
    if len(others) == 1:
        return others[0], positive
    opposite = {"1": "0", "0": "1", "True": "False", "False": "True"}.get(positive)
    return (opposite, positive) if opposite else ()


def _score_sources(model: ModelConfig) -> list[tuple[str, str, bool]]:
    if model.task is Task.BINARY:
        required = "score" not in model.predictions.optional
        return [(model.predictions.columns["score"], "predictions.columns.score", required)]
    given = model.predictions.scores
    key = "predictions.columns.scores"
    return [(given.get(c, f"scores.{c}"), key, c in given) for c in score_classes(model)]


def key_of(text: str) -> str:
    """Return the SQL of the key of an id, 128 bits of which some keep the order of the ids.

    Whole numbers are their own key, and so are UUIDs that begin with 01, as all of version 7 do
    from 2004 to 2039: a scan for the ids of late passes over the older rows. Of others it is a
    digest, so that all cost the same to keep and to compare.
    """
    number, uuid = f"TRY_CAST({text} AS UBIGINT)", f"TRY_CAST({text} AS UUID)"
    cases = [
        f"WHEN strlen({text}) <= {MAX_DIGITS} AND CAST({number} AS VARCHAR) = {text} "
        f"THEN CAST({number} AS UHUGEINT)"
    ]
    if UUIDS_ARE_NUMBERS:
        cases.append(
            f"WHEN starts_with({text}, '01') AND CAST({uuid} AS VARCHAR) = {text} "
            f"THEN CAST({uuid} AS UHUGEINT)"
        )
    return f"CASE {' '.join(cases)} ELSE md5_number({text}) END"


def select(column: Column, schema: pa.Schema, *, binary_classes: tuple[str, ...] = ()) -> str:
    """Return the SQL that reads a column from a table of this Arrow schema; of a key, its text.

    `binary_classes`, negative first, are what booleans stand for in the labels and predictions
    of a binary model.
    """
    name = next((name for name in column.candidates if name in schema.names), None)
    if name is None:
        missing = "VARCHAR" if column.form is Form.KEY else column.form.sql_type
        return f"CAST(NULL AS {missing}) AS {column.name}"
    quoted = '"' + name.replace('"', '""') + '"'
    kind = schema.field(name).type
    sql = _READ[column.form](quoted, kind)
    can_be_boolean = column.name in ("predicted", "label") and not pa.types.is_integer(kind)
    if binary_classes and can_be_boolean:
        negative, positive = map(sql_text, binary_classes)
        sql = (
            f"CASE lower({sql}) WHEN 'true' THEN {positive} WHEN 'false' THEN {negative} "
            f"ELSE {sql} END"
        )
    return f"{sql} AS {column.name}"


def sql_text(value: str) -> str:
    """Quote a text for SQL."""
    return "'" + value.replace("'", "''") + "'"


def _text(quoted: str, _: pa.DataType) -> str:
    """Give the text without the spaces around it; null if nothing is left."""
    text = f"CAST({quoted} AS VARCHAR)"
    # `trim` reads every character. Of ASCII it takes away spaces only: most texts have none.
    trimmed = (
        f"{text} BETWEEN '!' AND '~' AND NOT ends_with({text}, ' ') "
        f"AND strlen({text}) = length({text})"
    )
    return f"CASE WHEN {trimmed} THEN {text} ELSE nullif(trim({text}), '') END"


def _category(quoted: str, kind: pa.DataType) -> str:
    """Give the text that `distribution.category_text` gives."""
    if pa.types.is_boolean(kind):
        return f"CASE WHEN {quoted} THEN 'True' WHEN NOT {quoted} THEN 'False' END"
    if pa.types.is_integer(kind):
        return f"CAST({quoted} AS VARCHAR)"
    if pa.types.is_floating(kind):
        whole = f"CAST(CAST({quoted} AS HUGEINT) AS VARCHAR)"
        return (
            f"CASE WHEN isnan({quoted}) THEN NULL "
            f"WHEN {quoted} = floor({quoted}) AND abs({quoted}) < 1e15 THEN {whole} "
            f"ELSE CAST({quoted} AS VARCHAR) END"
        )
    text = _text(quoted, kind)
    whole = rf"regexp_replace({text}, '^(-?[0-9]+)\.0+$', '\1')"
    return (
        f"CASE WHEN ends_with({text}, '0') AND contains({text}, '.') THEN {whole} ELSE {text} END"
    )


def _time(quoted: str, kind: pa.DataType) -> str:
    """Give microseconds since 1970; plain numbers are taken by their size as s, ms, us or ns."""
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zoned = pa.types.is_timestamp(kind) and kind.tz is not None
        return f"epoch_us(CAST({quoted} AS {'TIMESTAMPTZ' if zoned else 'TIMESTAMP'}))"
    number = f"TRY_CAST({quoted} AS DOUBLE)"
    micros = (
        f"TRY_CAST(round({number} * CASE WHEN abs({number}) < 1e11 THEN 1e6 "
        f"WHEN abs({number}) < 1e14 THEN 1e3 WHEN abs({number}) < 1e17 THEN 1 ELSE 1e-3 END) "
        "AS BIGINT)"
    )
    numeric = f"CASE WHEN isfinite({number}) THEN {micros} END"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return numeric
    return f"coalesce(epoch_us(TRY_CAST({quoted} AS TIMESTAMPTZ)), {numeric})"


def _number(quoted: str, kind: pa.DataType) -> str:
    """Give a double; NaN is missing, and what is no number becomes NaN, to be told apart."""
    number = f"TRY_CAST({quoted} AS DOUBLE)"
    if not any(is_text(kind) for is_text in _TEXT_TYPES):
        return f"CASE WHEN NOT isnan({number}) THEN {number} END"
    text = _text(quoted, kind)
    return (
        f"CASE WHEN {text} IS NULL OR lower({text}) = 'nan' THEN NULL "
        f"ELSE coalesce({number}, CAST('nan' AS DOUBLE)) END"
    )


_TEXT_TYPES = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


def _probability(quoted: str, _: pa.DataType) -> str:
    number = f"TRY_CAST({quoted} AS DOUBLE)"
    return f"CASE WHEN {number} BETWEEN 0 AND 1 THEN {number} END"


def _index(quoted: str, _: pa.DataType) -> str:
    return f"TRY_CAST({quoted} AS SMALLINT)"


_READ = {
    Form.KEY: _category,
    Form.TEXT: _text,
    Form.CATEGORY: _category,
    Form.TIME: _time,
    Form.NUMBER: _number,
    Form.PROBABILITY: _probability,
    Form.INDEX: _index,
}
