"""Cohorts: predictions by their age, with how many of them are labelled and how good those are.

The labels of young predictions are the quick ones, which need not be like the rest. Beside older
cohorts one sees what a score of the newest window is worth yet.
"""

from collections.abc import Iterator
from itertools import pairwise

from model_exporter.catalogue import SCORES
from model_exporter.job.config import ModelConfig
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.totals import Interval, Totals
from model_exporter.records import Estimate

Estimates = dict[str, dict[tuple[str, ...], Estimate]]


def cohorts_of(model: ModelConfig, now: int) -> dict[str, Interval]:
    """Return the interval of each of the model's cohorts, by its name; times in microseconds.

    Examples
    --------
    Of `cohorts: [1d, 7d]`: ``0-1d`` is (now - 1d, now], ``1d-7d`` is (now - 7d, now - 1d].
    """
    ages = [("0", 0), *((age.text, age.microseconds) for age in model.cohorts)]
    return {
        f"{young}-{old}": (now - oldest + 1, now - youngest + 1)
        for (young, youngest), (old, oldest) in pairwise(ages)
    }


def put_cohort(
    snapshot: Snapshot,
    labels: tuple[str, str, str],
    totals: Totals,
    estimates: Estimates,
    *,
    average: str,
) -> None:
    """Put what is known about one cohort of one version.

    `average` is the one that stands for precision, recall and F1; scores of single classes are
    left out.
    """
    predictions, labeled = totals.count("predictions"), totals.count("labeled")
    snapshot.put("model_cohort_predictions", labels, predictions)
    snapshot.put("model_cohort_labeled_predictions", labels, labeled)
    if predictions:
        snapshot.put("model_cohort_label_coverage_ratio", labels, labeled / predictions)
    for key, estimate in _main(estimates, average):
        snapshot.put("model_cohort_score", (*labels, key), estimate.value)
        if estimate.lower is not None:
            snapshot.put("model_cohort_score_lower", (*labels, key), estimate.lower)
        if estimate.upper is not None:
            snapshot.put("model_cohort_score_upper", (*labels, key), estimate.upper)


def _main(estimates: Estimates, average: str) -> Iterator[tuple[str, Estimate]]:
    for family in SCORES:
        extra = {(): (), ("average",): (average,)}.get(family.extra)
        found = estimates.get(family.name, {})
        if extra in found:
            yield family.key, found[extra]
