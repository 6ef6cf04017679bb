"""Instructions a call of one case: the same on every run, whatever else the machine does.

perf counts them where the processor's counters can be read; most virtual machines hide them, and
there valgrind's cachegrind counts, at a fiftieth of the speed. Each case runs twice in a process of
its own, with few and with more calls: the difference is that of the calls, start and imports fall
out. Folding is included, as in `hot_path.py`.

    python benchmarks/instructions.py
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from typing import NamedTuple

from cases import FLOOR, OURS, Case, Plan, plans
from reference import BURST, ROWS

FEW = 2
"""Bursts of calls. The first warms the interpreter, and makes what is made at the first call."""
MORE = 40
"""Bursts on top, of what is fast: starts differ by millions of instructions."""


class Counter(NamedTuple):
    """A program that counts the instructions of another, and what it says."""

    name: str
    command: list[str]
    said: re.Pattern[str]


PERF = Counter(
    "perf", ["perf", "stat", "-x", ",", "-e", "instructions:u"], re.compile(r"(\d+),,instructions")
)
VALGRIND = Counter(
    "valgrind's cachegrind",
    ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"],
    re.compile(r"I\s+refs:\s+([\d,]+)"),
)


def count(counter: Counter, arguments: list[str]) -> int | None:
    """Return the instructions of a Python process; None if they cannot be counted here."""
    if shutil.which(counter.command[0]) is None:
        return None
    found = subprocess.run(
        [*counter.command, sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    said = counter.said.search(found.stderr)
    if found.returncode or said is None:
        return None
    return int(said.group(1).replace(",", ""))


def burst_of(plan: Plan) -> int:
    """Return the calls before a fold; what is slow has no fold, and fewer calls will do."""
    return max(ROWS, BURST // plan.slower**2 // ROWS * ROWS)


def of_a_call(counter: Counter, plan: Plan) -> float | None:
    more = max(2, MORE // plan.slower)
    totals = [
        count(counter, [__file__, "--case", plan.name, str(bursts)]) for bursts in (FEW, FEW + more)
    ]
    return None if None in totals else (totals[1] - totals[0]) / more / burst_of(plan)


def show_instructions(chosen: list[Plan]) -> None:
    works = (counter for counter in (PERF, VALGRIND) if count(counter, ["-c", ""]) is not None)
    counter = next(works, None)
    if counter is None:
        print("\ninstructions: neither perf nor valgrind can count them here")
        return
    print(f"\ninstructions a call over the floor, by {counter.name}; times ours with the same rows")
    found: dict[str, float] = {}
    for plan in chosen:
        total = of_a_call(counter, plan)
        if total is None:
            print(f"  {plan.name:36}{'failed':>9}")
            continue
        found[plan.name] = total - found.get(FLOOR, 0.0)
        ours = found.get(f"{OURS}, {plan.rows}")
        times = f"{found[plan.name] / ours:8.1f}" if ours and not plan.is_ours else ""
        print(f"  {plan.name:36}{found[plan.name]:9.0f}{times}", flush=True)


def run(name: str, bursts: int) -> None:
    plan = next(plan for plan in plans() if plan.name == name)
    with ExitStack() as stack:
        case = Case(plan, stack)
        for _ in range(bursts):
            case.run(burst_of(plan))
            case.monitored.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--case", nargs=2, metavar=("NAME", "BURSTS"), help="run one; print nothing"
    )
    case = parser.parse_args().case
    if case is None:
        show_instructions(plans())
    else:
        run(case[0], int(case[1]))


if __name__ == "__main__":
    main()
