"""Processes that share a directory: the sum is exact, whoever is asked and whoever has died.

Here a process is a monitor with a registry of its own: its shard and its locks are its own, as
those of a process are. `test_processes.py` repeats the essentials with real ones.
"""

import itertools
import math
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_exporter import Baseline, ModelMonitor
from model_exporter.sidecar import shard_file
from model_exporter.sidecar.clock import SYSTEM_CLOCK, Clock
from model_exporter.sidecar.sections import Place, Section
from model_exporter.sidecar.tally import Tally, added
from model_exporter.sidecar.window import EMPTY, LEVELS, Window, pooled

Sample = tuple[str, tuple[tuple[str, str], ...]]


class Worker:
    """A process, but for the process."""

    def __init__(self, directory: Path, clock: Clock = SYSTEM_CLOCK, **arguments: Any) -> None:
        every = {"task": "binary", "version": "1", "strict": True, **arguments}
        self.monitor = ModelMonitor("m", multiprocess_dir=directory, clock=clock, **every)
        self.predict = self.monitor(lambda output: output)

    def calls(self, *outputs: Any) -> None:
        """Predict, and let the others see it."""
        for output in outputs:
            self.predict(output)
        self.monitor.flush()

    def scrape(self) -> dict[Sample, float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for metric in self.monitor.registry.collect()
            for sample in metric.samples
        }

    def read(self, name: str, **labels: str) -> float | None:
        every = {"model_name": "m", "model_version": "1", **labels}
        return self.scrape().get((name, tuple(sorted(every.items()))))

    def kill(self) -> None:
        """End as by SIGKILL: nothing is written, the kernel takes the lock away."""
        shards = self.monitor._pipeline.shards
        assert shards is not None
        shards._retired = True
        shards._release()
        self.monitor._pipeline.closed = True


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    started = []

    def start_worker(**arguments: Any) -> Worker:
        started.append(Worker(tmp_path, **arguments))
        return started[-1]

    yield start_worker
    for worker in started:
        worker.kill()


def counters(scrape: dict[Sample, float]) -> dict[Sample, float]:
    suffixes = ("_total", "_bucket", "_count", "_sum")
    return {sample: value for sample, value in scrape.items() if sample[0].endswith(suffixes)}


def shard_names(directory: Path) -> list[str]:
    return [name for name in os.listdir(directory) if name.endswith(".shard")]


def test_a_scrape_of_any_worker_is_the_sum_of_all(start: Callable[..., Worker]) -> None:
    """Rows, classes, errors and histograms; classes first seen in any order add up by name."""
    one, two = start(), start()
    one.calls("a", "b", "b", 0.25)
    two.calls("c", "b", 0.75)
    failing = two.monitor(lambda row: 1 / row)
    with pytest.raises(ZeroDivisionError):
        failing(0)
    two.monitor.flush()
    seen = one.scrape()
    assert counters(two.scrape()) == counters(seen)
    assert one.read("model_predictions_total") == 7
    assert one.read("model_prediction_requests_total") == 8
    assert one.read("model_prediction_score_count") == 2
    assert one.read("model_prediction_errors_total", error_type="ZeroDivisionError") == 1
    for name, count in {"a": 1, "b": 3, "c": 1}.items():
        assert one.read("model_predicted_class_total", predicted_class=name) == count
    assert one.read("model_exporter_shards") == 2


