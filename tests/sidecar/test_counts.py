"""Counts are exact, whatever the threads, shapes and types."""

import math
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from model_exporter import Baseline, ConfigError, ModelMonitor
from model_exporter.distribution import NumericDistribution, category_text
from model_exporter.records import OTHER
from model_exporter.sidecar import recorder as recorder_module
from model_exporter.sidecar.columns import NumericBins, bins_of
from model_exporter.sidecar.labels import MAX_LENGTH, Lookup, Names, clean_label
from model_exporter.sidecar.numeric import NumericFeatures

CALLS = 20_000
Reader = Callable[..., Any]


def sums(monitor: ModelMonitor) -> dict[str, float]:
    """Return the sum of each counter and histogram count."""
    found: Counter[str] = Counter()
    for metric in monitor.registry.collect():
        for sample in metric.samples:
            if sample.name.endswith(("_total", "_count")):
                found[sample.name] += sample.value
    return found


def test_totals_are_exact_with_eight_threads_and_scrapes_between(
    baselines: dict[str, Baseline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call is lost or counted twice while eight threads call, one flushes and one scrapes."""
    monkeypatch.setattr(recorder_module, "SOFT_VALUES", 500)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        monitor = ModelMonitor("m", baseline=baselines["binary"], buffer_values=10**9, strict=True)
        predict = monitor(lambda row: 0.25)
        predict_all = monitor(batch=True)(lambda rows: [0.25] * len(rows))

        def call() -> None:
            for _ in range(CALLS // 8):
                predict({"age": 30.0, "country": "de"})
            predict_all([{"age": 30.0, "country": "de"}] * 5)
            with pytest.raises(ZeroDivisionError):
                monitor(lambda row: 1 // 0)({"age": 30.0, "country": "de"})

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            sums(monitor)
        found = sums(monitor)
        monitor.close()
    finally:
        sys.setswitchinterval(interval)
    assert found["model_prediction_requests_total"] == CALLS + 16
    assert found["model_prediction_latency_seconds_count"] == CALLS + 16
    assert found["model_predictions_total"] == CALLS + 40
    assert found["model_prediction_errors_total"] == 8
    assert found["model_prediction_score_count"] == CALLS + 40
    assert found["model_feature_values_total"] == 2 * (CALLS + 40)
    assert found["model_distribution_total"] == 3 * (CALLS + 40)
    assert found["model_exporter_dropped_total"] == 0
    assert found["model_exporter_internal_errors_total"] == 0


def test_a_full_buffer_drops_the_newest_and_counts_them(
    make: Callable[..., ModelMonitor], reader: Reader
) -> None:
    """While a fold is held up; requests and drops add up to the calls."""
    monitor = make(task="regression", buffer_values=30)
    monitor._pipeline._wake = lambda: None
    monitor._pipeline.recorder.wake = lambda: None
    predict = monitor(lambda row: 1.0)
    fold = monitor._pipeline.fold
    holds, ends = threading.Event(), threading.Event()

    def hold_up() -> None:
        with fold.lock:
            holds.set()
            ends.wait(10)

    holder = threading.Thread(target=hold_up)
    holder.start()
    assert holds.wait(10)
    for _ in range(25):
        predict(1)
    ends.set()
    holder.join(10)
    read = reader(monitor)
    assert read("model_exporter_dropped_total", reason="buffer_full") == 15
    assert read("model_prediction_requests_total") == 10
    assert read("model_predictions_in_progress") == 0
    predict(1)
    assert read("model_prediction_requests_total") == 11


def test_a_call_folds_where_the_flusher_gets_no_time(make: Callable[..., ModelMonitor]) -> None:
    """Without a flusher at all, no call is lost, whatever the buffer holds."""
    monitor = make(task="regression", buffer_values=30)
    monitor._pipeline._wake = lambda: None
    monitor._pipeline.recorder.wake = lambda: None
    predict = monitor(lambda row: 1.0)
    for _ in range(1_000):
        predict(1)
    found = sums(monitor)
    monitor.close()
    assert found["model_prediction_requests_total"] == 1_000
    assert found["model_exporter_dropped_total"] == 0


@pytest.mark.parametrize("threads", [2, 8])
def test_callers_that_never_wait_lose_no_call(baselines: dict[str, Baseline], threads: int) -> None:
    """Rows of a loop without rest, several buffers' worth: every one is counted."""
    each = 300_000 // threads
    monitor = ModelMonitor("m", baseline=baselines["regression"])
    predict = monitor(lambda row: 0.5)
    row = dict.fromkeys(baselines["regression"].features, 1.0)

    def work() -> None:
        for _ in range(each):
            predict(row)

    pool = [threading.Thread(target=work) for _ in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    found = sums(monitor)
    monitor.close()
    assert found["model_prediction_requests_total"] == each * threads
    assert found["model_exporter_dropped_total"] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_at_zero_and_the_parent_keeps_its_counts(
    baselines: dict[str, Baseline], reader: Reader
) -> None:
    """Also when forked within a call, and while another thread holds the fold's lock."""
    monitor = ModelMonitor("m", baseline=baselines["binary"], strict=True)
    read = reader(monitor)
    predict = monitor(lambda row: 1)
    for _ in range(5):
        predict({"age": 30, "country": "de"})

    @monitor
    def forks(row: Any) -> int:
        return os.fork()

    release, held = threading.Event(), threading.Event()

    def hold() -> None:
        with monitor._pipeline.fold.lock:
            held.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    pid = forks({"age": 30, "country": "de"})
    if pid == 0:
        status = 1
        try:
            predict({"age": 30, "country": "de"})
            monitor._pipeline._wake()
            seen = (
                read("model_prediction_requests_total"),
                read("model_predictions_in_progress"),
                read("model_predicted_class_total", predicted_class="1"),
            )
            status = 0 if seen == (2, 0, 1) else 2
        finally:
            os._exit(status)
    release.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert read("model_prediction_requests_total") == 6
    monitor.close()


ROWS: list[dict[str, Any]] = [
    {"age": 30.0, "country": "de"},
    {"age": 45.5, "country": "fr"},
    {"age": 19.0, "country": "xx"},
]
SHAPES: dict[str, Any] = {
    "list of dicts": ROWS,
    "list of lists": [list(row.values()) for row in ROWS],
    "tuple of tuples": tuple(tuple(row.values()) for row in ROWS),
    "dict of lists": {name: [row[name] for row in ROWS] for name in ROWS[0]},
    "dict of arrays": {name: np.array([row[name] for row in ROWS]) for name in ROWS[0]},
    "object array": np.array([list(row.values()) for row in ROWS], dtype=object),
    "DataFrame": pd.DataFrame(ROWS),
}
OUTPUTS: dict[str, Any] = {
    "list": [1, 0, 1],
    "tuple": (1, 0, 1),
    "array": np.array([1, 0, 1]),
    "column": np.array([[1], [0], [1]]),
    "bools": np.array([True, False, True]),
    "Series": pd.Series([1, 0, 1]),
    "dict of columns": {"prediction": [1, 0, 1], "score": np.array([0.9, 0.1, 0.8])},
    "list of dicts": [{"prediction": 1, "score": 0.9}, {"prediction": 0}, {"prediction": "1"}],
    "list of pairs": [(1, 0.9), (0, 0.1), (1, 0.8)],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("output", OUTPUTS)
def test_every_batch_shape_counts_the_same(
    make: Callable[..., ModelMonitor],
    baselines: dict[str, Baseline],
    reader: Reader,
    shape: str,
    output: str,
) -> None:
    """A batch counts as its rows would, whatever it comes in."""
    monitor = make(baseline=baselines["binary"])
    monitor(batch=True)(lambda table: OUTPUTS[output])(SHAPES[shape])
    read = reader(monitor)
    assert read("model_prediction_requests_total") == 1
    assert read("model_predictions_total") == 3
    assert read("model_prediction_batch_rows_sum") == 3
    assert read("model_feature_values_total", feature="age") == 3
    assert read("model_feature_invalid_total", feature="age", reason="out_of_range") == 1
    assert read("model_feature_invalid_total", feature="country", reason="unseen") == 1
    assert read("model_predicted_class_total", predicted_class="1") == 2
    assert read("model_predicted_class_total", predicted_class="0") == 1


SINGLE_ROWS: dict[str, Any] = {
    "dict": {"age": 30.0, "country": "de"},
    "dict in another order": {"country": "de", "more": 1, "age": 30.0},
    "list": [30.0, "de"],
    "tuple": (30.0, "de"),
    "array": np.array([30.0, "de"], dtype=object),
    "list of one": [[30.0, "de"]],
    "array of one": np.array([[30.0, "de"]], dtype=object),
    "Series": pd.Series({"age": 30.0, "country": "de"}),
    "DataFrame of one": pd.DataFrame([{"age": 30.0, "country": "de"}]),
}


@pytest.mark.parametrize("shape", SINGLE_ROWS)
@pytest.mark.parametrize("plain", [True, False])
def test_every_row_shape_counts_the_same(
    make: Callable[..., ModelMonitor],
    baselines: dict[str, Baseline],
    reader: Reader,
    shape: str,
    plain: bool,
) -> None:
    """By the fast wrapper and by the general one, a row is a row."""
    monitor = make(baseline=baselines["regression"])
    if plain:
        monitor(lambda row: 100.0)(SINGLE_ROWS[shape])
    else:
        monitor(lambda row, other: 100.0)(SINGLE_ROWS[shape], other=1)
    read = reader(monitor)
    assert read("model_feature_values_total", feature="age") == 1
    assert read("model_feature_missing_total", feature="age") == 0
    counted = {
        sample.labels["bin"]
        for metric in monitor.registry.collect()
        for sample in metric.samples
        if sample.name == "model_distribution_total" and sample.value
        if sample.labels["feature"] == "country"
    }
    assert counted == {"de"}


@pytest.mark.parametrize(
    ("task", "output", "classes", "score"),
    [
        ("binary", 1, {"1": 1}, None),
        ("binary", True, {"1": 1}, None),
        ("binary", np.bool_(False), {"0": 1}, None),
        ("binary", 1.0, {"1": 1}, None),
        ("binary", "1.0", {"1": 1}, None),
        ("binary", np.array([1]), {"1": 1}, None),
        ("binary", [1], {"1": 1}, None),
        ("binary", 0.25, {}, 0.25),
        ("binary", np.float32(0.25), {}, 0.25),
        ("binary", np.array([[0.25]]), {}, 0.25),
        ("binary", (1, 0.75), {"1": 1}, 0.75),
        ("binary", {"prediction": 0, "score": 0.25}, {"0": 1}, 0.25),
        ("binary", {"prediction": 0, "scores": {1: 0.25, 0: 0.75}}, {"0": 1}, 0.25),
        ("binary", {"score": 1.0}, {}, 1.0),
        ("binary", {"prediction": 1, "score": math.nan}, {"1": 1}, None),
        ("binary", None, {}, None),
        ("multiclass", "sun", {"sun": 1}, None),
        ("multiclass", ("sun", 0.75), {"sun": 1}, 0.75),
        ("multiclass", {"prediction": "sun", "scores": {"sun": 0.75}}, {"sun": 1}, 0.75),
        ("multiclass", 0.25, {"0.25": 1}, None),
    ],
)
def test_outputs_are_read_as_documented(
    make: Callable[..., ModelMonitor],
    reader: Reader,
    task: str,
    output: Any,
    classes: dict[str, float],
    score: float | None,
) -> None:
    """One row of the table in `ModelMonitor.__call__` a case; alone and in a batch."""
    for batch in (False, True):
        monitor = make(task=task, version=str(batch))
        monitor(batch=batch)(lambda row, o=[output] if batch else output: o)(1)
        read = reader(monitor, version=str(batch))
        found = {
            sample.labels["predicted_class"]: sample.value
            for metric in monitor.registry.collect()
            for sample in metric.samples
            if sample.name == "model_predicted_class_total"
        }
        assert found == classes
        assert read("model_prediction_score_count") == (score is not None)
        assert read("model_prediction_score_sum") == pytest.approx(score or 0.0)
        assert read("model_predictions_total") == 1


@pytest.mark.parametrize("edges", [None, [0, 100]])
def test_regression_values(
    make: Callable[..., ModelMonitor], reader: Reader, edges: list[float] | None
) -> None:
    """Odd numbers are skipped; with negative edges there is no sum that could fall."""
    monitor = make(task="regression", value_buckets=edges)
    for value in (100.0, {"prediction": np.int8(7)}, math.nan, math.inf, None, np.array([[3]])):
        monitor(lambda row: row)(value)
    read = reader(monitor)
    assert read("model_predictions_total") == 6
    assert read("model_prediction_value_bucket", le="+Inf") == 3
    assert read("model_prediction_value_bucket", le="100.0") == 3
    assert read("model_prediction_mean") == pytest.approx(110 / 3)
    assert read("model_prediction_value_sum") == (None if edges is None else 110.0)
    assert read("model_prediction_value_count") == (None if edges is None else 3)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["de", " fr ", "1", 1, 1.0, "1.0", np.float32(30), np.int8(3), pd.NA, pd.NaT]),
    st.sampled_from([10**400, b"x", (1, 2), np.array([1, 2]), 1j]),
)


@settings(max_examples=200, deadline=None)
@given(values=st.lists(VALUES, max_size=30))
def test_bulk_counts_equal_counting_one_by_one(
    baselines: dict[str, Baseline], values: list[Any]
) -> None:
    """A column's counts are the sum of its values' counts, and agree with their bin indices."""
    for distribution in baselines["binary"].features.values():
        bins = bins_of(distribution)
        whole = bins.count(values)
        parts = [bins.count([value]) for value in values]
        assert whole.values == len(values)
        assert whole.missing == sum(part.missing for part in parts)
        for together, apart in (
            (whole.invalid, [part.invalid for part in parts]),
            (whole.bins, [part.bins for part in parts]),
        ):
            assert (
                list(together) == [sum(column) for column in zip(*apart, strict=True)] or not parts
            )
        index = np.array([bins.index([value])[0] for value in values])
        np.testing.assert_array_equal(bins.index(values), index)
        counted = [int((index == i).sum()) for i in range(len(whole.bins))]
        assert counted == list(whole.bins)
        assert whole.missing == (index == -1).sum()


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(VALUES, VALUES, st.floats(15, 65)), max_size=30))
def test_counting_all_features_at_once_equals_counting_each(
    baselines: dict[str, Baseline], rows: list[tuple[Any, ...]]
) -> None:
    """The matrix gives what each feature's own counter gives, also with unequal numbers of bins."""
    wide, constant = (
        baselines["binary"].features["age"],
        NumericDistribution.fit([3, 3], max_values=0),
    )
    distributions = {"a": wide, "b": constant, "c": baselines["regression"].prediction}
    bins = {name: NumericBins(distribution) for name, distribution in distributions.items()}
    columns = {name: [row[i] for row in rows] for i, name in enumerate(bins)}
    found = dict(NumericFeatures(bins).count(columns))
    assert set(found) == (set(bins) if rows else set())
    for name, counts in found.items():
        alone = bins[name].count(columns[name])
        assert (counts.values, counts.missing) == (alone.values, alone.missing)
        assert list(counts.invalid) == list(alone.invalid)
        assert list(counts.bins) == list(alone.bins)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(width=32) | st.none(), max_size=50))
