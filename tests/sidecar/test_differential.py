"""Whatever breaks inside the monitor, a monitored function does what the bare one does.

Every shape of `shapes` is called with generated behaviour by a generated caller, bare and
monitored, with one of `FAULTS` injected. What the caller sees must be the same, step by step, and
nothing may be left behind: 10^5 calls in all, and with `pytest --runslow` for each fault.
"""

import asyncio
import errno
import gc
import logging
import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sidecar.shapes import SHAPES, STEPS, Bare, Behaviour, ModelError, Result, Script, trace

from model_exporter import Baseline, ModelMonitor
from model_exporter.sidecar.clock import Clock

EXAMPLES = 120
CALLS = 100_000


OTHERS_OBJECTS = 500
"""Formats that `struct` of the standard library remembers, and what other threads make."""


class Row(dict[str, Any]):
    """A row of features whose end can be seen."""


class Broken:
    """Raises whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __len__(self) -> int:
        raise RuntimeError

    def __str__(self) -> str:
        raise RuntimeError


def raising(*_: Any, **__: Any) -> Any:
    raise RuntimeError("injected")


def disk_full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "no space left on device")


def breaking(*path: str) -> Callable[[ModelMonitor], None]:
    """Return what makes a method of the pipeline raise."""

    def inject(monitor: ModelMonitor) -> None:
        owner: Any = monitor._pipeline
        for name in path[:-1]:
            owner = getattr(owner, name)
        setattr(owner, path[-1], raising)

    return inject


def nothing(monitor: ModelMonitor) -> None:
    pass


def lose_directory(monitor: ModelMonitor) -> None:
    log = monitor._pipeline.settings.log
    assert log is not None
    log.directory.rmdir()


def fill_disk(monitor: ModelMonitor) -> None:
    log: Any = monitor._pipeline.log
    log._kind = disk_full


FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[ModelMonitor], None]]] = {
    "none": ({}, {}, nothing),
    "output raises": ({}, {"output": raising}, nothing),
    "output gives what cannot be read": ({}, {"output": lambda r: Broken()}, nothing),
    "features raises": ({}, {"features": raising}, nothing),
    "features gives another number": ({}, {"features": lambda *a: [1]}, nothing),
    "features gives what cannot be read": ({}, {"features": lambda *a, **k: Broken()}, nothing),
    "event_time raises": ({"event_time": raising}, {}, nothing),
    "event_time gives no time": ({"event_time": lambda *a, **k: Broken()}, {}, nothing),
    "prediction_id raises": ({"log": True}, {"prediction_id": raising}, nothing),
    "prediction_id gives no text": (
        {"log": True},
        {"prediction_id": lambda *a, **k: Broken()},
        nothing,
    ),
    "buffer full": ({"buffer_values": 1}, {}, nothing),
    "flusher cannot be woken": ({}, {}, breaking("recorder", "wake")),
    "flusher cannot start": ({}, {}, breaking("_start")),
    "rows cannot be folded": ({}, {}, breaking("fold", "_fold_rows")),
    "batches cannot be folded": ({}, {}, breaking("fold", "_fold_batch")),
    "failures cannot be folded": ({}, {}, breaking("fold", "_fold_failures")),
    "streams cannot be folded": ({}, {}, breaking("fold", "_fold_streams")),
    "outputs cannot be read": ({}, {}, breaking("fold", "reader", "split")),
    "outputs cannot be counted": ({}, {}, breaking("fold", "_count_outputs")),
    "the wall clock fails": ({"clock": Clock(time.perf_counter_ns, raising)}, {}, nothing),
    "log directory gone": ({"log": True}, {}, lose_directory),
    "disk full": ({"log": True}, {}, fill_disk),
    "log queue full": ({"log": True, "log_queue_rows": 1}, {}, nothing),
    "closed": ({"log": True}, {}, lambda monitor: monitor.close()),
}
"""Arguments of the monitor, hooks of the decorator, and what is broken afterwards."""


class Hooked:
    """A monitor whose decorator has hooks."""

    def __init__(self, monitor: ModelMonitor, hooks: dict[str, Any], *, batch: bool) -> None:
        self.monitor = monitor
        self.hooks = hooks
        self.batch = batch

    def __call__(self, function: Any) -> Any:
        return self.monitor(batch=self.batch, **self.hooks)(function)

    def wrap(self, estimator: Any) -> Any:
        return self.monitor.wrap(estimator, **self.hooks)

    def track(self) -> Any:
        return self.monitor.track(rows=3 if self.batch else None)


@pytest.fixture(scope="module")
def monitors(
    baselines: dict[str, Baseline], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, ModelMonitor]]:
    """One monitor for each fault; a handler of the user's that raises, too."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("the user's handler")

    handler = Handler()
    logging.getLogger("model_exporter").addHandler(handler)
    files, threads = open_files(), threading.active_count()
    made = {}
    for name, (arguments, _, inject) in FAULTS.items():
        given = dict(arguments)
        if given.pop("log", False):
            given["log"] = tmp_path_factory.mktemp("log")
        made[name] = ModelMonitor(name, baseline=baselines["binary"], **given)
        inject(made[name])
    yield made
    for monitor in made.values():
        monitor.close()
    logging.getLogger("model_exporter").removeHandler(handler)
    assert (open_files(), threading.active_count()) == (files, threads)


