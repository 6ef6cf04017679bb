"""SciPy as the second implementation of every drift statistic, and properties they share."""

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.spatial
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter import catalogue, drift
from model_exporter.distribution import CategoricalDistribution, NumericDistribution
from model_exporter.drift import STATISTICS, Comparison, DriftResult
from model_exporter.drift.psi import FLOOR
from model_exporter.records import OTHER

SHARED = {"__init__", "cdf", "comparison", "cells", "detect", "looks"}
VERDICT = {"model_drift_detected", "model_drift_psi_critical", "model_drift_minimum_rows"}
EXAMPLES = settings(max_examples=150, deadline=None, derandomize=True)
BY_NAME = {statistic.name: statistic for statistic in STATISTICS}

quarters = st.integers(-20, 20).map(lambda k: k / 4)
sample = st.lists(quarters, min_size=1, max_size=60).map(np.array)
categories = st.lists(st.sampled_from("abcde"), min_size=1, max_size=60)


def compared(reference, current, *, values: bool = True) -> Comparison:
    distribution = NumericDistribution.fit(reference, max_values=10_000)
    counts = np.bincount(distribution.bin_index(current), minlength=len(distribution.bins))
    return Comparison.numeric(distribution, counts, current if values else ())


def compared_categories(reference, current, *, limit: int = 100) -> Comparison:
    distribution = CategoricalDistribution.fit(reference, max_categories=limit)
    return Comparison.categorical(distribution, Counter(current))


def compute(name: str, comparison: Comparison) -> DriftResult | None:
    return BY_NAME[f"model_drift_{name}"].compute(comparison)


def test_every_file_is_listed() -> None:
    files = {path.stem for path in Path(drift.__file__).parent.glob("*.py")} - SHARED
    listed = {statistic.compute.__module__.rpartition(".")[2] for statistic in STATISTICS}
    assert files == listed, f"list in drift/__init__.py: {sorted(files ^ listed)}"


def test_names_are_in_the_catalogue() -> None:
    names = {name for s in STATISTICS for name in (s.name, s.p_value_name) if name}
    described = {name for name in catalogue.BY_NAME if name.startswith("model_drift_")}
    assert names == described - {"model_drift_rows", *VERDICT}


@EXAMPLES
@given(sample, sample)
def test_on_values_ks_is_that_of_scipy(reference, current) -> None:
    result = compute("ks", compared(reference, current))
    if len(reference) == len(current) == 1:  # SciPy divides by 0
        assert result.p_value is None
        return
    expected = scipy.stats.ks_2samp(reference, current, method="asymp")
    assert result.value == pytest.approx(expected.statistic, abs=1e-12)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@EXAMPLES
@given(sample, sample)
def test_on_values_wasserstein_is_that_of_scipy(reference, current) -> None:
    expected = scipy.stats.wasserstein_distance(reference, current)
    assert compute("wasserstein", compared(reference, current)).value == pytest.approx(
        expected, rel=1e-9, abs=1e-12
    )


@EXAMPLES
@given(sample, sample)
def test_on_bins_ks_is_at_most_that_on_values(reference, current) -> None:
    exact = compute("ks", compared(reference, current)).value
    binned = compute("ks", compared(reference, current, values=False))
    assert binned.value <= exact + 1e-12
    assert binned.p_value is None


@EXAMPLES
@given(sample, sample)
def test_on_bins_wasserstein_is_the_area_between_straight_lines(reference, current) -> None:
    """The trapezoidal rule on a grid a thousand times finer than the bins says the same."""
    comparison = compared(reference, current, values=False)
    result = compute("wasserstein", comparison)
    if comparison.minimum == comparison.maximum:
        assert result is None
        return
    ends = [comparison.minimum, *comparison.edges, comparison.maximum]
    ends = np.clip(ends, comparison.minimum, comparison.maximum)
    shares = comparison.proportions()
    area = 0.0
    steps = [np.concatenate([[0], np.cumsum(share)]) for share in shares]
    for i in range(len(ends) - 1):
        a, b = (np.linspace(s[i], s[i + 1], 10_001) for s in steps)
        area += np.abs(a - b).mean() * (ends[i + 1] - ends[i])
    assert result.value == pytest.approx(area, rel=1e-3, abs=1e-9)


@EXAMPLES
@given(categories, categories)
def test_categorical_statistics_are_those_of_scipy(reference, current) -> None:
    comparison = compared_categories(reference, current)
    names = sorted({*reference, *current})
    counts = np.array([[column.count(name) for name in names] for column in (reference, current)])
    r, c = counts / counts.sum(axis=1, keepdims=True)
    distance = scipy.spatial.distance.jensenshannon(r, c, base=2)
    # Rounding of the divergence, some 1e-16, becomes 1e-8 under the root.
    assert compute("js_distance", comparison).value == pytest.approx(distance, abs=1e-7)
    r, c = np.maximum(r, FLOOR), np.maximum(c, FLOOR)
    assert compute("psi", comparison).value == pytest.approx(((c - r) * np.log(c / r)).sum())
    result = compute("chi2", comparison)
    if len(names) == 1:
        assert result is None
        return
    expected = scipy.stats.chi2_contingency(counts, correction=False)
    assert result.value == pytest.approx(expected.statistic, abs=1e-12)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@EXAMPLES