def test_bins_agree_with_the_baselines_own(
    baselines: dict[str, Baseline], values: list[float | None]
) -> None:
    """The sidecar's bins are those that the baseline and the job count in."""
    distribution = baselines["binary"].features["age"]
    ours, theirs = bins_of(distribution).index(values), distribution.bin_index(values)
    np.testing.assert_array_equal(ours, theirs)


class Unreadable:
    """It looks like a number, and raises what torch raises for two elements; nor is it a text."""

    def __float__(self) -> float:
        raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")

    def __str__(self) -> str:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError


def test_a_value_that_cannot_be_read_costs_only_itself(
    make: Callable[..., ModelMonitor], baselines: dict[str, Baseline], reader: Reader
) -> None:
    """It is of another type; the rows that are counted with it are counted."""
    monitor = make(baseline=baselines["regression"])
    rows = [{"age": 30.0, "country": "de"}] * 4 + [{"age": Unreadable(), "country": Unreadable()}]
    predict = monitor(lambda row: 100.0)
    for row in rows:
        predict(row)
    monitor(batch=True)(lambda rows: [100.0] * 5)(rows)
    read = reader(monitor)
    for feature in ("age", "country"):
        assert read("model_feature_values_total", feature=feature) == 10
        assert read("model_feature_invalid_total", feature=feature, reason="type") == 2
        assert read("model_feature_missing_total", feature=feature) == 0