def open_files() -> int:
    directory = Path("/proc/self/fd")
    return len(os.listdir(directory)) if directory.exists() else 0


EXCEPTIONS = (
    *(ModelError("of the model"), KeyError, StopIteration(3), StopAsyncIteration, RuntimeError),
    *(GeneratorExit, KeyboardInterrupt, SystemExit, asyncio.CancelledError, Exception),
)
VALUES = (
    *(None, 1, True, 0.5, "x", [1, 0], {"prediction": 1}, {"nope": 1}, (1, 0.5)),
    *(Result(), Result(), Broken(), Broken()),
)
CATCHES: tuple[Any, ...] = ((), (ValueError,), (GeneratorExit,), (BaseException,))
ACTIONS: tuple[Any, ...] = (
    *(("next",), ("next",), ("next",), ("send", None), ("send", 7), ("close",)),
    *(("throw", ValueError), ("throw", GeneratorExit), ("throw", asyncio.CancelledError)),
)
ROWS: tuple[dict[str, Any], ...] = (
    *({"age": 30, "country": "de"}, {"age": None}, {}, {"country": [1]}),
)
BEHAVIOURS = st.builds(
    Behaviour,
    items=st.lists(st.sampled_from(VALUES), max_size=3).map(tuple),
    end=st.sampled_from((*VALUES, *EXCEPTIONS)),
    catches=st.sampled_from(CATCHES),
)
CALLERS = st.builds(Script, st.lists(st.sampled_from(ACTIONS), max_size=STEPS).map(tuple))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not report generators that ignore their end: pytest's own hook would keep them alive."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)


def none_in_progress(monitor: ModelMonitor) -> bool:
    calls = monitor._pipeline.recorder.calls
    if calls:  # a generator that handles its own end is in a cycle with the exception
        gc.collect()
    return calls == []


@pytest.mark.usefixtures("quiet")
@settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(
    fault=st.sampled_from(sorted(FAULTS)),
    do=BEHAVIOURS,
    script=CALLERS,
    row=st.sampled_from(ROWS),
    batch=st.booleans(),
)
def test_monitored_is_bare_whatever_breaks(
    monitors: dict[str, ModelMonitor],
    fault: str,
    do: Behaviour,
    script: Script,
    row: Any,
    batch: bool,
) -> None:
    """The same return or exception at every step; nothing in progress. Small where it fails."""
    monitor = monitors[fault]
    hooked = Hooked(monitor, FAULTS[fault][1], batch=batch)
    for name, make in SHAPES.items():
        expected = trace(make(Bare(), do), Row(row), script)
        assert trace(make(hooked, do), Row(row), script) == expected, name
        assert none_in_progress(monitor), name
    monitor.flush()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_functions_stay_bare_for_many_calls(
    monitors: dict[str, ModelMonitor], request: pytest.FixtureRequest, fault: str
) -> None:
    """Decorated once, called by whoever comes; no row is kept, and none but ours is a thread."""
    calls = CALLS if request.config.getoption("--runslow") else CALLS // len(FAULTS) + 1
    rng = random.Random(fault)
    monitor, do = monitors[fault], Behaviour((), None, ())
    bare = {name: make(Bare(), do) for name, make in SHAPES.items()}
    monitored = []
    for batch in (False, True):
        hooked = Hooked(monitor, FAULTS[fault][1], batch=batch)
        monitored.append({name: make(hooked, do) for name, make in SHAPES.items()})
    files, threads, rows = open_files(), threading.active_count(), []
    for _ in range(calls // len(SHAPES) + 1):
        do.items = tuple(rng.choices(VALUES, k=rng.randrange(4)))
        do.end = rng.choice((*VALUES, *EXCEPTIONS))
        do.catches = rng.choice(CATCHES)
        script = Script(tuple(rng.choices(ACTIONS, k=rng.randrange(STEPS + 1))))
        row, functions = Row(rng.choice(ROWS)), rng.choice(monitored)
        rows.append(weakref.ref(row))
        for name, function in bare.items():
            expected = trace(function, row, script)
            assert trace(functions[name], row, script) == expected, (name, do, script, row)
            assert none_in_progress(monitor), (name, do, script, row)
    del row
    monitor.flush()
    gc.collect()
    assert not any(reference() is not None for reference in rows)
    assert threading.active_count() <= threads + 2  # the flusher's and the log's
    assert open_files() <= files + 1  # the log's


def test_calls_leave_nothing_behind(monitors: dict[str, ModelMonitor]) -> None:
    """After many calls of every shape there are as many objects as after a few."""
    monitor = monitors["none"]
    hooked = Hooked(monitor, {}, batch=False)
    do = Behaviour(items=(1, "x"), end={"prediction": 1}, catches=(ValueError,))
    scripts = [
        Script((("next",), ("throw", ValueError), ("next",), ("next",), ("next",))),
        Script((("next",), ("close",))),
        Script((("next",),)),
        Script(()),
    ]

    def objects_after(rounds: int) -> int:
        for _ in range(rounds):
            for make in SHAPES.values():
                for script in scripts:
                    trace(make(hooked, do), Row(age=30, country="de"), script)
        monitor.flush()
        gc.collect()
        return len(gc.get_objects())

    few, many = objects_after(3), objects_after(20)
    assert many - few < OTHERS_OBJECTS  # an object a call would make 2,000


def test_there_are_twenty_faults() -> None:
    """And one run without any."""
    assert len(FAULTS) > 20
