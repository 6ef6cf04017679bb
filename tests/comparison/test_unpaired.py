"""Unpaired differences against published intervals, Welch's test and the score's own symmetry."""

import numpy as np
import pytest

from model_exporter.comparison import unpaired_difference
from model_exporter.records import Estimate
from model_exporter.scores.intervals import positive_mean, proportion
from model_exporter.scores.statistics import Moments

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize(
    ("after", "before", "bounds"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((6, 7), (2, 7), (0.0582, 0.8062)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
    ],
)
def test_proportions_have_newcombes_interval(after: tuple, before: tuple, bounds: tuple) -> None:
    """Those of table II of his paper, method 10."""
    found = unpaired_difference(proportion(*before), proportion(*after))
    assert (found.lower, found.upper) == pytest.approx(bounds, abs=6e-5)


def test_proportions_agree_with_the_score_test() -> None:
    """The p-values of the two, over equal and unequal sides: within 0.02 below 0.1, else 0.08."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        n, m = rng.integers(100, 2000, 2)
        a, b = rng.binomial(n, 0.85), rng.binomial(m, 0.87)
        table = [[a, n - a], [b, m - b]]
        exact = stats.chi2_contingency(table, correction=False).pvalue
        found = unpaired_difference(proportion(int(a), int(n)), proportion(int(b), int(m)))
        assert found.p_value == pytest.approx(exact, abs=0.02 if exact < 0.1 else 0.08)


def test_means_agree_with_welch() -> None:
    """Within 3 % of the width, and 0.01 of the p-value, at 300 and 900 rows."""
    rng = np.random.default_rng(2)
    for _ in range(50):
        one, other = rng.gamma(2, 1.0, 300), rng.gamma(2, 1.05, 900)
        a, b = (positive_mean(Moments(x.size, float(x.sum()), float(x @ x))) for x in (one, other))
        found, test = unpaired_difference(a, b), stats.ttest_ind(other, one, equal_var=False)
        low, high = test.confidence_interval()
        assert found.upper - found.lower == pytest.approx(high - low, rel=0.03)
        assert found.p_value == pytest.approx(test.pvalue, abs=0.05)


def test_exchange_turns_the_sign() -> None:
    one, other = Estimate(0.8, 0.7, 0.85), Estimate(0.9, 0.82, 0.94)
    there, back = unpaired_difference(one, other), unpaired_difference(other, one)
    assert (there.lower, there.upper) == (-back.upper, -back.lower)
    assert there.p_value == back.p_value


def test_p_value_is_below_5_percent_where_the_interval_leaves_out_0() -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        a, b = (Estimate(x, x - rng.random(), x + rng.random()) for x in 2 * rng.random(2))
        found = unpaired_difference(a, b)
        assert (found.p_value < 0.05) == (found.lower > 0 or found.upper < 0)


def test_without_an_interval_there_is_none() -> None:
    known, unknown = Estimate(0.5, 0.4, 0.6), Estimate(0.25)
    for pair in ((known, unknown), (unknown, known), (Estimate(0, 0, 0), Estimate(0, 0, 0))):
        found = unpaired_difference(*pair)
        assert found.value == pair[1].value - pair[0].value
        assert found.p_value is found.lower is found.upper is None