def test_a_value_on_an_edge_is_in_the_bin_above(baselines: dict[str, Baseline]) -> None:
    """Bins are left-closed: the comparison with the edges agrees with the binary search."""
    distribution = baselines["binary"].features["age"]
    edges = distribution.edges.tolist()
    found = bins_of(distribution).count(edges)
    assert list(found.bins) == [0, *[1] * len(edges)]


@given(st.lists(VALUES, max_size=20))
def test_a_lookup_is_its_function(values: list[Any]) -> None:
    """Remembering changes nothing: True is not 1, and what cannot be hashed still resolves."""
    numbers: dict[str, int] = {}

    def resolve(value: Any) -> int:
        return numbers.setdefault(repr((type(value), category_text(value))), len(numbers))

    lookup = Lookup(resolve)
    lookup(values)
    assert lookup(values) == [resolve(value) for value in values]


def test_classes_and_errors_are_bounded(make: Callable[..., ModelMonitor]) -> None:
    """Beyond the caps everything shares one series; totals are conserved; labels are clean."""
    monitor = make(task="multiclass", classes=["known"])
    predict = monitor(lambda row: row)
    for i in range(200):
        predict(f"class\n{i:03}" + "x" * 100)
        with pytest.raises(Exception, match="boom"):
            monitor(
                lambda row, i=i: (_ for _ in ()).throw(type(f"E{i}", (Exception,), {})("boom"))
            )(1)
    found: dict[str, dict[str, float]] = {}
    for metric in monitor.registry.collect():
        for sample in metric.samples:
            for label in ("predicted_class", "error_type"):
                if label in sample.labels and sample.name.endswith("_total"):
                    found.setdefault(label, {})[sample.labels[label]] = sample.value
    assert {label: len(values) for label, values in found.items()} == {
        "predicted_class": 51,
        "error_type": 21,
    }
    assert {label: sum(values.values()) for label, values in found.items()} == {
        "predicted_class": 200,
        "error_type": 200,
    }
    assert found["predicted_class"]["known"] == 0
    assert found["predicted_class"][OTHER] == 151
    assert all(len(name) <= MAX_LENGTH and name.isprintable() for name in found["predicted_class"])


