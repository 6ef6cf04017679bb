"""The scores of an evaluation set, candidate against champion or baseline."""

from collections.abc import Iterable, Mapping

import numpy as np

from model_exporter.catalogue import SCORE_BY_KEY, Better
from model_exporter.comparison import (
    Difference,
    Outputs,
    paired_differences,
    unpaired_difference,
)
from model_exporter.gate.evidence import Compared
from model_exporter.gate.sides import Evaluation, Floats, Side
from model_exporter.records import Estimate, Task
from model_exporter.scores import SCORES
from model_exporter.scores.intervals import Z
from model_exporter.scores.statistics import Statistics, statistics_from_rows

AVERAGES = {Task.BINARY: "binary", Task.MULTICLASS: "macro"}
"""The average that is meant where precision, recall or F1 are named without one."""


def compare_scores(found: Evaluation, keys: Iterable[str]) -> dict[str, Compared]:
    """Return the difference of each score; one that is undefined on a side is absent."""
    names = {key: SCORE_BY_KEY[key].name for key in keys}
    own = estimates(found, found.candidate, names.values())
    if found.champion is None:
        return {
            key: against(own[name], reference, found.candidate.labels.size, fixed=key)
            for key, name in names.items()
            if name in own and (reference := _of_baseline(found, name)) is not None
        }
    other = estimates(found, found.champion, names.values())
    rows = min(found.candidate.labels.size, found.champion.labels.size)
    both = [key for key, name in names.items() if name in own and name in other]
    if not found.paired:
        return {key: against(own[names[key]], other[names[key]], rows) for key in both}
    differences = {name: d for (name, *_), d in _paired(found).items()}
    return {
        key: Compared(
            differences[names[key]],
            rows,
            candidate=own[names[key]].value,
            reference=other[names[key]].value,
            paired=True,
        )
        for key in both
        if names[key] in differences
    }


def against(candidate: Estimate, reference: Estimate, rows: int, *, fixed: str = "") -> Compared:
    """Return the unpaired difference of two estimates.

    Where `fixed` names a score, the reference is a baseline: its error stays, whatever the rows.
    """
    error = 0.0
    if fixed and reference.lower is not None and reference.upper is not None:
        higher = SCORE_BY_KEY[fixed].better is Better.HIGHER
        end = reference.upper if higher else reference.lower
        error = abs(end - reference.value) / Z
    return Compared(
        unpaired_difference(reference, candidate),
        rows,
        candidate=candidate.value,
        reference=reference.value,
        fixed_error=error,
    )


def statistics_of(found: Evaluation, side: Side) -> Statistics:
    """Return the sufficient statistics of the rows of one side."""
    labels, predictions = side.labels, side.predictions
    if found.task is not Task.REGRESSION:
        names = np.array(found.classes)
        labels, predictions = names[labels], names[predictions]
    return statistics_from_rows(
        task=found.task,
        labels=labels,
        predictions=predictions,
        scores=_scores_of(found, side),
        classes=found.classes,
        positive_label=found.classes[1] if found.task is Task.BINARY else None,
    )


def estimates(found: Evaluation, side: Side, names: Iterable[str]) -> dict[str, Estimate]:
    """Return scores of one side by family name; of averages, the usual one."""
    if not side.labels.size:
        return {}
    wanted, statistics = set(names), statistics_of(found, side)
    result = {}
    for score in SCORES:
        if score.name in wanted and found.task in score.tasks:
            given = score.compute(statistics)
            for key in ((), (AVERAGES.get(found.task, ""),)):
                if key in given:
                    result[score.name] = given[key]
    return result


def _of_baseline(found: Evaluation, name: str) -> Estimate | None:
    quality: Mapping[tuple[str, ...], Estimate] = {}
    if found.baseline is not None:
        quality = found.baseline.quality.get(name, {})
    return quality.get(()) or quality.get((AVERAGES.get(found.task, ""),))


def _paired(found: Evaluation) -> dict[tuple[str, ...], Difference]:
    champion, candidate = found.champion, found.candidate
    assert champion is not None
    # With unlike classes the losses would be of unlike things.
    names = list(candidate.scores) if candidate.scores.keys() == champion.scores.keys() else []
    places = [1] if found.task is Task.BINARY and names else [found.classes.index(n) for n in names]
    return paired_differences(
        candidate.labels,
        *(
            Outputs(side.predictions, _matrix([side.scores[name] for name in names], side))
            for side in (champion, candidate)
        ),
        task=found.task,
        classes=len(found.classes),
        places=places,
    )


def _matrix(columns: list[Floats], side: Side) -> Floats:
    return np.column_stack(columns) if columns else np.empty((side.labels.size, 0))


def _scores_of(found: Evaluation, side: Side) -> Mapping[str, Floats]:
    """Return the probabilities of a side; of pairs, those of rows where both sides have them."""
    if not found.paired or found.champion is None:
        return side.scores
    columns = [*found.candidate.scores.values(), *found.champion.scores.values()]
    scored = np.all([np.isfinite(column) for column in columns], axis=0)
    return {name: np.where(scored, column, np.nan) for name, column in side.scores.items()}
