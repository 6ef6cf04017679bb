"""Rows of numbers are kept as bytes; whatever comes between them counts as it always did."""

import os
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_exporter import Baseline, ModelMonitor
from model_exporter.sidecar.packed import PAUSE
from model_exporter.sidecar.recorder import FIXED, PACKED

Reader = Callable[..., Any]
NAMES = ("age", "balance", "visits")
WIDTH = FIXED + len(NAMES)
CLEAN = [30.0, 500.0, 2.0]


@pytest.fixture(scope="module")
def numeric() -> Baseline:
    """Return a baseline of numbers only: the condition for packing."""
    rng = np.random.default_rng(3)
    table: dict[str, Any] = {name: rng.normal(30, 10, 300) for name in NAMES}
    table["prediction"] = np.arange(300) % 2
    return Baseline.from_table(table, task="binary", features={"numeric": list(NAMES)})


def samples(monitor: ModelMonitor) -> dict[Any, float]:
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for metric in monitor.registry.collect()
        for sample in metric.samples
    }


def by_hand(monitor: ModelMonitor) -> None:
    """Let nobody flush before the test asks for it."""
    monitor._pipeline.recorder.wake = lambda: None


def packed(monitor: ModelMonitor) -> int:
    return len(monitor._pipeline.recorder.packed) // PACKED


class Number(float):
    """A float that is none to a test of types."""


class Refusing:
    """Looks like a number, and is none."""

    def __float__(self) -> float:
        raise RuntimeError("no number")


VALUES = st.one_of(
    st.floats(),
    st.floats(-10, 80),
    st.integers(-(10**20), 10**20),
    st.booleans(),
    st.sampled_from([None, "", "30", "old", 10**400, -(10**400), b"x", [1], (1, 2), 1j]),
    st.sampled_from([np.float32(3.3), np.float64("nan"), np.int8(3), np.bool_(True), np.str_("3")]),
    st.sampled_from([Decimal("2.5"), Fraction(1, 3), Number(7.5), Refusing(), np.array(3.0)]),
    st.sampled_from([np.array([1.0, 2.0]), np.datetime64("2020-01-01"), np.datetime64("NaT")]),
)
FULL = st.lists(VALUES, min_size=3, max_size=3)
DTYPES = st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.int8, np.bool_, ">f8"])
ROWS = st.one_of(
    FULL,
    st.lists(st.floats(-10, 80), min_size=3, max_size=3),
    st.lists(VALUES, max_size=5),
    FULL.map(tuple),
    FULL.map(lambda row: dict(zip(NAMES, row, strict=True))),
    st.dictionaries(st.sampled_from([*NAMES, "other", 7]), VALUES, max_size=5),
    FULL.map(lambda row: np.array([*row, None], dtype=object)[:3]),
    st.builds(lambda dtype, size: np.arange(size).astype(dtype), DTYPES, st.integers(2, 4)),
    st.just(np.arange(6.0)[::2]),  # of a stride
    st.just(np.ones((1, 3))),
    st.sampled_from([None, 3, "abc", CLEAN]),
)
OUTPUTS = st.sampled_from([0, 1, 0.25, np.float32(0.5), "yes", (1, 0.75), None, {"score": 0.5}, []])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    calls=st.lists(st.tuples(ROWS, OUTPUTS), max_size=20),
    clean=st.sampled_from([0, 1, PAUSE - 1, PAUSE, PAUSE + 5]),
    flush_at=st.integers(0, 20),
)
def test_packed_or_not_the_counts_are_the_same(
    make: Callable[..., ModelMonitor], numeric: Baseline, calls: Any, clean: int, flush_at: int
) -> None:
    """The oracle is the general wrapper, which a call by keyword takes."""
    fast, general = (make(baseline=numeric, strict=False) for _ in range(2))
    predict = fast(lambda row: output)
    predict_slowly = general(lambda row: output)
    rows = [*calls[:2], *[(CLEAN, 1)] * clean, *calls[2:]]
    for number, (row, output) in enumerate(rows):
        assert predict(row) is output
        assert predict_slowly(row=row) is output
        if number == flush_at:
            fast.flush()
    assert samples(fast) == samples(general)
    for monitor in (fast, general):
        monitor.close()


