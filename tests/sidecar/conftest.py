"""What the sidecar's tests share: baselines, a clock that stands still, and a way to read."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_exporter import Baseline, ModelMonitor
from model_exporter.sidecar.clock import Clock

NOW = 1_700_000_000
"""Unix time, in seconds, at which `FakeClock` starts."""


class FakeClock(Clock):
    """A clock that moves only when told to."""

    __slots__ = ("elapsed_ns",)

    def __init__(self) -> None:
        self.elapsed_ns = 0
        super().__init__(
            lambda: 5_000_000_000 + self.elapsed_ns,
            lambda: NOW * 1_000_000_000 + self.elapsed_ns,
        )

    def advance(self, seconds: float) -> None:
        self.elapsed_ns += round(seconds * 1e9)


@pytest.fixture(scope="session")
def reader() -> Callable[..., Callable[..., float | None]]:
    """Return, for a monitor, a function that reads one sample; None where there is none."""

    def of(monitor: ModelMonitor, name: str = "m", version: str = "") -> Callable[..., Any]:
        def read(metric: str, **labels: str) -> float | None:
            every = {"model_name": name, "model_version": version, **labels}
            return monitor.registry.get_sample_value(metric, every)

        return read

    return of


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Disk:
    """A file system in memory of 64 kB, and of another size when told so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mount("size=64k", "none")

    def resize(self, kilobytes: int) -> None:
        """Give it more room, or take some away."""
        self._mount(f"remount,size={kilobytes}k")

    def _mount(self, options: str, *device: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, *device, str(self.path)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount ({done.stderr!r}): what a full disk does stays unverified")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """Mount a file system of 64 kB."""
    path = tmp_path / "disk"
    path.mkdir()
    disk = Disk(path)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk.path)], check=True)


@pytest.fixture
def make(clock: FakeClock) -> Iterator[Callable[..., ModelMonitor]]:
    """Make monitors that raise what goes wrong inside them and are closed after the test."""
    made = []

    def make_monitor(name: str = "m", **arguments: Any) -> ModelMonitor:
        monitor = ModelMonitor(name, **{"strict": True, "clock": clock, **arguments})
        made.append(monitor)
        return monitor

    yield make_monitor
    for monitor in made:
        monitor.close()


def make_baseline(task: str) -> Baseline:
    """Fit a baseline with a numeric and a categorical feature."""
    rng = np.random.default_rng(7)
    size = 500
    table: dict[str, Any] = {
        "age": rng.uniform(20, 60, size),
        "country": rng.choice(["de", "fr", "us"], size),
    }
    scores: dict[str, Any] = {}
    if task == "binary":
        table["score"] = rng.random(size)
        table["prediction"] = (table["score"] > 0.5).astype(int)
        scores = {"score": "score"}
    elif task == "multiclass":
        table["p_rain"] = rng.random(size)
        table["p_sun"] = 1 - table["p_rain"]
        table["prediction"] = np.where(table["p_sun"] > 0.5, "sun", "rain")
        scores = {"scores": {"rain": "p_rain", "sun": "p_sun"}}
    else:
        table["prediction"] = rng.normal(100, 10, size)
    features = {"numeric": ["age"], "categorical": ["country"]}
    return Baseline.from_table(table, task=task, features=features, **scores)


class Baselines(dict[str, Baseline]):
    """Baselines by task, with a short repr for hypothesis to print."""

    def __repr__(self) -> str:
        return "Baselines()"


@pytest.fixture(params=["binary", "multiclass", "regression"])
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def baselines() -> dict[str, Baseline]:
    return Baselines({task: make_baseline(task) for task in ("binary", "multiclass", "regression")})


@pytest.fixture
def baseline(task: str, baselines: dict[str, Baseline]) -> Baseline:
    return baselines[task]
