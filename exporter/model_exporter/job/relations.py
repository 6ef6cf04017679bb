"""The relations of signed rows that tiles are made of, as Ibis tables."""

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from model_exporter.job.columns import amount_columns, prediction_columns
from model_exporter.job.config import ModelConfig
from model_exporter.records import Task

GROUP = ("version", "segment", "segment_value")
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


def whole_and_segments(
    rows: ir.Table, model: ModelConfig, keys: Sequence[str], totals: Mapping[str, ir.Value]
) -> ir.Table:
    """Total rows by version and `keys`, for the whole model (segment ``""``) and for each segment.

    The rows are read once, and grouped by all segments together; it is these groups that are
    totalled again. `totals` are sums of integers without nulls.
    """
    segments = [f"s{i}" for i in range(len(model.segments))]
    groups = rows.group_by(["version", *segments, *keys]).agg(**totals)
    whole = groups.mutate(segment=ibis.literal(""), segment_value=ibis.literal(""))
    parts = [
        groups.mutate(segment=ibis.literal(name), segment_value=groups[column]).filter(
            groups[column].notnull()
        )
        for name, column in zip(model.segments, segments, strict=True)
    ]
    repeated = ibis.union(whole, *parts) if parts else whole
    return repeated.group_by([*GROUP, *keys]).agg(**{n: repeated[n].sum() for n in totals})


def compiled(expression: ir.Table) -> str:
    """Return the SQL of DuckDB."""
    return str(ibis.to_sql(expression, dialect="duckdb"))
