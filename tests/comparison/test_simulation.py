"""How often the 95 % intervals of differences hold the truth, and how often nothing is called one.

Rows are drawn from a population of 50,000 that two versions predicted; the differences on the
population are the truth. Where versions are to be equal, each row's two outputs are exchanged at
random (pairs), or both sides are drawn from one version (no pairs).
"""

import numpy as np
import pytest

from model_exporter.comparison import Difference, Outputs, paired_differences, unpaired_difference
from model_exporter.comparison.influence import Key
from model_exporter.records import Estimate, Task
from model_exporter.scores import SCORES
from model_exporter.scores.statistics import statistics_from_rows

POPULATION = 50_000
DRAWS = {50: 150, 500: 100, 5000: 40}
CLASSES = {"binary": 2, "rare": 2, "multiclass": 4}
TASKS = {"binary": Task.BINARY, "rare": Task.BINARY, "multiclass": Task.MULTICLASS}


def classifier(name: str, seed: int) -> tuple:
    """Labels and two versions, the challenger a bit worse; rows that are hard are so for both."""
    rng = np.random.default_rng(seed)
    k = CLASSES[name]
    weights = np.array([0.9, 0.1]) if name == "rare" else 1 / np.arange(1, k + 1)
    weights = weights / weights.sum()
    y = rng.choice(k, POPULATION, p=weights)
    shared = rng.normal(size=(POPULATION, k)) + 1.5 * (y[:, None] == np.arange(k))
    sides = []
    for noise in (0.5, 0.7):
        logits = 1.5 * (shared + noise * rng.normal(size=shared.shape)) + np.log(weights)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        sides.append(Outputs(p.argmax(axis=1), p[:, 1:] if k == 2 else p))
    return y, *sides


def regression(name: str, seed: int) -> tuple:
    rng = np.random.default_rng(seed)
    draw = rng.laplace if name == "heavy" else rng.normal
    y = rng.uniform(10, 40, POPULATION)
    shared = draw(size=POPULATION)
    sides = [y + 0.5 + 3 * shared + noise * draw(size=POPULATION) for noise in (1, 1.5)]
    return y, *(Outputs(p, np.empty((POPULATION, 0))) for p in sides)


CASES = {
    **{name: classifier(name, seed) for seed, name in enumerate(CLASSES)},
    **{name: regression(name, seed) for seed, name in enumerate(("normal", "heavy"))},
}


def pick(values: np.ndarray, mask: np.ndarray, other: np.ndarray) -> np.ndarray:
    shape = (-1,) + (1,) * (values.ndim - 1)
    return np.where(mask.reshape(shape), other, values)


def exchanged(old: Outputs, new: Outputs, mask: np.ndarray) -> tuple[Outputs, Outputs]:
    a = Outputs(pick(old.predictions, mask, new.predictions), pick(old.scores, mask, new.scores))
    b = Outputs(pick(new.predictions, mask, old.predictions), pick(new.scores, mask, old.scores))
    return a, b


def take(side: Outputs, index: np.ndarray) -> Outputs:
    return Outputs(side.predictions[index], side.scores[index])


def paired(name: str, y: np.ndarray, old: Outputs, new: Outputs) -> dict[Key, Difference]:
    k = CLASSES.get(name, 0)
    places = {0: (), 2: (1,), 4: (0, 1, 2, 3)}[k]
    task = TASKS.get(name, Task.REGRESSION)
    return paired_differences(y, old, new, task=task, classes=k, places=places)


def estimates(name: str, y: np.ndarray, side: Outputs) -> dict[Key, Estimate]:
    task, k = TASKS.get(name, Task.REGRESSION), CLASSES.get(name, 0)
    columns = {"": side.scores[:, 0]} if k == 2 else dict(zip("0123", side.scores.T, strict=False))
    found = statistics_from_rows(
        task=task,
        labels=y,
        predictions=side.predictions,
        scores=columns if k else {},
        classes=tuple("0123"[:k]),
        positive_label=1 if task is Task.BINARY else None,
    )
    return {
        (score.name, *key): estimate
        for score in SCORES
        if task in score.tasks and "class" not in score.name
        for key, estimate in score.compute(found).items()
        if key in ((), ("binary",), ("macro",))
    }


def unpaired(name: str, one: tuple, other: tuple) -> dict[Key, Difference]:
    before, after = estimates(name, *one), estimates(name, *other)
    return {
        key: unpaired_difference(before[key], after[key]) for key in before.keys() & after.keys()
    }


def shares(name: str, rows: int, *, pairs: bool, draws: int) -> tuple[dict, dict]:
    """Return, by score, how often the truth is held, and how often equal versions differ."""
    rng = np.random.default_rng(rows)
    y, old, new = CASES[name]
    truth = paired(name, y, old, new) if pairs else unpaired(name, (y, old), (y, new))
    held: dict[Key, list[bool]] = {}
    called: dict[Key, list[bool]] = {}
    for _ in range(draws):
        i, j = rng.integers(0, POPULATION, (2, rows))
        sides = take(old, i), take(new, i if pairs else j)
        if pairs:
            found = paired(name, y[i], *sides)
            equal = paired(name, y[i], *exchanged(*sides, rng.random(rows) < 0.5))
        else:
            found = unpaired(name, (y[i], sides[0]), (y[j], sides[1]))
            equal = unpaired(name, (y[i], sides[0]), (y[j], take(old, j)))
        for key, d in found.items():
            if d.lower is not None:
                held.setdefault(key, []).append(d.lower <= truth[key].value <= d.upper)
        for key, d in equal.items():
            called.setdefault(key, []).append(d.p_value is not None and d.p_value < 0.05)
    return tuple({k: float(np.mean(v)) for k, v in d.items()} for d in (held, called))


FEW = {"rare", "multiclass"}
"""Where 50 rows hold about five of a class, or none."""


@pytest.mark.parametrize("rows", DRAWS)
@pytest.mark.parametrize("pairs", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("name", CASES)
def test_intervals_hold_the_truth_and_equals_do_not_differ(
    name: str, pairs: bool, rows: int
) -> None:
    """Within what so few draws may miss: three standard errors beyond 93 % and 6 %.

    Measured with 1,500 draws at 50 rows and 3,000 at 500, over all scores but calibration error.
    Pairs: the truth is held in 93 to 98 % at 50 (90 % for average precision with 5 positives) and
    94 to 96 % at 500; equal versions differ in at most 6 % and 6 % (8 % for average precision of
    four classes at 50). No pairs: 92 to 99 % at 50 (90 % for macro F1 and MCC with 5 positives) and
    94 to 99 % at 500; at most 8 % at 50 (11 % for those two, 9 % for macro averages over four
    classes) and 6 % at 500. With 1,200 draws at 5,000 rows: held in 93 to 96 % (areas over several
    classes, without pairs, 99 %), equal versions differ in at most 7 %.
    """
    held, called = shares(name, rows, pairs=pairs, draws=DRAWS[rows])
    least, most = (0.89, 0.11) if rows == 50 and name in FEW else (0.93, 0.06)
    slack = 3 * np.sqrt(least * (1 - least) / DRAWS[rows])
    assert {key: share for key, share in held.items() if share < least - slack} == {}
    slack = 3 * np.sqrt(most * (1 - most) / DRAWS[rows])
    assert {key: share for key, share in called.items() if share > most + slack} == {}
