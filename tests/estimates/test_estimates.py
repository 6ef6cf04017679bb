"""Expected scores against the mean over all ways the labels may fall, and row by row."""

import doctest
import importlib
import itertools

import numpy as np
import pytest

from model_exporter.distribution import NumericDistribution
from model_exporter.estimates import classification_estimates, expected_rows, regression_estimates
from model_exporter.estimates.calibration import fit_calibration, isotonic
from model_exporter.estimates.confusion import expected_cells
from model_exporter.estimates.losses import fit_losses
from model_exporter.reference_errors import Calibration
from model_exporter.scores.statistics import ScoreHistogram

sklearn_isotonic = pytest.importorskip("sklearn.isotonic")
metrics = pytest.importorskip("sklearn.metrics")

EXACT = 1e-4
"""What the grid of scores may move an area or a loss by."""


def binary(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores, some of them 0 or 1 and some tied, and predicted classes."""
    rng = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-rng.normal(-0.5, 2, rows)))
    scores[: rows // 4] = scores[: rows // 4].round(1)
    return scores, (scores >= 0.4).astype(np.int64)


def multiclass(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet((2.0, 1.0, 0.5), rows)
    return scores, scores.argmax(axis=1)


def estimates(names: tuple, predicted: np.ndarray, scores: dict, **calibrations: Calibration):
    part = expected_rows(
        names, predicted=predicted, scores=scores, calibrations=calibrations.get("by", {})
    )
    return classification_estimates([part])


def twice(scores: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Score each row twice, as positive with weight p and as negative with 1 - p."""
    truth = np.repeat([1, 0], scores.size)
    weights = np.concatenate([scores, 1 - scores])
    both, chosen = np.tile(scores, 2), np.tile(predicted, 2)
    known = {"sample_weight": weights}
    return {
        "accuracy": metrics.accuracy_score(truth, chosen, **known),
        "precision": metrics.precision_score(truth, chosen, **known),
        "recall": metrics.recall_score(truth, chosen, **known),
        "f1": metrics.f1_score(truth, chosen, **known),
        "specificity": metrics.recall_score(truth, chosen, pos_label=0, **known),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, chosen, **known),
        "mcc": metrics.matthews_corrcoef(truth, chosen, **known),
        "roc_auc": metrics.roc_auc_score(truth, both, **known),
        "average_precision": metrics.average_precision_score(truth, both, **known),
        "brier_score": metrics.brier_score_loss(truth, both, **known),
        "log_loss": metrics.log_loss(truth, both, **known),
    }


@pytest.mark.parametrize("seed", range(3))
def test_binary_estimates_are_those_of_rows_counted_by_weight(seed: int) -> None:
    """Scikit-learn with each row as both classes, weighted, says the same within the grid."""
    scores, predicted = binary(3_000, seed)
    found = estimates(("0", "1"), predicted, {"": scores})
    for key, value in twice(scores, predicted).items():
        ours = found[key].get(()) or found[key]["binary",]
        assert ours.value == pytest.approx(value, abs=EXACT), key


def test_multiclass_estimates_are_those_of_rows_counted_by_weight() -> None:
    scores, predicted = multiclass(2_000, 1)
    truth, chosen = np.repeat([0, 1, 2], 2_000), np.tile(predicted, 3)
    weights = scores.T.ravel()
    columns = {str(i): scores[:, i] for i in range(3)}
    found = estimates(("0", "1", "2"), predicted, columns)
    for average, (key, of) in itertools.product(
        ("macro", "weighted"),
        {
            "precision": metrics.precision_score,
            "recall": metrics.recall_score,
            "f1": metrics.f1_score,
        }.items(),
    ):
        theirs = of(truth, chosen, average=average, sample_weight=weights)
        assert found[key][average,].value == pytest.approx(theirs, abs=1e-9)
    mcc = metrics.matthews_corrcoef(truth, chosen, sample_weight=weights)
    assert found["mcc"][()].value == pytest.approx(mcc, abs=1e-9)
    areas = [
        metrics.roc_auc_score(truth == i, np.tile(scores[:, i], 3), sample_weight=weights)
        for i in range(3)
    ]
    assert found["roc_auc"][()].value == pytest.approx(np.mean(areas), abs=EXACT)
    loss = -(scores * np.log(scores)).sum(axis=1).mean()
    assert found["log_loss"][()].value == pytest.approx(loss, abs=EXACT)
    brier = 1 - (scores**2).sum(axis=1).mean()
    assert found["brier_score"][()].value == pytest.approx(brier, abs=EXACT)


