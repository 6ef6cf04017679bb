"""Bins of a reference column: fixed once, the same for everyone who counts in them."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter.distribution import (
    INVALID,
    MISSING,
    CategoricalDistribution,
    NumericDistribution,
    category_text,
    class_texts,
    distribution_from_json,
    numeric_values,
)
from model_exporter.errors import BaselineError
from model_exporter.records import OTHER

EXAMPLES = settings(max_examples=150, deadline=None, derandomize=True)
finite = st.floats(-1e9, 1e9) | st.integers(-5, 5).map(float)
columns = st.lists(finite, min_size=1, max_size=80).map(np.array)


def fitted(column, **more) -> NumericDistribution:
    return NumericDistribution.fit(column, max_values=more.pop("max_values", 1_000))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((1, 1.0, "1", "1.0", " 1.00 ", np.int8(1), np.float32(1), Decimal("1.0")), "1"),
        ((0, -0.0, "0.0", "0"), "0"),
        ((True, np.True_, "True"), "True"),
        ((0.5, "0.5", np.float64(0.5)), "0.5"),
        (("1.0.0", "1.0.0 "), "1.0.0"),
        ((None, "", "  ", float("nan"), np.nan, pd.NA, pd.NaT, np.datetime64("NaT")), None),
    ],
)
def test_one_category_has_one_text(values: tuple, text: str | None) -> None:
    """However it was stored."""
    assert [category_text(value) for value in values] == [text] * len(values)


def test_text_of_a_category_is_its_own_text() -> None:
    """What was once normalised stays as it is: labels are read back from text."""
    for value in (1.0, "a.0", "x ", 2.5, True, "-3.0", 10**20, 1e300):
        text = category_text(value)
        assert category_text(text) == text


@pytest.mark.parametrize(
    ("columns", "positive", "texts"),
    [
        ([[True, False], [0, 1]], "1", [["1", "0"], ["0", "1"]]),
        ([["true", None], ["no", "yes"]], "yes", [["yes", None], ["no", "yes"]]),
        ([[True, False]], "True", [["True", "False"]]),
        ([[True, False]], None, [["True", "False"]]),
        ([[True, False], ["a", "b"]], "c", [["True", "False"], ["a", "b"]]),
    ],
)
def test_booleans_stand_for_the_classes_of_a_binary_model(columns, positive, texts) -> None:
    """Where it is known which: the last two are left as they are."""
    found = class_texts(columns, positive_label=positive)
    assert [column.tolist() for column in found] == texts


def test_numeric_text_is_read_and_other_text_refused() -> None:
    assert numeric_values(["1.5", None, ""]).tolist() == pytest.approx(
        [1.5, np.nan, np.nan], nan_ok=True
    )
    with pytest.raises(ValueError):
        numeric_values(["1.5", "tall"])


@EXAMPLES
@given(columns)
def test_bins_are_the_distinct_deciles_and_hold_every_value(column) -> None:
    found = fitted(column)
    deciles = {float(f"{q:.12g}") for q in np.quantile(column, np.arange(1, 10) / 10)}
    assert found.edges.tolist() == sorted(deciles)
    index = found.bin_index(column)
    assert found.counts.tolist() == np.bincount(index, minlength=len(found.bins)).tolist()
    assert len(found.bins) == len(set(found.bins)) == found.counts.size
    for value, i in zip(column, index, strict=True):
        low = -np.inf if i == 0 else found.edges[i - 1]
        high = np.inf if i == found.edges.size else found.edges[i]
        assert low <= value < high


@EXAMPLES
@given(columns)
def test_kept_values_are_the_column(column) -> None:
    found = fitted(column)
    assert np.repeat(found.values, found.value_counts).tolist() == np.sort(column).tolist()
    assert (found.minimum, found.maximum) == (column.min(), column.max())


@EXAMPLES
@given(columns)
def test_json_keeps_every_bit(column) -> None:
    found = fitted(column)
    again = distribution_from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json()
    assert again.edges.tobytes() == found.edges.tobytes()


def test_missing_and_infinite_values_are_apart() -> None:
    found = fitted([1.0, 2.0, None, np.nan, np.inf])
    assert found.counts.sum() == 2
    assert found.bin_index([None, np.inf, -np.inf, 1.0])[:3].tolist() == [MISSING, INVALID, INVALID]


def test_thinning_keeps_the_shape() -> None:
    column = np.random.default_rng(0).normal(size=5_000)
    found = fitted(column, max_values=500)
    assert found.value_counts.sum() == 500
    assert (found.values[0], found.values[-1]) == (column.min(), column.max())
    assert np.quantile(found.values, 0.5) == pytest.approx(np.quantile(column, 0.5), abs=0.01)
    assert fitted(column, max_values=0).values.size == 0


def test_bin_names_tell_close_edges_apart() -> None:
    found = fitted(1_000_000 + np.arange(10) / 100)
    assert len(set(found.bins)) == found.counts.size


def test_categories_are_sorted_and_the_rarest_are_other() -> None:
    found = CategoricalDistribution.fit(["b", "a", "b", "c", None], max_categories=2)
    assert found.bins == ("a", "b", OTHER)
    assert found.counts.tolist() == [1, 2, 1]
    assert found.missing == 1
    assert found.bin_index(["b", "c", "new", None]).tolist() == [1, 2, 2, MISSING]
    assert distribution_from_json(found.to_json()).to_json() == found.to_json()


def test_columns_without_a_value_are_refused() -> None:
    with pytest.raises(BaselineError, match="no finite value"):
        fitted([None, np.nan, np.inf])
    with pytest.raises(BaselineError, match="no value"):
        CategoricalDistribution.fit([None, ""], max_categories=2)
