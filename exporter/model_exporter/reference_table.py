"""The table that a baseline is fitted on, in whatever shape the user has it."""

from collections.abc import Mapping, Sequence
from typing import Any

from model_exporter.distribution import (
    CategoricalDistribution,
    NumericDistribution,
    class_texts,
)
from model_exporter.errors import BaselineError, SchemaError


class ReferenceTable:
    """The columns of a table of any of the accepted shapes.

    Raises
    ------
    SchemaError
        If it is no table, its columns differ in length, or one that is asked for is missing.
    BaselineError
        If it has no rows.
    """

    def __init__(self, table: Any) -> None:
        self._columns = as_columns(table)
        lengths = {name: len(column) for name, column in self._columns.items()}
        self.rows = max(lengths.values(), default=0)
        if not self.rows:
            raise BaselineError("the reference table has no rows; a baseline needs some")
        if len(set(lengths.values())) > 1:
            text = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
            raise SchemaError(f"the columns of the reference differ in length: {text} rows")

    def name_classes(self, names: Sequence[str], positive_label: str | None) -> None:
        """Turn labels and predictions into the text of their classes."""
        texts = class_texts([self[name] for name in names], positive_label=positive_label)
        self._columns.update(zip(names, texts, strict=True))

    def __getitem__(self, name: str) -> Any:
        try:
            return self._columns[name]
        except KeyError:
            have = ", ".join(sorted(map(str, self._columns)))
            raise SchemaError(f"the reference has no column {name!r}; it has: {have}") from None

    def numeric(self, name: str, limit: int) -> NumericDistribution:
        """Fit the distribution of a numeric column, keeping up to `limit` distinct values."""
        try:
            return NumericDistribution.fit(self[name], max_values=limit)
        except (TypeError, ValueError) as error:
            raise SchemaError(
                f"column {name!r} of the reference is not numeric ({error}); "
                "name it among the categorical features"
            ) from error

    def categorical(self, name: str, limit: int) -> CategoricalDistribution:
        """Fit the distribution of a categorical column, keeping up to `limit` categories."""
        return CategoricalDistribution.fit(self[name], max_categories=limit)


def as_columns(table: Any) -> dict[str, Any]:
    """Return the columns of a table of any of the accepted shapes, by name."""
    if isinstance(table, Mapping):
        return dict(table)
    if isinstance(table, Sequence):
        names = {name: None for row in table for name in row}
        return {name: [row.get(name) for row in table] for name in names}
    if hasattr(table, "column_names") and hasattr(table, "to_pydict"):  # pyarrow.Table
        return dict(table.to_pydict())
    if hasattr(table, "columns"):  # pandas, polars
        return {str(name): table[name].to_numpy() for name in table.columns}
    raise SchemaError(
        f"a table was expected (dict of columns, list of dicts, pandas, polars or "
        f"arrow), got {type(table).__name__}"
    )