def test_variance_of_a_binary_score_is_that_over_all_labels() -> None:
    """The band is 1.96 standard deviations of the accuracy over every way the labels may fall."""
    scores, predicted = np.array([0.1, 0.3, 0.6, 0.8, 0.9]), np.array([0, 0, 1, 1, 1])
    mean = square = 0.0
    for labels in itertools.product((0, 1), repeat=5):
        chance = np.prod(np.where(labels, scores, 1 - scores))
        accuracy = np.mean(np.array(labels) == predicted)
        mean, square = mean + chance * accuracy, square + chance * accuracy**2
    found = estimates(("0", "1"), predicted, {"": scores})["accuracy"][()]
    assert found.value == pytest.approx(mean)
    assert found.value - found.lower == pytest.approx(
        1.959964 * np.sqrt(square - mean**2), rel=1e-5
    )


def test_steps_stand_for_their_rows() -> None:
    """Rows given as counts of a step give what they give one by one, calibrated or not."""
    scores, predicted = binary(20_000, 7)
    truth = np.random.default_rng(8).random(20_000) < scores**2
    values, place = np.unique(scores, return_inverse=True)
    positives = np.bincount(place, weights=truth).astype(np.int64)
    histogram = ScoreHistogram(values, np.bincount(place) - positives, positives)
    for calibrations in ({}, {"": isotonic(histogram)}):
        rows = expected_rows(
            ("0", "1"), predicted=predicted, scores={"": scores}, calibrations=calibrations
        )
        known = rows.classes[""]
        steps = expected_rows(
            ("0", "1"),
            predicted=known.predicted,
            scores={"": known.scores},
            calibrations=calibrations,
            rows=known.rows,
        )
        one, other = (classification_estimates([part]) for part in (rows, steps))
        for key, estimates_of in one.items():
            for extra, estimate in estimates_of.items():
                assert other[key][extra].value == pytest.approx(estimate.value, abs=EXACT), key
                assert other[key][extra].lower == pytest.approx(estimate.lower, abs=EXACT), key


def test_parts_add_up() -> None:
    """Two parts with the same scores for probabilities are one."""
    scores, predicted = multiclass(500, 3)
    columns = {str(i): scores[:, i] for i in range(3)}

    def part(rows: slice):
        return expected_rows(
            ("0", "1", "2"),
            predicted=predicted[rows],
            scores={name: column[rows] for name, column in columns.items()},
            calibrations={},
        )

    whole = classification_estimates([part(slice(None))])
    halves = classification_estimates([part(slice(0, 200)), part(slice(200, None))])
    for key, found in whole.items():
        for extra, estimate in found.items():
            assert halves[key][extra].value == pytest.approx(estimate.value, abs=1e-12)


def test_order_of_rows_does_not_matter() -> None:
    scores, predicted = binary(400, 5)
    order = np.random.default_rng(1).permutation(400)
    one = estimates(("0", "1"), predicted, {"": scores})
    other = estimates(("0", "1"), predicted[order], {"": scores[order]})
    assert one["mcc"][()].value == pytest.approx(other["mcc"][()].value, abs=1e-12)


