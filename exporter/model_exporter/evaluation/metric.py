"""One quality score of labelled rows, by the name it has in `expectations:` of the job."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from model_exporter.catalogue import SCORE_BY_KEY, ScoreFamily
from model_exporter.errors import ConfigError, SchemaError
from model_exporter.evaluation.rows import Prediction
from model_exporter.records import Estimate, Task
from model_exporter.scores import SCORES
from model_exporter.scores.statistics import Statistics, statistics_from_rows

COMPUTED = {score.name: score for score in SCORES}
AVERAGES = {Task.BINARY: "binary", Task.MULTICLASS: "macro"}


class MeasuredScore(float):
    """A score, which is a number, with its interval.

    Attributes
    ----------
    lower, upper
        Two-sided 95 % confidence interval; None where the rows tell nothing about it.
    rows
        Labelled predictions behind it.

    Examples
    --------
    >>> MeasuredScore.of(Estimate(0.8, 0.38, 0.96), rows=5)
    MeasuredScore(0.8, lower=0.38, upper=0.96, rows=5)
    """

    lower: float | None
    upper: float | None
    rows: int

    @classmethod
    def of(cls, estimate: Estimate, *, rows: int) -> Self:
        """Return a score as a number."""
        score = cls(estimate.value)
        score.lower, score.upper, score.rows = estimate.lower, estimate.upper, rows
        return score

    def __repr__(self) -> str:
        bounds = f"lower={self.lower}, upper={self.upper}, rows={self.rows}"
        return f"MeasuredScore({float(self)}, {bounds})"


def measured(
    name: str,
    predictions: Sequence[Prediction],
    labels: Sequence[Any],
    *,
    task: Task,
    positive_label: str,
    average: str | None = None,
    of_class: str | None = None,
) -> MeasuredScore:
    """Return a score of rows that have a label.

    Raises
    ------
    ConfigError
        If there is no such score, or not for this task.
    SchemaError
        If there are no labels yet, or the score is undefined for these.
    """
    family = _family(name, task)
    if not labels:
        raise SchemaError(
            f"{name}: no prediction has a label yet; log_predictions() and log_true_labels() first"
        )
    statistics = _statistics(predictions, labels, task=task, positive_label=positive_label)
    found = COMPUTED[family.name].compute(statistics)
    wanted = _wanted(family, task, average=average, of_class=of_class)
    if wanted not in found:
        raise _undefined(name, wanted, found, predictions)
    return MeasuredScore.of(found[wanted], rows=len(labels))


def names_of(task: Task) -> list[str]:
    """Return the names of the scores of a task."""
    return [key for key, family in SCORE_BY_KEY.items() if task in COMPUTED[family.name].tasks]


def _family(name: str, task: Task) -> ScoreFamily:
    known = names_of(task)
    if name in known:
        return SCORE_BY_KEY[name]
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
    raise ConfigError(f"calculate_metric({name!r}): not a score of a {task} model; {hint}")


def _wanted(
    family: ScoreFamily, task: Task, *, average: str | None, of_class: str | None
) -> tuple[str, ...]:
    if family.extra == ("average",):
        return (average or AVERAGES[task],)
    if family.extra == ("class",):
        if of_class is None:
            raise ConfigError(
                f"calculate_metric({family.key!r}): say of which class, as in "
                f"calculate_metric({family.key!r}, of_class='yes')"
            )
        return (str(of_class),)
    return ()


def _statistics(
    predictions: Sequence[Prediction], labels: Sequence[Any], *, task: Task, positive_label: str
) -> Statistics:
    return statistics_from_rows(
        task=task,
        labels=np.array(labels, dtype=np.object_),
        predictions=np.array([each.value for each in predictions], dtype=np.object_),
        scores=_scores(predictions, task),
        positive_label=positive_label if task is Task.BINARY else None,
    )


def _scores(predictions: Sequence[Prediction], task: Task) -> Mapping[str, list[float]]:
    if task is Task.BINARY and any(each.score == each.score for each in predictions):
        return {"": [each.score for each in predictions]}
    classes = sorted({name for each in predictions for name in each.scores})
    return {name: [each.scores.get(name, np.nan) for each in predictions] for name in classes}


def _undefined(
    name: str,
    wanted: tuple[str, ...],
    found: Mapping[tuple[str, ...], Estimate],
    rows: Sequence[Any],
) -> SchemaError:
    if found:
        given = ", ".join(repr(key[0]) for key in found)
        return SchemaError(f"{name} of {wanted[0]!r}: there is none; there is that of {given}")
    if all(each.value is None for each in rows):
        why = "no prediction has a class; give `threshold=` to the monitor, or log classes"
    elif not any(each.scores or each.score == each.score for each in rows):
        why = "it may need scores: log_predictions(classes, scores=...)"
    else:
        why = "the labels may be all of one class, or all alike"
    return SchemaError(f"{name} is undefined for the {len(rows)} labelled predictions; {why}")
