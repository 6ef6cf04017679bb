"""The bin of a value in the baseline of its version, as an Ibis expression."""

import functools
from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from model_exporter.distribution import (
    INVALID,
    MISSING,
    CategoricalDistribution,
    Distribution,
    NumericDistribution,
)
from model_exporter.job.config import ModelConfig
from model_exporter.records import ALL_VERSIONS, Subject

_INT = "int64"


def bin_of(
    rows: ir.Table,
    value: ir.Value,
    subject: Subject,
    name: str,
    model: ModelConfig,
    *,
    index: ir.Value | None = None,
) -> ir.Value:
    """Return the bin of a value in its version's baseline.

    Numeric: the bin's index, `MISSING` or `INVALID`. Categorical: the category, or ``""`` for
    missing, so that categories the baseline has not seen stay apart from each other.
    """

    def key(distribution: Distribution | None) -> ir.Value:
        if isinstance(value, ir.StringValue):
            return _category_key(value, index, distribution)
        return _numeric_key(value, index, distribution)

    return _by_version(rows, subject, name, model, key)


def _by_version(
    rows: ir.Table,
    subject: Subject,
    name: str,
    model: ModelConfig,
    of: Callable[[Distribution | None], ir.Value],
) -> ir.Value:
    found = {version: b.distribution(subject, name) for version, b in model.baselines.items()}
    default = of(found.pop(ALL_VERSIONS, None))
    if not found:
        return default
    cases = [(rows.version == version, of(d)) for version, d in sorted(found.items())]
    return ibis.cases(*cases, else_=default)


def _category_key(
    value: ir.Value, index: ir.Value | None, distribution: Distribution | None
) -> ir.Value:
    if index is not None and isinstance(distribution, CategoricalDistribution):
        logged = ibis.cases(*((index == i, text) for i, text in enumerate(distribution.bins)))
        value = ibis.coalesce(value, logged)
    return value.fill_null("")


def _numeric_key(
    value: ir.Value, index: ir.Value | None, distribution: Distribution | None
) -> ir.Value:
    edges = distribution.edges.tolist() if isinstance(distribution, NumericDistribution) else []
    place = functools.reduce(
        lambda total, edge: total + (value >= edge).cast(_INT), edges, ibis.literal(0, _INT)
    )
    unusable = value.isnan() | value.isinf()
    binned = ibis.cases((value.isnull(), MISSING), (unusable, INVALID), else_=place)
    if index is None:
        return binned
    return ibis.ifelse(value.isnull() & index.notnull(), index.cast(_INT), binned)


def out_of_range(rows: ir.Table, value: ir.Value, name: str, model: ModelConfig) -> ir.Value:
    """Tell whether a feature's value lies beyond what the baseline has seen."""

    def outside(distribution: Distribution | None) -> ir.Value:
        if not isinstance(distribution, NumericDistribution):
            return ibis.literal(False)
        return (value < distribution.minimum) | (value > distribution.maximum)

    return _by_version(rows, Subject.FEATURE, name, model, outside)
