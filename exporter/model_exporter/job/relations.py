"""The relations of signed rows that tiles are made of, as Ibis tables."""

import ibis
import ibis.expr.types as ir

from model_exporter.job.columns import amount_columns, prediction_columns
from model_exporter.job.config import ModelConfig
from model_exporter.records import Task

GROUP = ("version", "segment", "segment_value", "slot")
INT = "int64"
WIDE = "decimal(38, 0)"


def row_schema(model: ModelConfig, *, features: bool) -> dict[str, str]:
    """Return the columns of a signed relation that tiles read, and their Ibis types."""
    types = {"VARCHAR": "string", "DOUBLE": "float64", "SMALLINT": "int16"}
    columns = {
        c.name: types[c.form.sql_type]
        for c in prediction_columns(model)
        if c.form.sql_type in types and (features or c.name[0] not in "fb")
    }
    if not features:
        columns["label"] = "float64" if model.task is Task.REGRESSION else "string"
        columns |= {"ts": INT, "first_ts": INT}
        columns |= {c.name: "float64" for c in amount_columns(model)}
    return {"sign": INT, "slot": INT, **columns}


def as_whole(rows: ir.Table) -> ir.Table:
    """Name the rows as those of the whole model."""
    return rows.mutate(segment=ibis.literal(""), segment_value=ibis.literal(""))


def by_segment(rows: ir.Table, model: ModelConfig) -> ir.Table:
    """Repeat each row for the whole model (segment ``""``) and for each of its segments."""
    parts = [
        rows.mutate(segment=ibis.literal(name), segment_value=rows[f"s{i}"]).filter(
            rows[f"s{i}"].notnull()
        )
        for i, name in enumerate(model.segments)
    ]
    return ibis.union(as_whole(rows), *parts) if parts else as_whole(rows)


def compiled(expression: ir.Table) -> str:
    """Return the SQL of DuckDB."""
    return str(ibis.to_sql(expression, dialect="duckdb"))