OPERATIONS = st.tuples(st.integers(0, 3), st.sampled_from(["calls", "scrape", "kill", "close"]))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operations=st.lists(OPERATIONS, max_size=25))
def test_counters_are_exact_and_never_fall_whatever_workers_do(
    operations: list[tuple[int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Files stay few: one a living worker, the archive and the lock after a scrape."""
    directory = tmp_path_factory.mktemp("shards")
    workers = [Worker(directory) for _ in range(4)]
    called, last = 0, {}
    names = itertools.cycle("abcdefg")
    for place, operation in [*operations, (0, "scrape"), (1, "scrape")]:
        worker = workers[place]
        if operation == "calls":
            worker.calls(next(names), 0.5)
            called += 2
        elif operation == "scrape":
            seen = counters(worker.scrape())
            assert {k: v for k, v in last.items() if seen.get(k, -1) < v} == {}
            assert seen["model_predictions_total", MODEL] == called
            assert len(os.listdir(directory)) <= len(workers) + 2
            last = seen
        else:
            if operation == "close":
                worker.monitor.close()
            worker.kill()
            workers[place] = Worker(directory)
    for worker in workers:
        worker.kill()


MODEL = (("model_name", "m"), ("model_version", "1"))


class Killed(BaseException):
    """SIGKILL: nobody handles it."""


@pytest.mark.parametrize("step", range(1, 6))
def test_a_fold_killed_between_any_two_steps_loses_and_doubles_nothing(
    start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch, step: int, tmp_path: Path
) -> None:
    """Before the new archive has its name, after it, and after each shard that is removed."""
    dead = [start() for _ in range(3)]
    for worker in dead:
        worker.calls("a", "b")
    for worker in dead:
        worker.kill()
    steps = itertools.count(1)

    def stop_at_step(original: Callable[..., Any]) -> Callable[..., Any]:
        def stopped(path: Path, *rest: Any, **keywords: Any) -> Any:
            # Not in the flusher of some other monitor, which writes when it likes.
            if threading.current_thread() is threading.main_thread() and next(steps) == step:
                raise Killed
            return original(path, *rest, **keywords)

        return stopped

    killed = start()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stop_at_step(Path.rename))
        patch.setattr(Path, "unlink", stop_at_step(Path.unlink))
        patch.setattr(os, "pwrite", stop_at_step(os.pwrite))
        with pytest.raises(Killed):
            killed.scrape()
    living = start()
    for _ in range(2):
        assert living.read("model_predictions_total") == 6
    assert shard_names(tmp_path) == []


def test_a_writer_killed_within_a_write_leaves_the_counts_before(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    """Wherever the write was cut off, and whether or not a reader is asked twice."""
    worker, reader = start(), start()
    worker.calls("a")
    worker.calls("b")
    (path,) = tmp_path.glob("*.shard")
    before = path.read_bytes()
    worker.calls("c")
    after = path.read_bytes()
    worker.kill()
    changed = np.flatnonzero(np.frombuffer(before, "u1") != np.frombuffer(after, "u1"))
    for cut in (changed[0] + 1, changed[changed.size // 2], changed[-1]):
        path.write_bytes(after[:cut] + before[cut:])
        record = shard_file.read(path, reader.monitor._pipeline.shards._folder.identity)
        assert record.tally.names[Section.CLASSES] == ["a", "b"]
    assert reader.read("model_predictions_total") == 2


def test_gauges_speak_of_living_workers_only(start: Callable[..., Worker], clock: Any) -> None:
    """In progress: of the living. Last prediction: the newest of all. Window: of the living."""
    one, two = start(clock=clock), start(clock=clock)
    one.calls(0.2, 0.4)
    clock.advance(10)
    during = {}

    def predict(row: object) -> float:
        two.monitor.flush()
        during["one"] = one.read("model_predictions_in_progress")
        return 0.9

    two.calls(0.1)
    clock.advance(1)
    two.monitor(predict)({})
    two.monitor.flush()
    newest = one.read("model_last_prediction_timestamp_seconds")
    assert during == {"one": 1}
    clock.advance(1)
    two.monitor.flush()
    assert one.read("model_prediction_mean") == pytest.approx((0.2 + 0.4 + 0.1 + 0.9) / 4)
    two.kill()
    assert one.read("model_last_prediction_timestamp_seconds") == newest
    assert one.read("model_prediction_mean") == pytest.approx(0.3)
    assert one.read("model_predictions_in_progress") == 0
    assert one.read("model_exporter_shards") == 1


def test_classes_beyond_the_limit_share_a_series_that_never_falls(
    start: Callable[..., Worker],
) -> None:
    """Each worker has named 30 classes; 50 keep their series through every death."""
    workers = [start(task="multiclass") for _ in range(4)]
    last: dict[Sample, float] = {}
    for round_, worker in enumerate(workers):
        worker.calls(*(f"class {round_}.{i}" for i in range(30)))
        seen = counters(workers[-1].scrape())
        assert all(seen[sample] >= value for sample, value in last.items())
        last = seen
    for worker in workers[:3]:
        worker.kill()
        seen = counters(workers[-1].scrape())
        assert seen == last
    classes = {k: v for k, v in last.items() if k[0] == "model_predicted_class_total"}
    assert (len(classes), sum(classes.values())) == (51, 120)


def test_models_versions_and_layouts_are_kept_apart(
    start: Callable[..., Worker], baselines: dict[str, Baseline], tmp_path: Path
) -> None:
    """Two versions are two sums; a living worker with another baseline is left out and counted."""
    plain, fitted = start(), start(baseline=baselines["binary"])
    other = start(version="2")
    plain.calls("a", "b")
    fitted.predict({"age": 30, "country": "de", "prediction": 1})
    fitted.monitor.flush()
    other.calls("a", "b", "c")
    assert plain.read("model_predictions_total") == 2
    assert fitted.read("model_predictions_total") == 1
    assert other.read("model_predictions_total", model_version="2") == 3
    skipped = "model_exporter_shards_skipped"
    assert plain.read(skipped, reason="layout") == fitted.read(skipped, reason="layout") == 1
    assert other.read(skipped, reason="layout", model_version="2") == 0
    fitted.kill()
    assert plain.read(skipped, reason="layout") == 0


def test_the_same_pid_twice_is_two_workers(
    start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pids repeat, in time and between containers; nothing depends on them."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    first = start()
    first.calls("a")
    first.kill()
    second, third = start(), start()
    second.calls("a", "b")
    third.calls("a")
    assert second.read("model_predictions_total") == third.read("model_predictions_total") == 4


def test_a_reloaded_monitor_with_other_settings_leaves_its_counts(tmp_path: Path) -> None:
    """The replaced pipeline's shard goes into the archive; its functions count no more."""
    worker = Worker(tmp_path)
    worker.calls("a")
    again = ModelMonitor(
        "m", version="1", task="binary", multiprocess_dir=tmp_path, window_rows=5,
        registry=worker.monitor.registry,
    )  # fmt: skip
    again(lambda row: "b")({})
    worker.predict("c")
    assert worker.read("model_predictions_total") == 2
    worker.monitor.close()
    again.close()


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(st.lists(st.floats(-1e6, 1e6), max_size=40), min_size=1, max_size=4))
def test_pooling_windows_is_the_window_of_all(parts: list[list[float]]) -> None:
    """Mean, deviation and quantiles of pooled digests are numpy's of all values together."""
    digests = []
    for part in parts:
        window = Window(100, 10)
        window.add(np.zeros(len(part)), np.array(part), np.full(len(part), -1))
        digests.append(window.digest(5, 3, limit=64))
    found = pooled(digests)
    every = np.array(list(itertools.chain.from_iterable(parts)))
    assert found.rows == every.size
    if every.size:
        assert found.mean == pytest.approx(every.mean(), abs=1e-6)
        assert found.stddev == pytest.approx(every.std(), abs=1e-3)
        np.testing.assert_allclose(found.quantiles(), np.quantile(every, LEVELS), atol=1e-6)


def test_a_sample_stands_for_a_long_window() -> None:
    """With 512 of 10,000 values, quantiles are right to a thousandth in rank."""
    values = np.random.default_rng(3).random(10_000)
    window = Window(10_000, 10)
    window.add(np.zeros(values.size), values, np.full(values.size, -1))
    digest = window.digest(5, 1, limit=shard_file.WINDOW_VALUES)
    assert (digest.values.size, digest.rows) == (shard_file.WINDOW_VALUES, 10_000)
    assert math.isclose(digest.weights.sum(), 10_000)
    ranks = np.searchsorted(np.sort(values), digest.quantiles()) / values.size
    np.testing.assert_allclose(ranks, LEVELS, atol=1e-3)


NAMED = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=4)


@given(names=st.lists(NAMED, min_size=1, max_size=5))
def test_adding_keeps_totals_and_names(names: list[list[str]]) -> None:
    """By name, what has a slot adds up; the rest is in the last slot; nothing is lost."""
    tallies = []
    for own in names:
        array = np.zeros(3 + 5 + 2)
        array[3 : 3 + len(own)] = 1
        tallies.append(Tally(array, {Section.CLASSES: own}, window=EMPTY.with_classes(array[3:8])))
    places = {Section.CLASSES: Place(3, 8), Section.MEASURES: Place(8, 10)}
    total = added(tallies, places)
    assert total.array[3:8].sum() == total.window.classes.sum() == sum(map(len, names))
    for slot, name in enumerate(total.names[Section.CLASSES]):
        assert total.array[3 + slot] == sum(name in own for own in names)
