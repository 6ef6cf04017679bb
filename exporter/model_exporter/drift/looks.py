"""From the false alarms that a user accepts to the significance of one look."""

MONTH_SECONDS = 30 * 24 * 3600

LOOKS_PER_WINDOW = 32
"""Independent looks that a window is worth while it slides by its own length.

A statistic of overlapping windows changes little by little, yet it crosses a high level more often
than one of disjoint windows: at x, chi-squared with d degrees of freedom starts about
(x - d)(x - d + 2) / x times as many excursions as there are windows (Aldous, Probability
Approximations via the Poisson Clumping Heuristic, 1989): 24 for one degree, 30 for nine and 36 for
49, at the level of 1e-6. Looks every 30 s show two thirds of the excursions, every 5 min half."""

MOST = 0.05
"""The habitual level, where few looks would allow for more."""


def significance(*, false_alarms_per_month: float, series: int, window_seconds: float) -> float:
    """Return the level of one look, so that all looks of a month give so many false alarms.

    A false alarm is an excursion: one begins, lasts and ends. Their expected number adds up over
    series and windows whether these are independent or not, so that no correction for their
    correlation is needed.

    Parameters
    ----------
    series
        Series that are tested: subjects times windows.
    window_seconds
        Length of the window; it slides all the time.

    Examples
    --------
    >>> level = significance(false_alarms_per_month=1, series=60, window_seconds=3600)
    >>> f"{level:.1e}"
    '7.2e-07'
    """
    looks = LOOKS_PER_WINDOW * MONTH_SECONDS / window_seconds
    return min(MOST, false_alarms_per_month / (series * looks))