@given(sample, sample)
def test_chi2_of_bins_drops_those_empty_on_both_sides(reference, current) -> None:
    comparison = compared(reference, current)
    table = np.stack([comparison.reference_counts, comparison.current_counts])
    table = table[:, table.any(axis=0)]
    result = compute("chi2", comparison)
    if table.shape[1] == 1:
        assert result is None
        return
    expected = scipy.stats.chi2_contingency(table, correction=False)
    assert result.value == pytest.approx(expected.statistic, abs=1e-12)


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda s: s.name)
def test_same_sample_has_no_drift(statistic) -> None:
    data = np.random.default_rng(0).normal(size=500)
    result = statistic.compute(compared(data, data))
    assert result.value == pytest.approx(0, abs=1e-7)
    assert result.p_value in (None, pytest.approx(1))


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda s: s.name)
@pytest.mark.parametrize("values", [True, False], ids=["values", "bins"])
def test_more_shift_is_more_drift(statistic, values: bool) -> None:
    rng = np.random.default_rng(1)
    reference, data = rng.normal(size=2000), rng.normal(size=2000)
    found = [
        statistic.compute(compared(reference, data + shift, values=values)).value
        for shift in (0, 0.2, 0.5, 1)
    ]
    assert found == sorted(found)
    assert found[-1] > 5 * found[0]


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda s: s.name)
def test_window_without_values_has_no_result(statistic) -> None:
    assert statistic.compute(compared([1.0, 2.0, 3.0], np.empty(0))) is None
    assert statistic.compute(compared_categories("ab", "")) is None


def test_constant_reference_whose_values_moved_is_seen_on_values() -> None:
    """Its only edge leaves the bins blind to an upward move; the values are not."""
    comparison = compared(np.full(100, 5.0), np.full(100, 6.0))
    assert compute("psi", comparison).value == 0
    assert compute("ks", comparison).value == 1
    assert compute("wasserstein", comparison).value == 1


def test_unseen_categories_are_bins_of_their_own() -> None:
    comparison = compared_categories("aab", "aaxxy")
    assert comparison.reference_counts.tolist() == [2, 1, 0, 0]
    assert comparison.current_counts.tolist() == [2, 0, 2, 1]


def test_unseen_categories_join_the_other_of_a_reference_that_has_one() -> None:
    """A reference that pooled its rare categories cannot tell them from new ones."""
    comparison = compared_categories("aaabbc", "abxy", limit=2)
    assert comparison.reference_counts.tolist() == [3, 2, 1]
    assert comparison.current_counts.tolist() == [1, 1, 2]


def test_category_keys_are_normalised_and_missing_ones_left_out() -> None:
    distribution = CategoricalDistribution.fit([1, 2, 2], max_categories=9)
    comparison = Comparison.categorical(distribution, {"1.0": 3, "1": 1, "2": 1, "": 7, OTHER: 2})
    assert comparison.current_counts.tolist() == [4, 1, 2]


def test_values_that_are_not_finite_are_left_out_and_the_rest_sorted() -> None:
    distribution = NumericDistribution.fit([1.0, 2.0], max_values=9)
    current = Comparison.numeric(distribution, [0, 0], [3, np.nan, 1, np.inf]).current_values
    assert current.tolist() == [1, 3]


def test_p_value_counts_the_rows_of_a_thinned_reference() -> None:
    rng = np.random.default_rng(2)
    reference, current = rng.normal(size=20_000), rng.normal(0.03, 1, size=20_000)
    distribution = NumericDistribution.fit(reference, max_values=2_000)
    counts = np.bincount(distribution.bin_index(current), minlength=len(distribution.bins))
    result = compute("ks", Comparison.numeric(distribution, counts, current))
    exact = scipy.stats.ks_2samp(reference, current, method="asymp")
    assert result.value == pytest.approx(exact.statistic, abs=1 / 2_000)
    assert np.log10(result.p_value) == pytest.approx(np.log10(exact.pvalue), abs=0.5)


def test_million_values_take_less_than_seconds() -> None:
    rng = np.random.default_rng(3)
    comparison = compared(rng.normal(size=10_000), rng.normal(size=1_000_000))
    started = time.process_time()
    for statistic in STATISTICS:
        assert statistic.compute(comparison) is not None
    assert time.process_time() - started < 5  # 0.3 s on a laptop core
