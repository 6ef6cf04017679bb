"""Paired differences against scikit-learn, scipy, DeLong by brute force and the jackknife."""

import numpy as np
import pytest

from model_exporter.comparison import Outputs, paired_differences
from model_exporter.comparison.influence import Key
from model_exporter.records import Task
from model_exporter.scores import SCORES
from model_exporter.scores.statistics import statistics_from_rows

stats = pytest.importorskip("scipy.stats")

NO_SCORES = {"model_calibration_error"}
AVERAGES = {Task.BINARY: "binary", Task.MULTICLASS: "macro", Task.REGRESSION: ""}
TASKS = list(Task)


def two_versions(task: Task, rows: int, *, seed: int = 0, worse: float = 0.3) -> tuple:
    """Labels and two versions whose errors on a row are alike; the challenger is a bit worse."""
    rng = np.random.default_rng(seed)
    if task is Task.REGRESSION:
        y = np.where(rng.random(rows) < 0.1, 0.0, rng.gamma(2, 10, rows))
        shared = rng.normal(0, 3, rows)
        sides = [y + shared + rng.normal(0, s, rows) for s in (1, 1 + worse)]
        return y, *(Outputs(p, np.empty((rows, 0))) for p in sides)
    k = 2 if task is Task.BINARY else 4
    y = rng.integers(0, k, rows)
    shared = rng.normal(size=(rows, k)) + 1.5 * (y[:, None] == np.arange(k))
    found = []
    for noise in (0.3, 0.3 + worse):
        logits = shared + noise * rng.normal(size=(rows, k))
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        scores = p[:, 1:] if k == 2 else p
        found.append(Outputs(p.argmax(axis=1), np.round(scores, 2)))  # rounded, for ties
    return y, *found


def compare(task: Task, y: np.ndarray, old: Outputs, new: Outputs) -> dict:
    k = {Task.BINARY: 2, Task.MULTICLASS: 4, Task.REGRESSION: 0}[task]
    places = {Task.BINARY: (1,), Task.MULTICLASS: (0, 1, 2, 3), Task.REGRESSION: ()}[task]
    return paired_differences(y, old, new, task=task, classes=k, places=places)


def take(side: Outputs, index: np.ndarray) -> Outputs:
    return Outputs(side.predictions[index], side.scores[index])


def scores_of(task: Task, y: np.ndarray, side: Outputs) -> dict[Key, float]:
    """Return the scores of one version as the job serves them."""
    columns = dict(zip("0123", side.scores.T, strict=False))
    if task is Task.BINARY:
        columns = {"": side.scores[:, 0]}
    found = statistics_from_rows(
        task=task,
        labels=y,
        predictions=side.predictions,
        scores={} if task is Task.REGRESSION else columns,
        classes=() if task is Task.REGRESSION else tuple("0123"[: 2 if "" in columns else 4]),
        positive_label=1 if task is Task.BINARY else None,
    )
    return {
        (score.name, *key): estimate.value
        for score in SCORES
        if task in score.tasks and "class" not in score.name and score.name not in NO_SCORES
        for key, estimate in score.compute(found).items()
        if key in ((), (AVERAGES[task],))
    }


@pytest.mark.parametrize("task", TASKS)
def test_values_are_differences_of_the_scores(task: Task) -> None:
    """Of every score but calibration error, and of nothing else."""
    y, old, new = two_versions(task, 300)
    before, after = scores_of(task, y, old), scores_of(task, y, new)
    found = compare(task, y, old, new)
    assert found.keys() == before.keys()
    for key, difference in found.items():
        assert difference.value == pytest.approx(after[key] - before[key], abs=1e-12), key


@pytest.mark.parametrize("task", TASKS)
def test_widths_are_those_of_the_jackknife(task: Task) -> None:
    """Leaving out one pair at a time is a second way to every standard error.

    The smoothing widens what comes from a confusion matrix by less than 5 % at 400 pairs.
    """
    rows = 400
    y, old, new = two_versions(task, rows)

    def values(index: np.ndarray) -> dict[Key, float]:
        after, before = (scores_of(task, y[index], take(side, index)) for side in (new, old))
        return {key: after[key] - before[key] for key in after}

    everything = np.arange(rows)
    left_out = [values(np.delete(everything, i)) for i in range(rows)]
    for key, difference in compare(task, y, old, new).items():
        deviations = np.array([found[key] for found in left_out])
        error = np.sqrt((rows - 1) / rows * ((deviations - deviations.mean()) ** 2).sum())
        width = 2 * stats.t.ppf(0.975, rows - 1) * error
        assert 0.97 < (difference.upper - difference.lower) / width < 1.05, key


@pytest.mark.parametrize("task", TASKS)
def test_means_are_students_paired_test(task: Task) -> None:
    y, old, new = two_versions(task, 60)
    found = compare(task, y, old, new)
    if task is Task.REGRESSION:
        losses = {
            "model_mae": lambda side: abs(side.predictions - y),
            "model_mse": lambda side: (side.predictions - y) ** 2,
            "model_bias": lambda side: side.predictions - y,
        }
    elif task is Task.BINARY:
        losses = {"model_brier_score": lambda side: (side.scores[:, 0] - y) ** 2}
    else:
        truth = np.eye(4)[y]
        losses = {"model_brier_score": lambda side: ((side.scores - truth) ** 2).sum(axis=1)}
    for name, loss in losses.items():
        test = stats.ttest_rel(loss(new), loss(old))
        interval = test.confidence_interval()
        assert found[name,].p_value == pytest.approx(test.pvalue)
        assert (found[name,].lower, found[name,].upper) == pytest.approx(tuple(interval))


