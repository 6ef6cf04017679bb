"""How often the 95 % bands hold what the labels then give; how far the estimates are off.

Windows are drawn from a population whose probabilities are known. The bounds are 93 to 97 %, or
what the docstrings state, widened by the two standard errors that 300 draws may miss.
"""

import numpy as np
import pytest

from model_exporter import catalogue
from model_exporter.distribution import NumericDistribution
from model_exporter.estimates import classification_estimates, expected_rows, regression_estimates
from model_exporter.estimates.fit import fit_classification
from model_exporter.estimates.losses import fit_losses
from model_exporter.records import Task
from model_exporter.scores import SCORES
from model_exporter.scores.statistics import statistics_from_rows

DRAWS = 300
MISSED = 0.025
REFERENCE = 4_000
KEYS = {score.name: score.key for score in catalogue.SCORES}

Rows = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]
"""Scores by class, predicted class, label."""


def draw(rng: np.random.Generator, rows: int, classes: int, *, sureness: float = 1.0) -> Rows:
    """Draw rows whose scores are right, or with `sureness` above 1 too far from the middle."""
    logits = 1.5 * rng.normal(size=(rows, classes)) - np.log(np.arange(1, classes + 1))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((rows, 1)) > truth.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    told = truth**sureness / (truth**sureness).sum(axis=1, keepdims=True)
    scores = {"": told[:, 1]} if classes == 2 else {str(i): told[:, i] for i in range(classes)}
    return scores, told.argmax(axis=1), labels


def statistics(rows: Rows, classes: int):
    scores, predicted, labels = rows
    return statistics_from_rows(
        task=Task.BINARY if classes == 2 else Task.MULTICLASS,
        labels=labels,
        predictions=predicted,
        scores=scores,
        classes=tuple(map(str, range(classes))),
        positive_label=1 if classes == 2 else None,
    )


def simulate(
    rows: int, classes: int, *, sureness: float = 1.0, calibrate: bool = False, draws: int = DRAWS
):
    """Return, by score, how often the band held and by how much the estimate was off."""
    rng = np.random.default_rng(rows + classes)
    names = tuple(map(str, range(classes)))
    held: dict[tuple, list[bool]] = {}
    off: dict[tuple, list[float]] = {}
    for _ in range(draws):
        calibrations = {}
        if calibrate:
            reference = draw(rng, REFERENCE, classes, sureness=sureness)
            calibrations = fit_classification(statistics(reference, classes)).calibrations
        window = draw(rng, rows, classes, sureness=sureness)
        part = expected_rows(
            names, predicted=window[1], scores=window[0], calibrations=calibrations
        )
        found = classification_estimates([part])
        realised = statistics(window, classes)
        for score in SCORES:
            for extra, estimate in found.get(KEYS[score.name], {}).items():
                value = score.compute(realised)[extra].value
                name = (KEYS[score.name], *extra)
                off.setdefault(name, []).append(value - estimate.value)
                if estimate.lower is not None:
                    held.setdefault(name, []).append(estimate.lower <= value <= estimate.upper)
    return {n: float(np.mean(v)) for n, v in held.items()}, {
        n: (float(np.mean(v)), float(np.std(v))) for n, v in off.items()
    }


@pytest.mark.parametrize("rows", [500, 5_000])
@pytest.mark.parametrize("classes", [2, 4])
def test_bands_hold_95_percent_and_estimates_are_unbiased(rows: int, classes: int) -> None:
    """Where the scores are right."""
    held, off = simulate(rows, classes)
    for name, share in held.items():
        most = 1.0 if classes > 2 and name[0] in ("roc_auc", "average_precision") else 0.97
        assert 0.93 - MISSED <= share <= most + MISSED, (name, share)
    for name, (bias, deviation) in off.items():
        # A ratio of sums is off by a small part of its deviation, which shrinks as rows grow.
        assert abs(bias) < 0.25 * deviation + 4 * deviation / np.sqrt(DRAWS), (name, bias)
    assert {("accuracy",), ("f1", "macro"), ("mcc",), ("log_loss",)} <= set(off)


def test_calibration_on_the_reference_corrects_scores_that_are_too_sure() -> None:
    """The bias of the raw estimate goes, and the band holds as often as the docstring says."""
    _, raw = simulate(5_000, 2, sureness=2)
    held, off = simulate(5_000, 2, sureness=2, calibrate=True)
    for key in (("accuracy",), ("f1", "binary"), ("mcc",), ("brier_score",)):
        assert abs(off[key][0]) < abs(raw[key][0]) / 10, key
    least = {("roc_auc",): 0.9, ("average_precision",): 0.9, ("log_loss",): 0.86}
    for name, share in held.items():
        assert share >= least.get(name, 0.92) - MISSED, (name, share)


def test_several_classes_are_corrected_too_if_not_fully() -> None:
    """Each class is calibrated by itself, which leaves a tenth of the bias."""
    _, raw = simulate(500, 4, sureness=2, draws=100)
    _, off = simulate(500, 4, sureness=2, calibrate=True, draws=100)
    for key in (("accuracy",), ("f1", "macro"), ("mcc",)):
        assert abs(off[key][0]) < 0.2 * abs(raw[key][0]), key


@pytest.mark.parametrize("rows", [500, 5_000])
def test_bands_of_losses_hold_95_percent(rows: int) -> None:
    """Where the noise grows with a feature, and the window has more of its upper half."""
    rng = np.random.default_rng(rows)
    held: dict[str, list[bool]] = {"mae": [], "mse": [], "rmse": []}
    for _ in range(DRAWS):
        known = rng.uniform(0, 1, 2_000)
        errors = (1 + known) * rng.normal(size=2_000)
        fitted = {"": NumericDistribution.fit(known, max_values=0)}
        labels = np.full(2_000, 5.0)
        losses = fit_losses({"": fitted[""].bin_index(known)}, fitted, labels + errors, labels)
        window = rng.uniform(0.2, 1, rows)
        drawn = (1 + window) * rng.normal(size=rows)
        bins = np.bincount(fitted[""].bin_index(window), minlength=len(fitted[""].bins))
        assert losses is not None
        found = regression_estimates([(rows, {"": bins}, losses)])
        square = float((drawn**2).mean())
        truth = {"mae": float(np.abs(drawn).mean()), "mse": square, "rmse": np.sqrt(square)}
        for key, value in truth.items():
            estimate = found[key][()]
            held[key].append(bool(estimate.lower <= value <= estimate.upper))
    for key, times in held.items():
        assert 0.93 - MISSED <= np.mean(times) <= 0.97 + MISSED, (key, np.mean(times))
