"""What monitoring costs a call: ours beside prometheus_client with bound metrics.

FULL telemetry of one call: latency, call count, prediction and ten features against the bins of a
baseline. Costs are over the floor, a wrapper that reads the clock twice. CPU time is that of all
threads together, so ours includes the fold in the background thread, and the rest at the end; wall
time adds what threads wait for each other, and on a shared machine for everybody else. All cases
run interleaved in one process and the median of the repeats is shown: the ratio counts, not the
nanoseconds.

    python benchmarks/hot_path.py [--quick]
"""

import argparse
import platform
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import peers
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from model_exporter import Baseline, ModelMonitor

FEATURES = [f"feature_{i}" for i in range(10)]
ROWS = 256
"""Distinct rows that the calls cycle through."""
BURST = 4_096
"""Calls between two folds: 270 a second with a scrape every 15 s. They fit the buffer, so the fold
comes with the scrape; the last line of the output shows the other extreme, a loop without rest."""
Call = Callable[[Any], Any]


class Case:
    """A monitored function with its rows, and what must still be done after the calls."""

    def __init__(self, name: str, call: Call, rows: list[Any], finish: Callable[[], None]) -> None:
        self.name = name
        self.call = call
        self.rows = rows
        self.finish = finish


def predict(row: Any) -> float:
    return 0.25


def make_baseline() -> Baseline:
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=2_000) for name in FEATURES}
    table["prediction"] = rng.random(2_000)
    return Baseline.from_table(table, task="regression", features={"numeric": FEATURES})


def floor(function: Call) -> Call:
    clock = time.perf_counter_ns

    def wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        clock() - start
        return result

    return wrapper


def bound_prometheus_client(
    function: Call, baseline: Baseline, *, by_name: bool = False
) -> tuple[Call, CollectorRegistry]:
    """Return what a careful user of prometheus_client writes: labels bound once, no lookups."""
    registry = CollectorRegistry()
    labels = {"model_name": "m", "model_version": "1"}

    def histogram(name: str, edges: Any) -> Histogram:
        family = Histogram(name, name, tuple(labels), buckets=edges, registry=registry)
        return family.labels(**labels)

    calls = Counter("calls", "calls", tuple(labels), registry=registry).labels(**labels)
    latency = histogram("latency", Histogram.DEFAULT_BUCKETS)
    prediction = histogram("prediction", baseline.prediction.edges.tolist())
    named = {n: histogram(n, d.edges.tolist()) for n, d in baseline.features.items()}
    features = list(named.values())
    clock = time.perf_counter_ns

    def wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        latency.observe((clock() - start) * 1e-9)
        calls.inc()
        prediction.observe(result)
        for feature, value in zip(features, row, strict=False):
            feature.observe(value)
        return result

    def named_wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        latency.observe((clock() - start) * 1e-9)
        calls.inc()
        prediction.observe(result)
        for name, feature in named.items():
            feature.observe(row[name])
        return result

    return (named_wrapper if by_name else wrapper), registry


def make_cases() -> tuple[list[Case], list[ModelMonitor]]:
    baseline = make_baseline()
    rng = np.random.default_rng(1)
    lists = rng.uniform(-1.5, 1.5, size=(ROWS, len(FEATURES))).tolist()
    dicts = [dict(zip(FEATURES, row, strict=True)) for row in lists]
    arrays = [np.array(row) for row in lists]
    nothing = lambda: None  # noqa: E731
    cases = [Case("floor: two clock reads", floor(predict), lists, nothing)]
    monitors = []
    for kind, rows in (("list", lists), ("dict", dicts), ("numpy", arrays)):
        monitor = ModelMonitor(kind, baseline=baseline)
        monitors.append(monitor)
        theirs, _ = bound_prometheus_client(predict, baseline, by_name=kind == "dict")
        cases.append(Case(f"model-exporter, {kind} rows", monitor(predict), rows, monitor.flush))
        cases.append(Case(f"prometheus_client, {kind} rows", theirs, rows, nothing))
    return cases, monitors