def delong(y: np.ndarray, old: np.ndarray, new: np.ndarray) -> tuple[float, float]:
    """Return DeLong's difference and its standard error, all pairs written out."""
    components = []
    for scores in (old, new):
        a, b = scores[y == 1][:, None], scores[y == 0][None, :]
        wins = (a > b) + (a == b) / 2
        components.append((wins.mean(axis=1), wins.mean(axis=0), wins.mean()))
    gaps = [components[1][i] - components[0][i] for i in (0, 1)]
    variance = sum(gap.var(ddof=1) / gap.size for gap in gaps)
    return components[1][2] - components[0][2], np.sqrt(variance)


def test_areas_are_delongs() -> None:
    """His denominators are the positives and the negatives less one, ours all rows less one."""
    y, old, new = two_versions(Task.BINARY, 300)
    value, error = delong(y, old.scores[:, 0], new.scores[:, 0])
    found = compare(Task.BINARY, y, old, new)["model_roc_auc",]
    assert found.value == pytest.approx(value)
    assert (found.upper - found.lower) / 2 == pytest.approx(
        stats.t.ppf(0.975, 299) * error, rel=0.01
    )


def test_accuracy_is_the_interval_of_bonett_and_price() -> None:
    """With one row more in either cell of disagreement, Student's t in the place of the normal."""
    y, old, new = two_versions(Task.BINARY, 200)
    b = int(((new.predictions == y) & (old.predictions != y)).sum())
    c = int(((new.predictions != y) & (old.predictions == y)).sum())
    gained, lost = (b + 1) / 202, (c + 1) / 202
    error = np.sqrt((gained + lost - (gained - lost) ** 2) / 202)
    found = compare(Task.BINARY, y, old, new)["model_accuracy_ratio",]
    assert (found.upper - found.lower) / 2 == pytest.approx(
        stats.t.ppf(0.975, 199) * error, rel=1e-6
    )


def test_p_values_of_accuracy_are_near_mcnemars() -> None:
    """Its exact mid-p version, over samples with 10 to 60 disagreements."""
    for seed in range(20):
        y, old, new = two_versions(Task.BINARY, 400, seed=seed)
        b = int(((new.predictions == y) & (old.predictions != y)).sum())
        c = int(((new.predictions != y) & (old.predictions == y)).sum())
        exact = stats.binomtest(b, b + c).pvalue - stats.binom.pmf(b, b + c, 0.5)
        found = compare(Task.BINARY, y, old, new)["model_accuracy_ratio",]
        assert found.p_value == pytest.approx(min(1, exact), abs=0.07)


@pytest.mark.parametrize("task", TASKS)
def test_exchange_turns_the_sign(task: Task) -> None:
    y, old, new = two_versions(task, 80)
    back = compare(task, y, new, old)
    for key, difference in compare(task, y, old, new).items():
        assert difference.value == -back[key].value
        assert difference.lower == pytest.approx(-back[key].upper, abs=1e-12)
        assert difference.p_value == pytest.approx(back[key].p_value)


@pytest.mark.parametrize("task", TASKS)
def test_p_value_and_interval_agree(task: Task) -> None:
    for seed in range(30):
        for difference in compare(task, *two_versions(task, 60, seed=seed)).values():
            outside = difference.lower > 0 or difference.upper < 0
            assert (difference.p_value < 0.05) == outside


@pytest.mark.parametrize("task", TASKS)
def test_a_version_does_not_differ_from_itself(task: Task) -> None:
    """The value is 0; where nothing varies there is no interval, and never a narrow one."""
    y, old, _ = two_versions(task, 80)
    for difference in compare(task, y, old, old).values():
        assert difference.value == 0
        assert difference.p_value in (None, 1.0)


@pytest.mark.parametrize("task", TASKS)
def test_hardly_any_rows(task: Task) -> None:
    """From none to four: values only, no warning; and rows of one class."""
    y, old, new = two_versions(task, 4)
    assert compare(task, y[:0], take(old, np.arange(0)), take(new, np.arange(0))) == {}
    for index in (np.arange(1), np.arange(4), np.zeros(3, dtype=int)):
        for found in compare(task, y[index], take(old, index), take(new, index)).values():
            assert found.p_value is None
            assert np.isfinite(found.value)
    same = np.zeros(9, dtype=int)
    compare(task, y[same], take(old, same), take(new, same))


def test_rows_without_probabilities_count_for_the_classes_only() -> None:
    y, old, new = two_versions(Task.BINARY, 200)
    gaps = Outputs(new.predictions, np.where(np.arange(200)[:, None] < 50, np.nan, new.scores))
    kept = np.arange(50, 200)
    found = compare(Task.BINARY, y, old, gaps)
    scored = compare(Task.BINARY, y[kept], take(old, kept), take(new, kept))
    everything = compare(Task.BINARY, y, old, new)
    assert found["model_brier_score",] == scored["model_brier_score",]
    assert found["model_f1_ratio", "binary"] == everything["model_f1_ratio", "binary"]
