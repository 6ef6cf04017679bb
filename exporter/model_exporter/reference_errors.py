"""What the labels of the reference tell about errors to come: all that estimates rest on.

Fitted by `estimates.fit` where a baseline has labels, kept in the baseline's file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often each score of a class came true: an increasing function in blocks.

    Attributes
    ----------
    first, last
        Lowest and highest score of each block, ascending. Between blocks the value is linear,
        beyond them that of the nearest.
    value
        Share of the block's rows that were of the class.
    rows
        Rows of the block: what its value is sure to.

    Examples
    --------
    >>> c = Calibration((0.2, 0.6), (0.4, 0.9), (0.1, 0.5), (30, 20))
    >>> c.apply(np.array([0.0, 0.3, 0.5, 1.0])).round(2).tolist()
    [0.1, 0.1, 0.3, 0.5]
    """

    first: tuple[float, ...]
    last: tuple[float, ...]
    value: tuple[float, ...]
    rows: tuple[int, ...]

    def apply(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated probability of each score."""
        ends = np.ravel([self.first, self.last], order="F")
        kept = np.append(True, np.diff(ends) > 0)  # a block of one score has one end
        values = np.interp(scores, ends[kept], np.repeat(self.value, 2)[kept])
        return np.asarray(values, dtype=np.float64)

    def block(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the block of each score; between two, the lower one."""
        found = np.searchsorted(self.first, scores, side="right") - 1
        return np.clip(found, 0, len(self.first) - 1).astype(np.int64)

    def variance(self) -> NDArray[np.float64]:
        """Return the variance of each block's value; half a row is added to either side."""
        rows = np.asarray(self.rows, dtype=np.float64)
        smooth = (np.asarray(self.value) * rows + 0.5) / (rows + 1)
        return smooth * (1 - smooth) / rows


Effects = Mapping[str, tuple[float, ...]]
"""A number for each bin, by feature; under ``""`` for the bins of the prediction."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of a regression model as a sum of effects of the bins that a row is in.

    Attributes
    ----------
    mean, deviation, rows
        Mean over the reference's rows, standard deviation of what the effects leave unexplained,
        and number of rows.
    effects
        What a row of each bin loses more than the mean; their mean over the reference is 0.
    variances
        Of the effects.
    """

    mean: float
    deviation: float
    rows: int
    effects: Effects
    variances: Effects


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of a regression model by key of the score, and the bins' shares of the reference."""

    by_key: Mapping[str, Loss]
    shares: Effects


@dataclass(frozen=True, slots=True)
class ReferenceErrors:
    """What estimates of quality rest on.

    Attributes
    ----------
    calibrations
        By class as in the baseline's `scores`; a class whose raw score is as good has none.
    losses
        Of a regression model with rows enough to tell, else None.
    deviations
        Standard deviation per row of each score, by its key: over the root of the rows of a
        window it is NannyML's sampling error.
    """

    calibrations: Mapping[str, Calibration]
    losses: Losses | None
    deviations: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # lists, not tuples
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        losses = data["losses"]
        return cls(
            calibrations={n: Calibration(**_tuples(c)) for n, c in data["calibrations"].items()},
            losses=losses
            and Losses(
                by_key={key: _loss(loss) for key, loss in losses["by_key"].items()},
                shares=_tuples(losses["shares"]),
            ),
            deviations=data["deviations"],
        )


def _loss(data: Mapping[str, Any]) -> Loss:
    tables = {name: _tuples(data[name]) for name in ("effects", "variances")}
    return Loss(**{**data, **tables})


def _tuples(columns: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(column) for name, column in columns.items()}
