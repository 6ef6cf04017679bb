"""The decision is SciPy's wherever bins are frequent, and says the obvious elsewhere."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2_contingency, ncx2

from model_exporter.drift.cells import LEAST_EXPECTED, pooled
from model_exporter.drift.detect import POWER, detect

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)
frequent = st.lists(st.integers(40, 400), min_size=2, max_size=12)
any_counts = st.lists(st.integers(0, 60), min_size=2, max_size=12)


def sides(data, counts):
    first = data.draw(counts)
    second = data.draw(st.lists(st.integers(0, 400), min_size=len(first), max_size=len(first)))
    return np.array(first), np.array(second)


@EXAMPLES
@given(st.data(), st.sampled_from([0.0, 0.01, 0.1]), st.sampled_from([1, 2.5]))
def test_the_decision_is_that_of_scipy(counted, data, tolerance, effect) -> None:
    """It turns at the p-value that SciPy's statistic has in SciPy's noncentral distribution."""
    reference, current = sides(data, frequent)
    current = current + 40
    table = np.stack([reference, current]) / effect
    assume(pooled(table)[0].shape == table.shape)
    found = chi2_contingency(table, correction=False, lambda_=POWER)
    noise = (1 / table.sum(axis=1)).sum()
    p_value = ncx2.sf(found.statistic, found.dof, tolerance / noise)
    assume(1e-200 < p_value < 0.99)
    for factor, expected in ((0.999, False), (1.001, True)):
        verdict = detect(
            counted(reference, current),
            tolerance=tolerance,
            significance=factor * p_value,
            design_effect=effect,
        )
        assert verdict.detected is expected
        critical = ncx2.isf(factor * p_value, found.dof, tolerance / noise)
        assert verdict.psi_critical == pytest.approx(noise * critical)


@EXAMPLES
@given(st.data())
def test_pooling_keeps_rows_and_leaves_no_rare_cell(data) -> None:
    reference, current = sides(data, any_counts)
    assume(reference.sum() and current.sum())
    table = np.stack([reference, current]).astype(float)
    cells, _ = pooled(table)
    assert cells.sum(axis=1).tolist() == table.sum(axis=1).tolist()
    smallest = cells.sum(axis=0).min() * cells.sum(axis=1).min() / cells.sum()
    assert smallest >= LEAST_EXPECTED or cells.shape[1] == 1


def test_bins_that_are_all_rare_are_pooled_with_their_neighbours() -> None:
    cells, rare = pooled(np.full((2, 10), 2.0))
    assert cells.tolist() == [[8, 6, 6]] * 2
    assert rare.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("unseen", "reference_rows"), [(60, 1_000), (400, 1_000), (4, 1_000_000), (400, 1_000_000)]
)
def test_a_category_that_nobody_has_seen_is_found(counted, unseen, reference_rows) -> None:
    """Even where nothing but two large categories could take it in."""
    half = reference_rows // 2
    verdict = detect(
        counted([half, half, 0], [500 - unseen // 2, 500 - unseen // 2, unseen]),
        tolerance=0.0,
        significance=1e-6,
    )
    assert verdict.detected
    assert binom.sf(unseen - 1, unseen, 1000 / (1000 + reference_rows)) < 0.5e-6


def test_a_constant_that_stays_has_not_drifted(counted) -> None:
    verdict = detect(counted([100], [50]), tolerance=0, significance=0.05)
    assert (verdict.detected, verdict.psi_critical) == (False, None)


@pytest.mark.parametrize("sides", [([5, 5], [0, 0]), ([0, 0], [5, 5])])
def test_nothing_is_said_of_nothing(counted, sides) -> None:
    assert detect(counted(*sides), tolerance=0.01, significance=0.05) is None


def test_more_rows_need_less_drift_but_never_less_than_the_tolerance(counted) -> None:
    reference = np.full(10, 1_000_000)
    critical = [
        detect(counted(reference, np.full(10, n)), tolerance=0.01, significance=1e-6).psi_critical
        for n in (10, 100, 1_000, 10_000, 100_000, 1_000_000)
    ]
    assert critical == sorted(critical, reverse=True)
    assert critical[0] > 0.4
    assert 0.01 < critical[-1] < 0.011
