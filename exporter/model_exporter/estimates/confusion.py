"""Expected confusion matrix, the scores on it, and their bands.

The labels of a window are thought of as drawn, each row's by its probabilities. The value of a
score is that of the expected matrix; its variance is that of the drawn one, plus that of the
reference's rows that the calibration rests on, both by the delta method.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_exporter.estimates.rows import ExpectedRows, totals
from model_exporter.records import Estimate
from model_exporter.scores.confusion import ratio
from model_exporter.scores.intervals import Z
from model_exporter.scores.score import Estimates

Floats = NDArray[np.float64]
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Slope:
    """A score of an expected matrix, and its derivative by class.

    Attributes
    ----------
    right, labelled
        By the rows that are right, and by those labelled, each of shape (k,). Those predicted are
        known, and have none.
    """

    value: float
    right: Floats
    labelled: Floats
    lowest: float = 0.0


def expected_cells(rows: ExpectedRows) -> tuple[Floats, Floats]:
    """Return expected rows by label (first axis) and predicted class, and their variance."""
    size = len(rows.names)
    cells, spread = np.zeros((size, size)), np.zeros((size, size))
    for name, scored in rows.classes.items():
        place = rows.place(name)
        for table, values in ((cells, scored.expected), (spread, scored.spread)):
            table[place] = totals(scored.predicted, values, size)
    if rows.binary:
        cells[0], spread[0] = rows.predicted - cells[1], spread[1]
    return cells, spread


def confusion_estimates(parts: Sequence[ExpectedRows]) -> Mapping[str, Estimates]:
    """Return the scores of the confusion matrix, by the key of their family.

    Each part may have its own calibrations; all have the same names. Averages run over all
    classes: a window without labels does not tell which will be absent.
    """
    tables = [expected_cells(part) for part in parts]
    cells = np.sum([table for table, _ in tables], axis=0)
    if not cells.any():
        return {}
    binary = parts[0].binary
    found = {
        key: {extra: _with_band(slope, parts, tables) for extra, slope in slopes.items()}
        for key, slopes in _slopes(cells, binary=binary).items()
    }
    return {key: estimates for key, estimates in found.items() if estimates}


def _slopes(cells: Floats, *, binary: bool) -> dict[str, dict[tuple[str, ...], Slope]]:
    right, labelled, predicted = np.diagonal(cells), cells.sum(axis=1), cells.sum(axis=0)
    rows, none = float(cells.sum()), np.zeros(len(cells))
    accuracy = Slope(float(right.sum() / rows), np.full(len(cells), 1 / rows), none)
    recall = ratio(right, labelled)
    both = labelled + predicted
    f1 = ratio(2 * right, both)
    one = np.ones(len(cells))
    by_class = {
        "precision": (ratio(right, predicted), ratio(one, predicted), none, predicted),
        "recall": (recall, ratio(one, labelled), -ratio(recall, labelled), labelled),
        "f1": (f1, ratio(2 * one, both), -ratio(f1, both), both),
    }
    found: dict[str, dict[tuple[str, ...], Slope]] = {"accuracy": {(): accuracy}}
    for key, (values, by_right, by_label, of) in by_class.items():
        share = labelled / rows
        found[key] = {
            ("macro",): _mean(values, by_right, by_label),
            ("micro",): accuracy,
            ("weighted",): Slope(
                float(share @ values), share * by_right, values / rows + share * by_label
            ),
        }
        if binary and of[1] > 0:
            found[key]["binary",] = _only(1, values, by_right, by_label)
    _, by_right, by_label, _ = by_class["recall"]
    if (labelled > 0).all() or not binary:
        found["balanced_accuracy"] = {(): _mean(recall, by_right, by_label)}
    if binary and labelled[0] > 0:
        found["specificity"] = {(): _only(0, recall, by_right, by_label)}
    # Expected rows are not whole: of one class up to rounding is of one class.
    if max(labelled.max(), predicted.max()) < rows * (1 - ROUNDING):
        found["mcc"] = {(): _mcc(right, labelled, predicted)}
    return found


def _mean(values: Floats, by_right: Floats, by_label: Floats) -> Slope:
    return Slope(float(values.mean()), by_right / values.size, by_label / values.size)


def _only(place: int, values: Floats, by_right: Floats, by_label: Floats) -> Slope:
    chosen = np.arange(values.size) == place
    return Slope(float(values[place]), by_right * chosen, by_label * chosen)


def _mcc(right: Floats, labelled: Floats, predicted: Floats) -> Slope:
    rows, hits = predicted.sum(), right.sum()
    by_label = float((labelled * (rows - labelled)).sum())
    scale = math.sqrt(by_label) * math.sqrt((predicted * (rows - predicted)).sum())
    value = float((hits * rows - labelled @ predicted) / scale)
    slopes = (hits - predicted) / scale - value * (rows - labelled) / by_label
    return Slope(value, np.full(right.size, rows / scale), slopes, lowest=-1.0)


def _with_band(
    slope: Slope, parts: Sequence[ExpectedRows], tables: Sequence[tuple[Floats, Floats]]
) -> Estimate:
    by_cell = slope.labelled[:, None] + np.diag(slope.right)
    variance = sum(
        _drawn(by_cell, *table) + _fitted(by_cell, table[0], part)
        for part, table in zip(parts, tables, strict=True)
    )
    return band(slope.value, variance, lowest=slope.lowest, highest=1.0)


def band(value: float, variance: float, *, lowest: float, highest: float) -> Estimate:
    """Return an estimate with the band that holds 95 % of what the labels will give."""
    half = Z * math.sqrt(max(0.0, variance))
    return Estimate(value, max(lowest, value - half), min(highest, value + half))


def _drawn(by_cell: Floats, cells: Floats, spread: Floats) -> float:
    """Variance from the labels being drawn.

    Cells of one predicted class are correlated as those of equal rows are; their variances are
    exact. With two classes that is all there is to know.
    """
    rows = cells.sum(axis=0)
    share = ratio(cells, np.broadcast_to(rows, cells.shape))
    alike = rows * share * (1 - share)
    shrink = np.sqrt(ratio(spread, alike))
    apart = shrink * (by_cell - (share * by_cell).sum(axis=0))
    return float((rows * ((share * apart**2).sum(axis=0) - (share * apart).sum(axis=0) ** 2)).sum())


def _fitted(by_cell: Floats, cells: Floats, part: ExpectedRows) -> float:
    """Variance from the calibration resting on so many rows of the reference."""
    share = ratio(cells, np.broadcast_to(cells.sum(axis=0), cells.shape))
    total = 0.0
    for name, calibration in part.calibrations.items():
        place, scored = part.place(name), part.classes[name]
        # What one class gains the others lose.
        others = by_cell[0] if part.binary else (share * by_cell).sum(axis=0)
        effect = scored.rows * (by_cell[place] - others)[scored.predicted]
        total += fitted_variance(effect, calibration.block(scored.scores), calibration.variance())
    return total


def fitted_variance(effect: Floats, block: NDArray[np.int64], variance: Floats) -> float:
    """Return the variance of a sum of effects, each in proportion to the value of a block."""
    by_block = totals(block, effect, variance.size)
    return float(by_block**2 @ variance)
