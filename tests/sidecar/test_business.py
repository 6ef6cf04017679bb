"""What the business counts is counted by measure, exactly, in bounds, and never in the way."""

import logging
import math
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_exporter import ModelMonitor
from model_exporter.sidecar.counters import MEASURE_GRID
from model_exporter.sidecar.sections import LIMITS, Section

Reader = Callable[..., Any]
TOTAL = "model_business_total"
CENTS = st.integers(0, 10**7).map(lambda cents: cents / 4)  # exact in binary


@given(calls=st.lists(st.tuples(st.sampled_from(["revenue_eur", "claims"]), CENTS), max_size=50))
def test_amounts_add_up_by_measure(calls: list[tuple[str, float]]) -> None:
    with ModelMonitor("m", task="binary", strict=True) as monitor:
        for measure, amount in calls:
            monitor.business(measure, amount)
        for measure in ("revenue_eur", "claims"):
            labels = {"model_name": "m", "model_version": "", "measure": measure}
            amounts = [Fraction(amount) for each, amount in calls if each == measure]
            expected = sum(amounts) if amounts else None
            assert monitor.registry.get_sample_value(TOTAL, labels) == expected


def test_without_an_amount_it_counts_one(make: Callable[..., ModelMonitor], reader: Reader) -> None:
    monitor = make(task="binary")
    monitor.business("claims_avoided")
    monitor.business("claims_avoided", True)
    assert reader(monitor)(TOTAL, measure="claims_avoided") == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("refunds", -1.0), "amount of 0 or more, got a negative"),
        (("refunds", math.inf), "negative or infinite"),
        (("refunds", math.nan), "got a float"),
        (("refunds", "12,50"), "got a str"),
        (("refunds", None), "got a NoneType"),
        (("", 1), "name of a measure"),
        ((3, 1), "got a int"),
    ],
)
def test_what_no_counter_can_take_is_an_internal_error(
    reader: Reader, caplog: pytest.LogCaptureFixture, arguments: Any, complaint: str
) -> None:
    """The caller goes on; the error is counted, and the log says what to do."""
    caplog.set_level(logging.WARNING, "model_exporter")
    with ModelMonitor("m", task="binary") as monitor:
        monitor.business("refunds", 3)
        monitor.business(*arguments)
        read = reader(monitor)
        assert read(TOTAL, measure="refunds") == 3
        assert read("model_exporter_internal_errors_total", stage="business") == 1
    assert complaint in caplog.text


def test_measures_are_bounded(make: Callable[..., ModelMonitor], reader: Reader) -> None:
    monitor = make(task="binary")
    limit = LIMITS[Section.MEASURES]
    for number in range(limit + 5):
        monitor.business(f"measure {number}", 2)
    read = reader(monitor)
    assert read(TOTAL, measure=f"measure {limit - 1}") == 2
    assert read(TOTAL, measure=f"measure {limit}") is None
    assert read(TOTAL, measure="__other__") == 10


def test_threads_lose_nothing(make: Callable[..., ModelMonitor], reader: Reader) -> None:
    monitor = make(task="binary")
    threads = [
        threading.Thread(target=lambda: [monitor.business("claims") for _ in range(5_000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reader(monitor)(TOTAL, measure="claims") == 20_000


def test_beyond_the_buffer_they_are_dropped_and_counted(reader: Reader) -> None:
    """With the fold held up, as by a scrape that never ends."""
    with ModelMonitor("m", task="binary", buffer_values=100) as monitor:
        held = threading.Event()
        taken = threading.Event()

        def hold() -> None:
            with monitor._pipeline.fold.lock:
                taken.set()
                held.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        taken.wait(10)
        for _ in range(100):
            monitor.business("claims")
        held.set()
        thread.join()
        read = reader(monitor)
        counted = read(TOTAL, measure="claims")
        dropped = read("model_exporter_dropped_total", reason="buffer_full")
    assert counted + dropped == 100
    assert dropped > 0


def test_processes_add_up(tmp_path: Path, reader: Reader) -> None:
    """To within the grid of each, and by name, whichever came first in a process."""
    arguments: dict[str, Any] = {"multiprocess_dir": tmp_path, "strict": True}
    workers = [ModelMonitor("m", task="binary", **arguments) for _ in range(2)]
    workers[0].business("revenue_eur", 0.1)
    workers[0].business("claims", 1)
    workers[1].business("claims", 2)
    workers[1].business("revenue_eur", 0.2)
    for worker in workers:
        worker.flush()
    for worker in workers:
        read = reader(worker)
        assert read(TOTAL, measure="claims") == 3
        assert read(TOTAL, measure="revenue_eur") == pytest.approx(0.3, abs=2 * MEASURE_GRID)
    for worker in workers:
        worker.close()
