"""Workers that come and go under load: ours beside prometheus_client's multiprocess mode.

Each worker predicts some calls, at the rate of a busy server, and ends: every second one in good
order, the others by SIGKILL. A scrape a second, from a process that stays, reads both. Every worker
feeds both libraries the same calls, and has flushed them before it ends. Printed: files and
megabytes that are left, what a scrape took, whether any counter ever fell, and whether the last
scrape says exactly what was called. Counters fall in neither; what differs is what a restart
leaves behind for good.

    python benchmarks/churn.py [--quick]
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

DIRECTORY = tempfile.mkdtemp(prefix="churn-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = DIRECTORY  # read by prometheus_client when imported

import numpy as np  # noqa: E402
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

from model_exporter import Baseline, ModelMonitor  # noqa: E402

FEATURES = [f"feature_{i}" for i in range(10)]
CALLS = 50
WORKERS = 4
"""At a time."""
ROW = [0.1 * i for i in range(len(FEATURES))]
SCRAPE_SECONDS = 1.0
COUNTERS = ("_total", "_bucket", "_count", "_sum")
Scrape = Callable[[], bytes]


def make_baseline() -> Baseline:
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=2_000) for name in FEATURES}
    table["prediction"] = rng.random(2_000)
    return Baseline.from_table(table, task="regression", features={"numeric": FEATURES})


BASELINE = make_baseline()
MONITOR = ModelMonitor("m", baseline=BASELINE)
LABELS = {"model_name": "m", "model_version": ""}


@MONITOR
def predict(row: list[float]) -> float:
    return 0.25


class Theirs:
    """The same telemetry as a careful user of prometheus_client writes it."""

    def __init__(self) -> None:
        self.calls = Counter("theirs_calls", "calls", tuple(LABELS)).labels(**LABELS)
        self.latency = Histogram("theirs_latency", "latency", tuple(LABELS)).labels(**LABELS)
        self.features = [
            Histogram(f"theirs_{name}", name, tuple(LABELS), buckets=d.edges.tolist()).labels(
                **LABELS
            )
            for name, d in BASELINE.features.items()
        ]

    def record(self, row: list[float]) -> None:
        self.calls.inc()
        self.latency.observe(1e-4)
        for feature, value in zip(self.features, row, strict=True):
            feature.observe(value)


def work(theirs: Theirs, ready: int, *, killed: bool) -> None:
    for _ in range(CALLS):
        predict(ROW)
        theirs.record(ROW)
    if killed:
        MONITOR.flush()
        os.write(ready, b".")
        signal.pause()
    MONITOR.close()
    os.write(ready, b".")
    os._exit(0)


def start(theirs: Theirs, *, killed: bool) -> tuple[int, int]:
    """Start a worker; return its pid, and a pipe that says when its calls are done."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work(theirs, tell, killed=killed)
        finally:
            os._exit(1)
    os.close(tell)
    return pid, ready


def end(pid: int, ready: int, *, killed: bool) -> None:
    os.read(ready, 1)
    os.close(ready)
    if killed:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def our_scrape() -> bytes:
    return generate_latest(MONITOR.registry)


def their_scrape() -> bytes:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)


class Watch:
    """Scrapes, times and compares with the scrape before."""

    def __init__(self, scrape: Scrape, counter: str) -> None:
        self._scrape = scrape
        self._counter = counter
        self._last: dict[tuple[str, str], float] = {}
        self.times: list[float] = []
        self.fell = self.samples = self.failed = 0

    def look(self) -> None:
        start = time.perf_counter()
        try:
            text = self._scrape().decode()
        except Exception:  # prometheus_client cannot read the file of a worker that is just born
            self.failed += 1
            return
        self.times.append(time.perf_counter() - start)
        seen = {
            (sample.name, str(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.endswith(COUNTERS)
        }
        self.samples = len(seen)
        self.fell += sum(seen.get(name, -1.0) < value for name, value in self._last.items())
        self._last = seen

    @property
    def total(self) -> float:
        return sum(value for (name, _), value in self._last.items() if name == self._counter)


def size_of(suffixes: tuple[str, ...]) -> tuple[int, float]:
    files = [path for path in Path(DIRECTORY).iterdir() if path.suffix in suffixes]
    return len(files), sum(path.stat().st_size for path in files) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="100 restarts rather than 2,000")
    restarts = 100 if parser.parse_args().quick else 2_000
    theirs = Theirs()
    watches = {
        "model-exporter": Watch(our_scrape, "model_predictions_total"),
        "prometheus_client": Watch(their_scrape, "theirs_calls_total"),
    }
    due = time.perf_counter()
    workers = [start(theirs, killed=bool(place % 2)) for place in range(WORKERS)]
    for place in range(restarts):
        end(*workers[place % WORKERS], killed=bool(place % 2))
        if place + WORKERS < restarts:
            workers[place % WORKERS] = start(theirs, killed=bool(place % 2))
        if time.perf_counter() >= due:
            for watch in watches.values():
                watch.look()
            due = time.perf_counter() + SCRAPE_SECONDS
    for watch in watches.values():
        watch.look()
    print(f"{restarts} restarts, half by SIGKILL, {WORKERS} at a time; CPython {sys.version[:6]}")
    print(
        f"  {'':18}{'files':>7}{'MB':>7}{'p50 ms':>9}{'p99 ms':>9}{'last ms':>9}"
        f"{'samples':>9}{'fell':>6}{'failed':>8}  exact"
    )
    kinds = {
        "model-exporter": (".shard", ".archive", ".lock", ".tmp"),
        "prometheus_client": (".db",),
    }
    for name, watch in watches.items():
        files, megabytes = size_of(kinds[name])
        p50, p99 = np.percentile(watch.times, (50, 99)) * 1e3
        exact = "yes" if watch.total == restarts * CALLS else f"no: {watch.total:.0f}"
        print(
            f"  {name:18}{files:7}{megabytes:7.1f}{p50:9.1f}{p99:9.1f}{watch.times[-1] * 1e3:9.1f}"
            f"{watch.samples:9}{watch.fell:6}{watch.failed:8}  {exact}"
        )
    MONITOR.close()
    shutil.rmtree(DIRECTORY)


if __name__ == "__main__":
    main()
