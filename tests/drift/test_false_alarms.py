"""Without drift the test speaks as seldom as it was told to, by simulation with fixed seeds."""

import numpy as np
import pytest
from scipy.stats import chi2, ncx2

from model_exporter.drift.detect import detect

TEN_BINS = np.full(10, 0.1)
SHAPES = {
    "10 bins": TEN_BINS,
    "3 alike": np.full(3, 1 / 3),
    "50 alike": np.full(50, 1 / 50),
    "3 skewed": np.array([0.9, 0.07, 0.03]),
    "2 rare": np.array([0.995, 0.005]),
    "20 by Zipf": (1 / np.arange(1, 21)) / (1 / np.arange(1, 21)).sum(),
    "50 by Zipf squared": (np.arange(1, 51) ** -2.0) / (np.arange(1, 51) ** -2.0).sum(),
}


def alarms(counted, references, windows, **options) -> int:
    pairs = zip(references, windows, strict=True)
    return sum(detect(counted(r, w), **options).detected for r, w in pairs)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reference_rows", [500, 5_000, 1_000_000])
def test_the_rate_is_at_most_nominal(counted, most_expected, shape, reference_rows) -> None:
    """1,000 pairs of samples for each size of the window, each at the level of 1 %."""
    rng = np.random.default_rng(list(SHAPES).index(shape))
    trials = 1_000
    for rows in (50, 100, 1_000, 10_000, 1_000_000):
        references = rng.multinomial(reference_rows, SHAPES[shape], size=trials)
        windows = rng.multinomial(rows, SHAPES[shape], size=trials)
        found = alarms(counted, references, windows, tolerance=0.0, significance=0.01)
        assert found <= most_expected(trials, 0.01), rows


@pytest.mark.parametrize(
    ("shape", "rows", "reference_rows", "trials", "level"),
    [
        ("10 bins", 50, 10_000, 400_000, 1e-5),
        ("10 bins", 1_000, 1_000_000, 400_000, 1e-5),
        ("3 skewed", 100, 1_000_000, 1_000_000, 1e-5),
        ("3 skewed", 1_000, 5_000, 1_000_000, 1e-5),
        ("2 rare", 1_000, 1_000_000, 1_000_000, 1e-5),
        ("20 by Zipf", 100, 10_000, 20_000, 1e-3),
    ],
)
def test_the_far_tail_holds_where_pearsons_does_not(
    counted, divergence, most_expected, shape, rows, reference_rows, trials, level
) -> None:
    """A month of looks asks for levels that a thousand samples cannot show.

    The rate is within twice the level; a month's number is held below with more to spare. Only
    samples that differ at all are given to the test: pooling makes the statistic smaller, and no
    critical value is below that of one degree of freedom.
    """
    rng = np.random.default_rng(7)
    found, least = 0, chi2.isf(level, 1)
    for _ in range(4):
        references = rng.multinomial(reference_rows, SHAPES[shape], size=trials // 4)
        windows = rng.multinomial(rows, SHAPES[shape], size=trials // 4)
        unlike = divergence(references, windows) > least
        options = {"tolerance": 0.0, "significance": level}
        found += alarms(counted, references[unlike], windows[unlike], **options)
    assert found <= most_expected(trials, 2 * level)


@pytest.mark.parametrize("rows", [1_000, 10_000, 1_000_000])
@pytest.mark.parametrize("reference_rows", [10_000, 1_000_000])
def test_drift_as_large_as_tolerated_is_no_alarm(
    counted, most_expected, rows, reference_rows
) -> None:
    """However many rows make it significant; twice as much is found once there are enough."""
    rng = np.random.default_rng(8)
    trials, tolerance = 1_000, 0.01
    for factor in (1.0, 2.0):
        moved = _moved(TEN_BINS, factor * tolerance, rows / (rows + reference_rows))
        references = rng.multinomial(reference_rows, TEN_BINS, size=trials)
        windows = rng.multinomial(rows, moved, size=trials)
        found = alarms(counted, references, windows, tolerance=tolerance, significance=0.01)
        noise = 1 / rows + 1 / reference_rows
        critical = ncx2.isf(0.01, 9, tolerance / noise)
        power = ncx2.sf(critical, 9, factor * tolerance / noise)
        assert found <= most_expected(trials, power)
        if power > 0.1:
            assert found >= 0.9 * trials * power


def _moved(shares, amount, of_rows):
    """Move mass between halves of the bins until the chi-squared divergence is `amount`."""
    direction = np.where(np.arange(shares.size) % 2, 1.0, -1.0) * shares
    low, high = 0.0, 0.9
    for _ in range(60):
        size = (low + high) / 2
        moved = shares + size * direction
        shared = (1 - of_rows) * shares + of_rows * moved
        low, high = (size, high) if ((moved - shares) ** 2 / shared).sum() < amount else (low, size)
    return moved


@pytest.mark.parametrize("size", [2, 5])
def test_clustered_rows_are_no_drift_once_their_effect_is_known(
    counted, most_expected, size
) -> None:
    """Rows in clusters of `size` alike; without the correction most windows are alarms."""
    rng = np.random.default_rng(9)
    trials = 1_000
    for rows in (500, 5_000):
        references = size * rng.multinomial(20_000 // size, TEN_BINS, size=trials)
        windows = size * rng.multinomial(rows // size, TEN_BINS, size=trials)
        options = {"tolerance": 0.0, "significance": 0.01}
        found = alarms(counted, references, windows, design_effect=size, **options)
        assert found <= most_expected(trials, 0.01)
        assert alarms(counted, references, windows, **options) > 10 * 0.01 * trials
