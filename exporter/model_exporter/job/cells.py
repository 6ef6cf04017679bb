"""Cells: the labelled rows of a classifier, by all that the statistics of its labels tell apart.

A cell has the rows of one label, predicted class and calibration bin, and the sums of their
losses. Confusion matrix, calibration and mean losses of any window are sums of cells.
"""

from collections import Counter
from collections.abc import Iterable

import ibis
import ibis.expr.types as ir

from model_exporter.job.columns import score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.losses import (
    FIXED_EXPONENT,
    calibration_bin,
    fixed,
    with_chosen,
    with_losses,
)
from model_exporter.job.relations import whole_and_segments
from model_exporter.records import Subject, Task

KEYS = ("label", "predicted", "bin")
LOSSES = ("brier", "brier_squares", "log_loss", "log_loss_squares")
AMOUNTS = ("rows", "scored", "chosen", *LOSSES)
"""`scored` are the rows that have all probabilities, which the losses are of; `chosen` is the sum
of the probabilities that calibration judges."""

Cell = tuple[str, str, int | None, int, int, int, int, int, int, int]
"""`KEYS` and `AMOUNTS`."""
Counts = dict[tuple[str, str, str], int]
Sums = dict[tuple[str, str], tuple[int, dict[int, int]]]


def cells_of(labeled: ir.Table, model: ModelConfig) -> ir.Table:
    """Count signed rows of `delta_labeled` in cells."""
    if score_classes(model):
        labeled = with_losses(with_chosen(labeled, model), model)
    else:
        none = ibis.null("float64")
        labeled = labeled.mutate(chosen=none, brier=none, log_loss=none)
    rows = labeled.mutate(bin=calibration_bin(labeled))

    def total(value: ir.Value) -> ir.Value:
        return (fixed(value) * rows.sign).sum().fill_null(0)

    totals = {
        "rows": rows.sign.sum(),
        "scored": rows.sign.sum(where=rows.brier.notnull()).fill_null(0),
        "chosen": total(rows.chosen),
        "brier": total(rows.brier),
        "brier_squares": total(rows.brier * rows.brier),
        "log_loss": total(rows.log_loss),
        "log_loss_squares": total(rows.log_loss * rows.log_loss),
    }
    return whole_and_segments(rows, model, ["slot", *KEYS], totals)


def decoded(cells: Iterable[Cell], model: ModelConfig, *, whole: bool) -> tuple[Counts, Sums]:
    """Return what the cells of a group amount to, as counts and sums of tiles.

    Of the `whole` model also rows by label and by predicted class.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    rows_of: Counter[tuple[str, str]] = Counter()
    sum_of: Counter[tuple[str, str]] = Counter()
    for label, predicted, place, rows, scored, chosen, *losses in cells:
        counts["labeled", "", ""] += rows
        counts["confusion", label, predicted] += rows
        if whole:
            counts[Subject.LABEL, "", label] += rows
            counts[f"labeled_{Subject.PREDICTION}", "", predicted] += rows
        if place is not None:
            counts["calibration", "", str(place)] += rows
            if label == (model.positive_label if model.task is Task.BINARY else predicted):
                counts["calibration_hits", "", str(place)] += rows
            rows_of["calibration", str(place)] += rows
            sum_of["calibration", str(place)] += chosen
        for name, loss in zip(LOSSES, losses, strict=True):
            rows_of[name, ""] += scored
            sum_of[name, ""] += loss
    sums = {
        term: (rows, {FIXED_EXPONENT: sum_of[term]})
        for term, rows in rows_of.items()
        if rows or sum_of[term]  # a corrected label is a row less and a row more
    }
    return {place: count for place, count in counts.items() if count}, sums
