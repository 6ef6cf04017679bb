"""The same values, however a source stores them, are read as the same."""

import math
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from model_exporter.distribution import category_text
from model_exporter.job.columns import UUIDS_ARE_NUMBERS, Column, Form, key_of, select


def read(form: Form, values: pa.Array | list, **options) -> list:
    """Read one column of a table."""
    table = pa.table({"x": values})
    column = Column(options.pop("name", "y"), form, ("x",), "key")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("batch", table)
        sql = f"SELECT {select(column, table.schema, **options)} FROM batch"
        return [row[0] for row in connection.execute(sql).fetchall()]


CATEGORIES = [
    ["1", "1.0", " 1 ", "1.50", "sun", "", None, "-3.0", "10%", "1.0.0"],
    [1, 2, -3, None],
    [1.0, 2.5, -0.0, math.nan, None, 1e14],
    [True, False, None],
]


@pytest.mark.parametrize("values", CATEGORIES, ids=["text", "integers", "floats", "booleans"])
def test_categories(values: list) -> None:
    """SQL gives the text that the sidecar and the baseline give."""
    assert read(Form.CATEGORY, pa.array(values)) == [category_text(v) for v in values]


def test_categories_of_other_arrow_types() -> None:
    text = pa.array(["a", None, "b"])
    for kind in (pa.large_string(), pa.string_view()):
        assert read(Form.CATEGORY, text.cast(kind)) == ["a", None, "b"]
    assert read(Form.CATEGORY, pa.array(np.array([1, 0], dtype=np.uint8))) == ["1", "0"]


def keys(texts: list[str | None]) -> list[int | None]:
    """Return the keys of ids."""
    with duckdb.connect() as connection:
        sql = f"SELECT {key_of('id')} FROM (SELECT unnest($ids::VARCHAR[]) AS id)"
        return [row[0] for row in connection.execute(sql, {"ids": texts}).fetchall()]


def test_an_id_is_the_same_however_it_is_stored() -> None:
    assert read(Form.KEY, ["7", " 7 ", "7.0", "-7", "", None]) == ["7"] * 3 + ["-7", None, None]
    assert read(Form.KEY, [7, -7]) == ["7", "-7"]
    assert read(Form.KEY, [7.0]) == ["7"]
    assert keys(["7", None]) == [7, None]


def test_ids_that_count_up_keep_their_order() -> None:
    numbers = ["0", "9", "10", str(10**18), str(2**64 - 1)]
    assert keys(numbers) == [0, 9, 10, 10**18, 2**64 - 1]


@pytest.mark.skipif(not UUIDS_ARE_NUMBERS, reason="DuckDB before 2.0 reads no UUID as a number")
def test_ids_that_begin_with_the_time_keep_their_order() -> None:
    times = [f"{milliseconds:012x}" for milliseconds in (1_099_511_627_776, 1_763_674_000_000)]
    uuids = [f"{t[:8]}-{t[8:]}-7abc-9def-0123456789ab" for t in times]
    assert keys(uuids) == [uuid.UUID(text).int for text in uuids]


def test_ids_that_read_alike_are_not_the_same() -> None:
    plain = "018bcfe5-6800-7000-8000-0000000000ab"
    others = [plain.upper(), f"{{{plain}}}", plain.replace("-", ""), plain[:-1], f"{plain}-0"]
    others += ["018bcfe56-800-7000-8000-0000000000ab", "4" + plain[1:], plain[:-1] + "g"]
    others += ["7", "07", "+7", "7e0", "7_0", "70", "0x7", str(2**64), "018bcfe568007000"]
    assert len(set(keys([plain, *others]))) == 1 + len(others)


MOMENT = datetime(2011, 5, 16, 1, 24, 24, 123456, tzinfo=UTC)
MICROSECONDS = 1305509064123456


@pytest.mark.parametrize(
    "values",
    [
        pa.array([MOMENT]),
        pa.array([MOMENT.replace(tzinfo=None)]),
        pa.array([pd.Timestamp(MOMENT)]).cast(pa.timestamp("ns", "UTC")),
        ["2011-05-16T01:24:24.123456Z"],
        ["2011-05-16T03:24:24.123456+02:00"],
        ["2011-05-16 01:24:24.123456"],
        [MICROSECONDS / 1e6],
        [str(MICROSECONDS / 1e6)],
        [MICROSECONDS],
        [MICROSECONDS * 1000],
    ],
)
def test_timestamps(values: pa.Array | list) -> None:
    assert read(Form.TIME, values) == [pytest.approx(MICROSECONDS, abs=1)]


def test_other_timestamps() -> None:
    seconds = 1305509064
    assert read(Form.TIME, [seconds, seconds * 1000]) == [seconds * 1_000_000] * 2
    assert read(Form.TIME, pa.array([date(2011, 5, 16)])) == [1305504000000000]
    assert read(Form.TIME, ["2011-05-16", "soon", "", None]) == [1305504000000000, *[None] * 3]
    assert read(Form.TIME, [math.nan, math.inf]) == [None, None]


def test_numbers() -> None:
    """NaN is missing; what is no number is told apart from it, as NaN."""
    found = read(Form.NUMBER, ["1.5", " 2 ", "", "NaN", None, "many", "inf", "1e3"])
    assert found[:2] == [1.5, 2.0]
    assert found[2:5] == [None, None, None]
    assert math.isnan(found[5])
    assert found[6:] == [math.inf, 1000.0]
    assert read(Form.NUMBER, [1.5, math.nan, None]) == [1.5, None, None]
    assert read(Form.NUMBER, pa.array([Decimal("1.5")])) == [1.5]
    assert read(Form.NUMBER, [True, False]) == [1.0, 0.0]


def test_probabilities() -> None:
    assert read(Form.PROBABILITY, ["0", "1", "0.5", "1.2", "-1", "x", None]) == [
        0,
        1,
        0.5,
        *[None] * 4,
    ]


def test_booleans_are_the_classes_of_a_binary_model() -> None:
    values = ["true", "False", "1", "0", "1.0", "maybe"]
    found = read(Form.CATEGORY, values, name="label", binary_classes=("0", "1"))
    assert found == ["1", "0", "1", "0", "1", "maybe"]
    assert read(Form.CATEGORY, values, name="f0", binary_classes=("0", "1"))[0] == "true"


def test_absent_column() -> None:
    table = pa.table({"other": [1]})
    sql = select(Column("y", Form.NUMBER, ("x",), "key", required=False), table.schema)
    assert sql == "CAST(NULL AS DOUBLE) AS y"


def test_names_are_quoted() -> None:
    table = pa.table({'a "quoted" name': [1]})
    with duckdb.connect() as connection:
        connection.register("batch", table)
        column = Column("y", Form.NUMBER, ('a "quoted" name',), "key")
        assert connection.execute(f"SELECT {select(column, table.schema)} FROM batch").fetchall()
