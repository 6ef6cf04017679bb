"""Whether the labelled rows of a window are like all of its rows.

Which predictions get a label is seldom left to chance: rejected loans are never repaid or
defaulted, suspicious payments are checked first. Every score is over labelled rows only, so it
speaks of all rows only as far as the labelled ones are like them.
"""

from collections.abc import Iterator

import numpy as np

from model_exporter.distribution import INVALID, MISSING, CategoricalDistribution
from model_exporter.drift import Comparison
from model_exporter.drift.chi2 import chi2
from model_exporter.drift.psi import psi
from model_exporter.job.columns import score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.totals import Totals
from model_exporter.records import OTHER, Subject, Task

NOT_NUMBERS = (str(MISSING), str(INVALID))
NO_CLASS = ("",)
"""Keys of what is in no bin."""


def put_selection(
    snapshot: Snapshot, model: ModelConfig, labels: tuple[str, str, str], totals: Totals
) -> None:
    """Put how far predictions and scores of labelled rows are from those of all rows.

    The index is of the labelled against all rows; the p-value is of the labelled against the
    others, which are another sample, and says whether the index is more than noise.
    """
    for subject, feature in _subjects(model, labels[1]):
        unusable = NOT_NUMBERS if _numeric(model, subject) else NO_CLASS
        all_rows, labeled = (
            {key: n for key, n in totals.keys(stat, feature).items() if key not in unusable}
            for stat in (subject, f"labeled_{subject}")
        )
        others = {key: n - labeled.get(key, 0) for key, n in all_rows.items()}
        index = psi(_comparison(all_rows, labeled))
        if index is None:
            continue
        where = (*labels, subject, feature)
        snapshot.put("model_label_selection_psi", where, index.value)
        test = chi2(_comparison(others, labeled))
        if test is not None and test.p_value is not None:
            snapshot.put("model_label_selection_p_value", where, test.p_value)


def _subjects(model: ModelConfig, version: str) -> Iterator[tuple[str, str]]:
    """Yield what has bins: classes have by themselves, numbers where there is a baseline."""
    baseline = model.baseline(version)
    for subject, name in (
        (Subject.PREDICTION, ""),
        *((Subject.SCORE, name) for name in score_classes(model)),
    ):
        binned = baseline is not None and baseline.distribution(subject, name) is not None
        if binned or not _numeric(model, subject):
            yield subject, name


def _numeric(model: ModelConfig, subject: str) -> bool:
    return subject == Subject.SCORE or model.task is Task.REGRESSION


def _comparison(reference: dict[str, int], current: dict[str, int]) -> Comparison:
    names = sorted({*reference, *current} - {OTHER})
    counts = np.array([reference.get(name, 0) for name in (*names, OTHER)], dtype=np.int64)
    return Comparison.categorical(CategoricalDistribution(tuple(names), counts, 0), current)
