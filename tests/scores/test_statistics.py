"""From rows to sufficient statistics."""

import numpy as np
import pytest

from model_exporter.errors import SchemaError
from model_exporter.records import OTHER, Task
from model_exporter.scores.statistics import statistics_from_rows


def binary(labels, predictions, scores=None, **more):
    return statistics_from_rows(
        task=Task.BINARY,
        labels=labels,
        predictions=predictions,
        scores={} if scores is None else {"": scores},
        positive_label=more.pop("positive_label", 1),
        **more,
    )


def test_however_a_class_is_stored_it_is_one_class() -> None:
    """Labels come as integers, floats with gaps, or text; the confusion matrix is the same."""
    for labels in ([0, 1, 1], np.array([0.0, 1.0, 1.0]), ["0", "1.0", "1"], [False, True, True]):
        assert binary(labels, [0, 1, 0]).confusion.tolist() == [[1, 0], [1, 1]]


def test_rows_without_label_or_prediction_are_left_out() -> None:
    found = binary([0, None, 1, np.nan], [0, 1, None, 1], [0.1, 0.2, 0.3, 0.4])
    assert found.confusion.sum() == 1
    assert found.log_loss.count == 1


def test_rows_without_score_count_in_the_confusion_only() -> None:
    found = binary([0, 1, 1], [0, 1, 1], [0.1, None, np.inf])
    assert found.confusion.sum() == 3
    assert found.brier.count == found.calibration.counts.sum() == 1
    assert found.histograms[""].negatives.tolist() == [1]


def test_positive_class_is_second_wherever_it_sorts() -> None:
    found = binary(["yes", "no"], ["yes", "yes"], positive_label="no")
    assert found.classes == ("yes", "no")
    assert found.confusion.tolist() == [[1, 0], [1, 0]]


def test_negative_class_that_was_never_seen_has_a_place() -> None:
    assert binary([1, 1], [1, 1]).classes == (OTHER, "1")
    assert binary([1, 1], [1, 1], classes=("0", "1")).classes == ("0", "1")


def test_third_class_of_a_binary_model_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"positive label '1'.*'0', '2'"):
        binary([0, 1, 2], [0, 1, 1])


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"\[2, 3\]"):
        binary([0, 1, 1], [0, 1])


def test_class_beyond_the_given_ones_is_other_and_had_no_probability() -> None:
    found = statistics_from_rows(
        task=Task.MULTICLASS,
        labels=["a", "new"],
        predictions=["a", "b"],
        scores={"a": [0.9, 0.3], "b": [0.1, 0.7]},
        classes=("a", "b"),
    )
    assert found.classes == ("a", "b", OTHER)
    assert found.confusion.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert found.log_loss.total == pytest.approx(-np.log(0.9) - np.log(np.finfo(float).eps))
    assert found.brier.total == pytest.approx(0.02 + 0.09 + 0.49 + 1)


def test_scores_on_the_edge_of_a_calibration_bin_belong_to_the_bin_above() -> None:
    tenths = np.arange(11) / 10
    found = binary([0, 1] * 5 + [0], [0] * 11, tenths)
    assert found.calibration.counts.tolist() == [1] * 9 + [2]


def test_regression_leaves_out_what_is_not_finite() -> None:
    found = statistics_from_rows(
        task=Task.REGRESSION,
        labels=[1.0, None, 3.0, 4.0],
        predictions=[2.0, 2.0, np.inf, 2.0],
        scores={},
    )
    assert (found.count, found.error, found.label) == (2, -1.0, 5.0)