def run(case: Case, calls: int) -> None:
    call, rows = case.call, case.rows
    for _ in range(calls // len(rows)):
        for row in rows:
            call(row)


def timed(case: Case, bursts: int, threads: int) -> tuple[float, float]:
    """Return nanoseconds of CPU and of wall time a call, the fold included.

    Calls come in bursts, each followed by what a scrape or the flusher would do: a loop that
    never lets go of the interpreter starves every background thread (see `saturate`).
    """
    each = BURST // threads // ROWS * ROWS
    gate = threading.Barrier(threads + 1)

    def work() -> None:
        for _ in range(bursts):
            gate.wait()
            run(case, each)
            gate.wait()

    pool = [threading.Thread(target=work) for _ in range(threads)]
    for thread in pool:
        thread.start()
    wall = cpu = 0
    for _ in range(bursts):
        wall, cpu = wall - time.perf_counter_ns(), cpu - time.process_time_ns()
        gate.wait()
        gate.wait()
        case.finish()
        wall, cpu = wall + time.perf_counter_ns(), cpu + time.process_time_ns()
    for thread in pool:
        thread.join()
    calls = bursts * each * threads
    return cpu / calls, wall / calls


def throughput(cases: list[Case], *, threads: int, bursts: int, repeats: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {case.name: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            found[case.name].append(timed(case, bursts, threads))
    medians = {name: np.median(times, axis=0) for name, times in found.items()}
    base = medians[cases[0].name]
    print(
        f"\n{threads} thread{'s' * (threads > 1)}: ns a call over the floor (median of {repeats})"
    )
    print(f"  {'':32}{'CPU':>9}{'times less':>12}{'wall':>9}{'times less':>12}")
    for name, total in medians.items():
        over, less = total - base, ("", "")
        if name.startswith("model-exporter"):
            theirs = medians[name.replace("model-exporter", "prometheus_client")] - base
            less = tuple(f"{ratio:.1f}" for ratio in theirs / over)
        if name == cases[0].name:
            over = total
        print(f"  {name:32}{over[0]:9.0f}{less[0]:>12}{over[1]:9.0f}{less[1]:>12}")


def tail(case: Case, collect: Callable[[], object], *, seconds: float) -> tuple[float, ...]:
    """Return p50, p99 and p99.9 of single calls in ns while a scrape runs every second."""
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(1.0):
            collect()

    scraper = threading.Thread(target=scrape)
    scraper.start()
    clock, call, rows = time.perf_counter_ns, case.call, case.rows
    times: list[int] = []
    deadline = clock() + int(seconds * 1e9)
    while clock() < deadline:
        for row in rows:
            start = clock()
            call(row)
            times.append(clock() - start)
        time.sleep(0.001)  # a server waits for requests now and then
    stop.set()
    scraper.join()
    return tuple(np.percentile(times, (50, 99, 99.9)))


def saturate(case: Case, monitor: ModelMonitor, *, calls: int) -> tuple[float, float]:
    """Return ns a call in a loop that does nothing else, and the share of calls dropped."""
    before = drops(monitor)
    start = time.perf_counter_ns()
    run(case, calls)
    taken = time.perf_counter_ns() - start
    return taken / calls, (drops(monitor) - before) / calls


def drops(monitor: ModelMonitor) -> float:
    monitor.flush()
    return sum(
        sample.value
        for metric in monitor.registry.collect()
        for sample in metric.samples
        if sample.name == "model_exporter_dropped_total"
    )


def compare_peers(cases: list[Case]) -> None:
    """Show the peers that are installed; they are too slow for as many calls as ours."""
    found, absent = peers.installed(predict, make_baseline())
    rows, nothing = cases[0].rows, cases[0].finish
    others = [Case(f"{name}, list rows", call, rows, nothing) for name, call in found.items()]
    print("\nother peers", *(f"; {name}: not installed" for name in absent), sep="")
    throughput([*cases[:3], *others], threads=1, bursts=2, repeats=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats; noisier")
    quick = parser.parse_args().quick
    bursts, repeats, seconds = (8, 3, 2.0) if quick else (40, 9, 6.0)
    cases, monitors = make_cases()
    print(f"CPython {platform.python_version()}, numpy {np.__version__}, {platform.machine()}")
    for threads in (1, 2, 8):
        throughput(cases, threads=threads, bursts=bursts, repeats=repeats)
    print("\nsingle calls while a scrape runs every second: ns")
    print(f"  {'':32}{'p50':>9}{'p99':>9}{'p99.9':>9}")
    wrapped, registry = bound_prometheus_client(predict, make_baseline())
    theirs = Case("prometheus_client, list rows", wrapped, cases[1].rows, lambda: None)
    for case, source in (
        (cases[0], registry),
        (cases[1], monitors[0].registry),
        (cases[3], monitors[1].registry),
        (cases[5], monitors[2].registry),
        (theirs, registry),
    ):
        figures = tail(case, lambda source=source: generate_latest(source), seconds=seconds)
        print(f"  {case.name:32}" + "".join(f"{figure:9.0f}" for figure in figures))
    compare_peers(cases)
    total, share = saturate(cases[1], monitors[0], calls=ROWS * (2_000 if quick else 8_000))
    print(f"\na loop without rest, list rows: {total:.0f} ns a call in all, {share:.1%} dropped")
    for monitor in monitors:
        monitor.close()


if __name__ == "__main__":
    main()