def test_labels_are_clean() -> None:
    """Control characters and lone surrogates never reach a scrape; nothing is empty."""
    assert clean_label("a\ud800b\x00\n") == "ab"
    assert clean_label("\x00") == OTHER
    names = Names(["a"], limit=1)
    assert (names.slot("a"), names.slot("b"), names.slot(OTHER)) == (0, 1, 1)


def test_the_window_forgets_by_age_and_by_number(
    make: Callable[..., ModelMonitor], clock: Any, reader: Reader
) -> None:
    """Gauges describe the newest predictions; with none there is no series, never NaN."""
    monitor = make(task="regression", window_rows=3, window_seconds=60)
    predict = monitor(lambda row: row)
    read = reader(monitor)
    assert read("model_prediction_mean") is None
    for value in (1000.0, 1.0, 2.0):
        predict(value)
    clock.advance(30)
    predict(6.0)
    assert read("model_prediction_mean") == 3.0
    assert read("model_prediction_quantile", level="0.5") == 2.0
    assert read("model_prediction_stddev") == pytest.approx(np.std([1, 2, 6]))
    clock.advance(40)
    assert read("model_prediction_mean") == 6.0
    clock.advance(40)
    assert read("model_prediction_mean") is None


def test_class_shares_of_the_window(make: Callable[..., ModelMonitor], reader: Reader) -> None:
    """Shares add up to one, known classes included at zero."""
    monitor = make(task="multiclass", classes=["fog", "sun"])
    for value in ("sun", "sun", "rain", "sun"):
        monitor(lambda row: row)(value)
    read = reader(monitor)
    shares = [
        read("model_predicted_class_ratio", predicted_class=c) for c in ("fog", "sun", "rain")
    ]
    assert shares == [0.0, 0.75, 0.25]