@pytest.mark.parametrize(
    "odd", [[None, 1.0, 2.0], {"age": 1.0, "balance": "x", "visits": 2}, {"age": 1.0}, [1.0], 3]
)
def test_after_an_odd_row_packing_pauses_and_comes_back(
    make: Callable[..., ModelMonitor], reader: Reader, numeric: Baseline, odd: Any
) -> None:
    """A row that is no list of numbers costs an exception; the next ones do not try it."""
    monitor = make(baseline=numeric, strict=False)
    by_hand(monitor)
    predict = monitor(lambda row: 1)
    predict(CLEAN)
    assert packed(monitor) == 1
    predict(odd)
    is_tried = isinstance(odd, (list, dict))
    for number in range(PAUSE + 3):
        predict(CLEAN)
        assert packed(monitor) == 1 + max(number + 1 - PAUSE * is_tried, 0)
    assert reader(monitor)("model_predictions_in_progress") == 0
    assert reader(monitor)("model_predictions_total") == PAUSE + 5


def test_a_list_of_another_length_is_never_packed(
    make: Callable[..., ModelMonitor], reader: Reader, numeric: Baseline
) -> None:
    """Its bytes would make every row of the buffer another."""
    monitor = make(baseline=numeric, strict=False)
    by_hand(monitor)
    predict = monitor(lambda row: 1)
    for row in (CLEAN[:2], [*CLEAN, 1.0], np.ones(4), CLEAN):
        predict(row)
    assert packed(monitor) == 0
    read = reader(monitor)
    assert read("model_feature_values_total", feature="age") == 1
    assert read("model_exporter_internal_errors_total", stage="features") == 3


def test_both_buffers_are_bounded_and_every_call_is_counted_or_dropped(
    make: Callable[..., ModelMonitor], reader: Reader, numeric: Baseline
) -> None:
    """Rows of numbers first, then odd ones, then both by turns; nobody can flush."""
    limit = 20 * WIDTH
    monitor = make(baseline=numeric, buffer_values=limit)
    by_hand(monitor)
    recorder = monitor._pipeline.recorder
    recorder.relieve = lambda: False
    predict, odd = monitor(lambda row: 1), [None, 1.0, 2.0]
    for row in (*[CLEAN] * 100, *[odd] * 100, *[CLEAN, odd] * 100):
        predict(row)
    waiting = len(recorder.rows) + packed(monitor) * WIDTH
    assert waiting <= limit
    read = reader(monitor)
    counted = read("model_predictions_total")
    assert counted == waiting / WIDTH
    assert counted + read("model_exporter_dropped_total", reason="buffer_full") == 400
    assert read("model_feature_values_total", feature="age") == counted
    assert read("model_predictions_in_progress") == 0
    predict(CLEAN)
    assert read("model_predictions_total") == counted + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_within_a_packed_call(reader: Reader, numeric: Baseline) -> None:
    """The call ends in both processes, and counts in each once; no earlier call counts twice."""
    monitor = ModelMonitor("m", baseline=numeric, strict=True)
    by_hand(monitor)
    predict, forks = monitor(lambda row: 1), monitor(lambda row: os.fork())
    for _ in range(5):
        predict(CLEAN)
    read = reader(monitor)

    def seen() -> tuple[float | None, ...]:
        return (
            read("model_predictions_total"),
            read("model_feature_values_total", feature="age"),
            read("model_predictions_in_progress"),
        )

    pid = forks(CLEAN)
    if pid == 0:
        status = 1
        try:
            predict(CLEAN)
            status = 0 if seen() == (2, 2, 0) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    predict(CLEAN)
    assert seen() == (7, 7, 0)
    monitor.close()