def test_each_row_is_expected_to_be_of_one_class() -> None:
    """Expected rows of a predicted class sum up to those predicted, calibrated or not."""
    scores, predicted = multiclass(300, 2)
    shrunk = Calibration((0.0, 0.5), (0.4, 1.0), (0.2, 0.6), (50, 50))
    part = expected_rows(
        ("0", "1", "2"),
        predicted=predicted,
        scores={str(i): scores[:, i] for i in range(3)},
        calibrations={"0": shrunk, "2": shrunk},
    )
    cells, spread = expected_cells(part)
    assert cells.sum(axis=0) == pytest.approx(part.predicted)
    assert (spread >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_calibration_is_the_isotonic_regression(seed: int) -> None:
    """Scikit-learn's, between, at and beyond the scores it was fitted on."""
    rng = np.random.default_rng(seed)
    scores = rng.random(300).round(2)
    truth = rng.random(300) < scores**2
    theirs = sklearn_isotonic.IsotonicRegression(out_of_bounds="clip").fit(scores, truth)
    values, place = np.unique(scores, return_inverse=True)
    positives = np.bincount(place, weights=truth).astype(np.int64)
    ours = isotonic(ScoreHistogram(values, np.bincount(place) - positives, positives))
    asked = np.concatenate([np.linspace(0, 1, 1001), scores])
    assert ours.apply(asked) == pytest.approx(theirs.predict(asked), abs=1e-12)
    assert sum(ours.rows) == 300


@pytest.mark.parametrize(("positives", "negatives"), [([0, 0], [4, 4]), ([3, 5], [0, 0])])
def test_labels_of_one_kind_calibrate_nothing(positives: list, negatives: list) -> None:
    histogram = ScoreHistogram(np.array([0.2, 0.8]), np.array(negatives), np.array(positives))
    assert fit_calibration(histogram) is None


def test_nothing_is_estimated_from_nothing() -> None:
    none = np.empty(0)
    part = expected_rows(
        ("0", "1"), predicted=none.astype(np.int64), scores={"": none}, calibrations={}
    )
    assert classification_estimates([part]) == {}
    assert classification_estimates([]) == {}
    assert regression_estimates([]) == {}


@pytest.mark.parametrize("scores", [np.zeros(9), np.ones(9)])
def test_what_is_certain_is_estimated_without_warning(scores: np.ndarray) -> None:
    """Scores that are all 0 or all 1 leave ranking undefined and the losses 0."""
    found = estimates(("0", "1"), scores.astype(np.int64), {"": scores})
    assert found["accuracy"][()].value == 1
    assert found["log_loss"][()].value == pytest.approx(0, abs=1e-9)
    assert "roc_auc" not in found
    assert "mcc" not in found


def test_nearly_all_of_one_class_leaves_no_correlation() -> None:
    """Probabilities that sum up to the rows but for rounding are no reason to divide by nothing."""
    scores = {"0": np.full(7, 1 - 1e-17), "1": np.full(7, 1e-17), "2": np.full(7, 1e-18)}
    predicted = np.array([0, 1, 0, 1, 0, 1, 1])
    found = estimates(("0", "1", "2"), predicted, scores)
    assert "mcc" not in found
    assert found["accuracy"][()].value == pytest.approx(3 / 7)


def test_losses_follow_the_bins() -> None:
    """Where |e| depends on two features' bins, a window of other shares is expected to lose so."""
    rng = np.random.default_rng(3)
    one, other = rng.random(4_000), rng.random(4_000)

    def level(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return 1 + 4 * (a > 0.5) + 2 * (b > 0.5)

    labels = 10 + rng.random(4_000)
    predictions = labels + level(one, other) * rng.choice([-1.0, 1.0], 4_000)
    fitted = {
        name: NumericDistribution.fit(c, max_values=0) for name, c in (("a", one), ("b", other))
    }
    losses = fit_losses(
        {name: fitted[name].bin_index(c) for name, c in (("a", one), ("b", other))},
        fitted,
        predictions,
        labels,
    )
    assert losses is not None
    moved = {"a": rng.uniform(0.4, 1, 3_000), "b": rng.uniform(0, 0.7, 3_000)}
    bins = {
        name: np.bincount(fitted[name].bin_index(c), minlength=len(fitted[name].bins))
        for name, c in moved.items()
    }
    found = regression_estimates([(3_000, bins, losses)])
    expected = level(moved["a"], moved["b"])
    assert found["mae"][()].value == pytest.approx(expected.mean(), rel=0.03)
    assert found["rmse"][()].value == pytest.approx(np.sqrt((expected**2).mean()), rel=0.05)


def test_few_rows_tell_nothing_of_losses() -> None:
    column = np.arange(29.0)
    fitted = {"": NumericDistribution.fit(column, max_values=0)}
    assert fit_losses({"": fitted[""].bin_index(column)}, fitted, column, column) is None


@pytest.mark.parametrize("name", ["calibration", "regression", "rows"])
def test_examples_run(name: str) -> None:
    module = importlib.import_module(f"model_exporter.estimates.{name}")
    done = doctest.testmod(module, extraglobs={"np": np})
    assert done.attempted
    assert not done.failed


@pytest.mark.parametrize("classes", [2, 4])
def test_any_window_has_finite_estimates_within_their_bands(classes: int) -> None:
    """Few rows, certain scores, blocks that never or always came true: no warning, no NaN."""
    rng = np.random.default_rng(classes)
    names = tuple(map(str, range(classes)))
    for _ in range(300):
        rows = int(rng.integers(1, 12))
        scores = rng.dirichlet(np.full(classes, 0.3), rows)
        certain = rng.random(rows) < 0.3
        scores[certain] = np.eye(classes)[rng.integers(0, classes, certain.sum())]
        columns = {"": scores[:, 1]} if classes == 2 else dict(zip(names, scores.T, strict=True))
        calibrations = {
            name: Calibration((0.0, 0.5), (0.4, 1.0), tuple(ends), (5, 7))
            for name in columns
            if (ends := np.sort(rng.choice([0.0, 0.3, 1.0], 2))) is not None and rng.random() < 0.7
        }
        part = expected_rows(
            names,
            predicted=rng.integers(0, classes, rows),
            scores=columns,
            calibrations=calibrations,
        )
        for key, found in classification_estimates([part]).items():
            for estimate in found.values():
                assert np.isfinite(estimate.value), key
                if estimate.lower is not None:
                    assert estimate.lower <= estimate.value + 1e-12, key
                    assert estimate.upper >= estimate.value - 1e-12, key


def test_a_reference_without_errors_expects_none() -> None:
    column = np.arange(40.0)
    fitted = {"": NumericDistribution.fit(column, max_values=0)}
    losses = fit_losses({"": fitted[""].bin_index(column)}, fitted, column, column)
    assert losses is not None
    bins = {"": np.ones(len(fitted[""].bins), dtype=np.int64)}
    found = regression_estimates([(len(fitted[""].bins), bins, losses)])
    assert {key: each[()].value for key, each in found.items()} == pytest.approx(
        {"mae": 0.0, "mse": 0.0, "rmse": 0.0, "mape": 0.0}
    )
