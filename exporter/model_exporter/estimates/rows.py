"""Rows without labels, as sums: who scored how much, was predicted what, and is expected to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model_exporter.reference_errors import Calibration

STEPS_PER_LOG_ODDS = 1 << 10
"""Scores closer than this are one: areas and losses move by less than 1e-4."""
CERTAIN = 1 << 20
"""Step of probability 1 (and, negated, of 0): beyond the log-odds of every other float64."""

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRows:
    """Rows by score of one class and predicted class, each of shape (m,).

    Attributes
    ----------
    step
        The score on a grid of log-odds.
    predicted
        Place of the predicted class among the names of `ExpectedRows`.
    rows, expected, spread
        Rows; the sum of their probabilities p of being of the class; the sum of p (1 - p).
    """

    step: Whole
    predicted: Whole
    rows: Floats
    expected: Floats
    spread: Floats

    @property
    def scores(self) -> Floats:
        """The score in the middle of each step."""
        middle = np.where(np.abs(self.step) == CERTAIN, self.step, self.step + 0.5)
        # Beyond 700 the exponential would overflow; the score is 0 or 1 there to the last bit.
        odds = np.clip(middle / STEPS_PER_LOG_ODDS, -700.0, 700.0)
        return np.where(np.abs(self.step) == CERTAIN, self.step > 0, 1 / (1 + np.exp(-odds)))


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedRows:
    """Rows that one reference speaks for.

    Attributes
    ----------
    names
        Classes, shape (k,). Binary: the negative class first, the positive second.
    predicted
        Rows by predicted class, shape (k,).
    classes
        By class of the scores; under ``""`` for binary.
    calibrations
        Those that `expected` rests on; a class without has its raw scores for probabilities.
    """

    names: tuple[str, ...]
    predicted: Floats
    classes: Mapping[str, ScoredRows]
    calibrations: Mapping[str, Calibration]

    @property
    def binary(self) -> bool:
        """Whether there is one score, that of the second class."""
        return "" in self.classes

    def place(self, name: str) -> int:
        """Return the place of a class of the scores among the names."""
        return 1 if self.binary else self.names.index(name)


def expected_rows(
    names: Sequence[str],
    *,
    predicted: Whole,
    scores: Mapping[str, Floats],
    calibrations: Mapping[str, Calibration],
    rows: Floats | None = None,
) -> ExpectedRows:
    """Sum rows up by step of score and predicted class.

    Parameters
    ----------
    names
        All classes. Binary: the negative, then the positive.
    predicted, scores
        Per row: the place of the predicted class among `names`, and the score of each class
        (``""`` for the one of a binary model). Rows where a score is not finite are left out.
    calibrations
        By class of the scores; empty to take the scores as probabilities. Those of several classes
        are scaled to sum to 1 in each row, as NannyML does.
    rows
        How many rows each stands for; 1 unless given.

    Examples
    --------
    >>> found = expected_rows(
    ...     ("0", "1"), predicted=np.array([0, 1, 1]),
    ...     scores={"": np.array([0.2, 0.9, 0.9])}, calibrations={},
    ... )
    >>> found.classes[""].expected.round(3).tolist(), found.predicted.tolist()
    ([0.2, 1.8], [1.0, 2.0])
    """
    return UnlabelledRows(
        names, predicted=predicted, scores=scores, calibrations=calibrations, rows=rows
    ).sums()


class UnlabelledRows:
    """Rows with what each is expected to be, of which any part can be summed up.

    The parameters are those of `expected_rows`.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        predicted: Whole,
        scores: Mapping[str, Floats],
        calibrations: Mapping[str, Calibration],
        rows: Floats | None = None,
    ) -> None:
        self._names = tuple(names)
        self._known = np.all([np.isfinite(column) for column in scores.values()], axis=0)
        self._weights = np.ones(self._known.sum()) if rows is None else rows[self._known]
        self._predicted = predicted[self._known]
        columns = {name: column[self._known] for name, column in scores.items()}
        self._calibrations = {n: calibrations[n] for n in columns if n in calibrations}
        chances = {
            name: calibrations[name].apply(column) if name in calibrations else column
            for name, column in columns.items()
        }
        if "" not in columns:
            total = np.sum(list(chances.values()), axis=0)
            even = np.full(total.shape, 1 / len(chances))
            chances = {
                name: np.divide(chance, total, out=even.copy(), where=total > 0)
                for name, chance in chances.items()
            }
        self._columns = {
            name: _Column.of(columns[name], chances[name], self._predicted, self._weights)
            for name in columns
        }

    def sums(self, chosen: NDArray[np.bool_] | None = None) -> ExpectedRows:
        """Sum up the rows of a mask, or all."""
        inside = slice(None) if chosen is None else np.flatnonzero(chosen[self._known])
        weights = self._weights[inside]
        return ExpectedRows(
            names=self._names,
            predicted=totals(self._predicted[inside], weights, len(self._names)),
            classes={name: column.sums(inside, weights) for name, column in self._columns.items()},
            calibrations=self._calibrations,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """The scores of one class, by row, each with the place of its step and predicted class."""

    step: Whole
    predicted: Whole
    place: Whole
    expected: Floats
    spread: Floats

    @classmethod
    def of(cls, scores: Floats, chances: Floats, predicted: Whole, weights: Floats) -> Self:
        width = 4 * CERTAIN  # of all steps and more, so that one key holds both
        values, place = np.unique(steps(scores) + width * predicted, return_inverse=True)
        known = (values + CERTAIN) // width
        return cls(
            step=values - width * known,
            predicted=known,
            place=place,
            expected=weights * chances,
            spread=weights * chances * (1 - chances),
        )

    def sums(self, inside: NDArray[np.int64] | slice, weights: Floats) -> ScoredRows:
        place, size = self.place[inside], self.step.size
        rows = totals(place, weights, size)
        some = np.flatnonzero(rows)
        return ScoredRows(
            step=self.step[some],
            predicted=self.predicted[some],
            rows=rows[some],
            expected=totals(place, self.expected[inside], size)[some],
            spread=totals(place, self.spread[inside], size)[some],
        )


def steps(scores: Floats) -> Whole:
    """Return the step of each score."""
    with np.errstate(divide="ignore"):
        odds = np.log(scores / (1 - scores)) * STEPS_PER_LOG_ODDS
    return np.asarray(np.floor(np.clip(odds, -CERTAIN, CERTAIN)), dtype=np.int64)


def totals(place: Whole, values: Floats, size: int) -> Floats:
    """Return the sum of the values at each place, shape (size,)."""
    return np.bincount(place, weights=values, minlength=size).astype(np.float64)