def test_timestamps_and_latency_come_from_the_clock(
    make: Callable[..., ModelMonitor], clock: Any, reader: Reader
) -> None:
    """Latency is the monotonic difference; the newest call's end is told in Unix time."""
    monitor = make(task="binary")
    monitor(lambda row: clock.advance(0.3))(1)
    read = reader(monitor)
    assert read("model_prediction_latency_seconds_sum") == pytest.approx(0.3)
    assert read("model_prediction_latency_seconds_bucket", le="0.25") == 0
    assert read("model_prediction_latency_seconds_bucket", le="0.5") == 1
    assert read("model_last_prediction_timestamp_seconds") == pytest.approx(1_700_000_000.3)


def test_two_models_two_versions_and_a_reload_share_a_registry(
    make: Callable[..., ModelMonitor], reader: Reader
) -> None:
    """Families appear once; a monitor made again goes on counting; another's name is refused."""
    registry = CollectorRegistry()
    for name, version in (("a", "1"), ("a", "2"), ("b", "1"), ("a", "1")):
        monitor = make(name, version=version, task="binary", registry=registry)
        monitor(lambda row: 1)(1)
    assert reader(monitor, "a", "1")("model_predictions_total") == 2
    assert reader(monitor, "a", "2")("model_predictions_total") == 1
    names = [metric.name for metric in registry.collect()]
    assert len(names) == len(set(names))
    make("a", version="1", task="regression", registry=registry)
    assert reader(monitor, "a", "1")("model_predictions_total") == 0

    from prometheus_client import Gauge

    foreign = CollectorRegistry()
    Gauge("model_info", "not ours", registry=foreign)
    with pytest.raises(ConfigError, match="model_info"):
        make("a", task="binary", registry=foreign)
