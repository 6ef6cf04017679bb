"""NDCG and precision at k: scikit-learn and all orders of ties as oracles, intervals simulated."""

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter.scores.ranked_lists import Lists, at_k, ranked

row = st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 2))


@settings(deadline=None, derandomize=True)
@given(st.lists(row, min_size=1, max_size=30), st.integers(1, 6))
def test_against_scikit_learn(rows, k: int) -> None:
    """Of each list with ties in any place; lists of one row, which it refuses, by hand."""
    group, score, gain = (np.array(column) for column in zip(*rows, strict=True))
    ndcg, precision = [], []
    for name in np.unique(group):
        s, g = score[group == name], gain[group == name].astype(float)
        if g.any():
            ndcg.append(oracle.ndcg_score([g], [s], k=k) if g.size > 1 else 1.0)
        rng = np.random.default_rng(0)
        draws = [np.lexsort((rng.random(s.size), -s))[:k] for _ in range(400)]
        precision.append(np.mean([(g[order] > 0).sum() / k for order in draws]))
    found = at_k(ranked(group, score.astype(float), gain.astype(float)), k)
    assert found["precision"].value == pytest.approx(np.mean(precision), abs=0.12)
    assert (found["ndcg"] is None) == (not ndcg)
    if ndcg:
        assert found["ndcg"].value == pytest.approx(np.mean(ndcg))
    for estimate in filter(None, found.values()):
        assert 0 <= estimate.lower <= estimate.value <= estimate.upper <= 1


def test_without_rows_nothing_is_defined() -> None:
    none = np.empty(0)
    assert at_k(ranked(none.astype(np.int64), none, none), 3) == {"ndcg": None, "precision": None}


def draw(rng: np.random.Generator, lists: int, noise: float) -> Lists:
    size = rng.poisson(8, lists) + 1
    group = np.repeat(np.arange(lists), size)
    gain = (rng.random(group.size) < 0.25) * rng.integers(1, 4, group.size).astype(float)
    return ranked(group, np.round(gain + noise * rng.normal(size=group.size), 1), gain)


@pytest.mark.parametrize("noise", [0.5, 1.0, 3.0])
def test_intervals_hold_the_truth(noise: float) -> None:
    """93 to 97 % of 1,000 draws of 50 and 500 lists, and of 300 of 5,000."""
    truth = {n: e.value for n, e in at_k(draw(np.random.default_rng(0), 400_000, noise), 5).items()}
    for lists, draws in ((50, 1_000), (500, 1_000), (5_000, 300)):
        rng = np.random.default_rng(lists)
        held: dict[str, list[bool]] = {name: [] for name in truth}
        for _ in range(draws):
            for name, e in at_k(draw(rng, lists, noise), 5).items():
                held[name].append(e.lower <= truth[name] <= e.upper)
        for name, found in held.items():
            assert 0.91 < np.mean(found) < 0.99, (name, lists)
