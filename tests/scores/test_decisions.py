"""Thresholds and values: scikit-learn and sums over rows as oracles, intervals by simulation."""

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter.scores.decisions import at_threshold, decision_scores, mean_value
from model_exporter.scores.statistics import ScoreHistogram

rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 10)), min_size=1, max_size=40)


def histogram(y: np.ndarray, s: np.ndarray) -> ScoreHistogram:
    values = np.unique(s)
    count = [[int(((s == v) & (y == k)).sum()) for v in values] for k in (0, 1)]
    return ScoreHistogram(values, negatives=np.array(count[0]), positives=np.array(count[1]))


@settings(deadline=None, derandomize=True)
@given(rows, st.integers(0, 10))
def test_scores_at_a_threshold_are_those_of_scikit_learn(pairs, tenth: int) -> None:
    y, s = (np.array(column) for column in zip(*pairs, strict=True))
    p = (s >= tenth).astype(int)
    confusion = at_threshold(histogram(y, s / 10), tenth / 10)
    assert confusion.tolist() == oracle.confusion_matrix(y, p, labels=[0, 1]).tolist()
    expected = {
        "precision": oracle.precision_score(y, p, zero_division=np.nan),
        "recall": oracle.recall_score(y, p, zero_division=np.nan),
        "specificity": oracle.recall_score(y, p, pos_label=0, zero_division=np.nan),
        "f1": oracle.f1_score(y, p, zero_division=np.nan),
    }
    for name, estimate in decision_scores(confusion).items():
        found = np.nan if estimate is None else estimate.value
        assert found == pytest.approx(expected[name], nan_ok=True), name


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 2), min_size=1, max_size=40))
def test_value_is_the_mean_over_rows(pairs) -> None:
    values = np.array([[1.5, -2, 0], [-20, 12, 3], [0.25, 0, 7]])
    confusion = np.zeros((3, 3), dtype=np.int64)
    for y, p in pairs:
        confusion[y, p] += 1
    found = mean_value(confusion, values)
    assert found.value == pytest.approx(np.mean([values[y, p] for y, p in pairs]))
    assert values.min() <= found.lower <= found.value <= found.upper <= values.max()


def test_value_is_undefined_without_rows_and_sure_where_all_cells_are_worth_the_same() -> None:
    assert mean_value(np.zeros((2, 2), dtype=np.int64), np.eye(2)) is None
    found = mean_value(np.array([[3, 1], [0, 2]]), np.full((2, 2), 4.0))
    assert (found.lower, found.value, found.upper) == (4, 4, 4)


POPULATIONS = {
    "usual": ([0.7, 0.08, 0.05, 0.17], [0, -3, -20, 12]),
    "rare loss": ([0.6, 0.1, 0.005, 0.295], [1, -1, -100, 10]),
    "rare positives": ([0.93, 0.03, 0.01, 0.03], [0, -3, -20, 12]),
}


@pytest.mark.parametrize("n", [50, 500, 5000])
@pytest.mark.parametrize("population", POPULATIONS)
def test_interval_of_the_value_holds_the_truth(population: str, n: int) -> None:
    """Measured with 4,000 draws: 94 to 97 %, at 50 rows of rare cells up to 100 %."""
    shares, worth = POPULATIONS[population]
    values = np.array(worth, dtype=float).reshape(2, 2)
    rng = np.random.default_rng(n)
    held = []
    for cells in rng.multinomial(n, shares, size=2_000):
        found = mean_value(cells.reshape(2, 2), values)
        held.append(found.lower <= np.dot(shares, worth) <= found.upper)
    assert np.mean(held) > 0.93
    if n > 50:
        assert np.mean(held) < 0.97


@pytest.mark.parametrize("n", [50, 500, 5000])
def test_intervals_at_a_threshold_hold_the_truth(n: int) -> None:
    """93 to 97 % of 2,000 draws."""
    shares = np.array([[0.5, 0.15], [0.1, 0.25]])
    truth = {n: e.value for n, e in decision_scores((shares * 1000).round().astype(int)).items()}
    rng = np.random.default_rng(n)
    held: dict[str, list[bool]] = {name: [] for name in truth}
    for cells in rng.multinomial(n, shares.ravel(), size=2_000):
        for name, e in decision_scores(cells.reshape(2, 2)).items():
            held[name].append(e.lower <= truth[name] <= e.upper)
    assert {name for name, h in held.items() if not 0.93 < np.mean(h) < 0.97} == set()
