"""What monitoring costs a call: ours beside prometheus_client, boxkite, OpenTelemetry and whylogs.

FULL telemetry of one call: latency, call count, prediction and ten features against the bins of a
baseline. Costs are over the floor, a wrapper that reads the clock twice. CPU time is that of all
threads together, so ours includes the fold in the background thread, and the rest at the end; wall
time adds what threads wait for each other, and on a shared machine for everybody else. All cases
run interleaved in one process and the median of the repeats is shown: the ratio counts, not the
nanoseconds. After its calls every case must have counted each of them, or the run fails. Goals
stand behind the figures, with what was missed marked.

    python -m venv bench && . bench/bin/activate
    pip install -e . -r benchmarks/requirements.txt
    pip install --no-deps boxkite==0.0.5
    python benchmarks/hot_path.py [--quick] [--instructions]

boxkite asks for a prometheus_client of 2021; without its dependencies it runs on today's. A peer
that is not installed is left out and named. Instructions a call, which no neighbour disturbs, are
counted by perf, or by valgrind where the machine has no counters (see `instructions.py`).
"""

import argparse
import os
import platform
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from cases import FLOOR, OURS, Case, make_cases
from instructions import show_instructions
from reference import BURST, ROWS

Medians = dict[str, np.ndarray]


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
            case.run(each)
            gate.wait()

    pool = [threading.Thread(target=work) for _ in range(threads)]
    for thread in pool:
        thread.start()
    wall = cpu = 0
    for _ in range(bursts):
        wall, cpu = wall - time.perf_counter_ns(), cpu - time.process_time_ns()
        gate.wait()
        gate.wait()
        case.monitored.finish()
        wall, cpu = wall + time.perf_counter_ns(), cpu + time.process_time_ns()
    for thread in pool:
        thread.join()
    calls = bursts * each * threads
    case.made += calls
    return cpu / calls, wall / calls


def throughput(cases: list[Case], *, threads: int, bursts: int, repeats: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {case.plan.name: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            each = max(1, bursts // case.plan.slower)
            found[case.plan.name].append(timed(case, each, threads))
    for case in cases:
        case.check()
    medians = {name: np.median(times, axis=0) for name, times in found.items()}
    print(f"\n{threads} thread{'s' * (threads > 1)}, every call counted")
    print(f"  ns a call over the floor, median of {repeats}; times ours with the same rows")
    goals = "  goal of CPU" * (threads == 1)
    print(f"  {'':36}{'CPU':>9}{'times':>8}{'wall':>9}{'times':>8}{goals}")
    for case in cases:
        print_cost(case, medians, judged=threads == 1)


def print_cost(case: Case, medians: Medians, *, judged: bool) -> None:
    plan, base = case.plan, medians[FLOOR]
    if plan.name == FLOOR:
        print(f"  {plan.name:36}{base[0]:9.0f}{'':8}{base[1]:9.0f}")
        return
    over = medians[plan.name] - base
    cpu, wall = over / (medians[f"{OURS}, {plan.rows}"] - base)
    times = ["", ""] if plan.is_ours else [f"{cpu:.2f}", f"{wall:.2f}"]
    goal = plan.goal(over[0], cpu) if judged else ""
    figures = f"{over[0]:9.0f}{times[0]:>8}{over[1]:9.0f}{times[1]:>8}  {goal}"
    print(f"  {plan.name:36}{figures}".rstrip())


def tail(case: Case, scrape: Callable[[], object], *, seconds: float) -> tuple[float, ...]:
    """Return p50, p99 and p99.9 of single calls in ns while a scrape runs every second."""
    stop = threading.Event()

    def scrape_every_second() -> None:
        while not stop.wait(1.0):
            scrape()

    scraper = threading.Thread(target=scrape_every_second)
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
    case.made += len(times)
    case.check()
    return tuple(np.percentile(times, (50, 99, 99.9)))


def tails(cases: list[Case], *, seconds: float) -> None:
    print("\nsingle calls while a scrape runs every second: ns, nothing subtracted")
    print(f"  {'':36}{'p50':>9}{'p99':>9}{'p99.9':>9}  goal of p99.9")
    by_name = {case.plan.name: case for case in cases}
    for case in cases:
        if case.plan.name == FLOOR:  # something must scrape beside it, too
            scrape = by_name["prometheus_client, list"].monitored.scrape
        elif case.plan.name.startswith((OURS, "prometheus_client")):
            scrape = case.monitored.scrape
        else:
            continue
        found = tail(case, scrape, seconds=seconds)
        goal = ""
        if case.plan.name.startswith(OURS):
            goal = "< 20000" if found[-1] < 20_000 else "< 20000 MISSED"
        figures = "".join(f"{figure:9.0f}" for figure in found)
        print(f"  {case.plan.name:36}{figures}  {goal}".rstrip())


def saturate(case: Case, *, calls: int) -> None:
    """Show a loop that does nothing else: the flusher hardly gets to run, and the buffer fills."""
    before = case.monitored.totals()[0]
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    case.run(calls)
    case.monitored.finish()
    wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
    lost = 1.0 - (case.monitored.totals()[0] - before) / calls
    print(f"\na loop without rest, list: ns a call in all {cpu / calls:.0f} CPU,", end=" ")
    print(f"{wall / calls:.0f} wall; {lost:.1%} dropped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats; noisier")
    parser.add_argument("--instructions", action="store_true", help="count them as well; minutes")
    options = parser.parse_args()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        parser.error("unset PROMETHEUS_MULTIPROC_DIR: it would share what is to be one process's")
    bursts, repeats, seconds = (8, 3, 2.0) if options.quick else (40, 9, 6.0)
    print(f"CPython {platform.python_version()}, numpy {np.__version__}, {platform.machine()}")
    with ExitStack() as stack:
        cases, absent = make_cases(stack)
        for line in absent:
            print(line)
        throughput(cases, threads=1, bursts=bursts, repeats=repeats)
        fast = [case for case in cases if case.plan.slower < 10]
        for threads in (2, 8):
            throughput(fast, threads=threads, bursts=bursts, repeats=repeats)
        tails(fast, seconds=seconds)
        saturate(cases[1], calls=ROWS * (2_000 if options.quick else 8_000))
        if options.instructions:
            show_instructions([case.plan for case in cases])


if __name__ == "__main__":
    main()
