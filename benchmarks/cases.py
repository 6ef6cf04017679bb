"""The cases of the hot path: the floor, ours in one process and in many, and the peers."""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import peers
from peers import Monitored
from prometheus_client import generate_latest
from reference import Call, make_baseline, make_rows, predict

from model_exporter import ModelMonitor

FLOOR = "floor: two clock reads"
OURS = "model-exporter"
OUR_COUNTS = (
    "model_prediction_requests_total",
    "model_predictions_total",
    "model_prediction_latency_seconds_count",
    "model_prediction_value_count",
    "model_feature_values_total",
)


class Plan(NamedTuple):
    """A case before it is made.

    Attributes
    ----------
    rows
        ``"list"``, ``"dict"`` or ``"numpy"``.
    slower
        How many times fewer calls it gets, so that a run ends.
    most_ns, most_times, least_times
        Goals: CPU over the floor at most; times that of ours in one process with the same kind of
        rows, at most and at least. 0 is none.
    """

    name: str
    rows: str
    make: Callable[[Call, ExitStack], Monitored]
    slower: int = 1
    most_ns: float = 0.0
    most_times: float = 0.0
    least_times: float = 0.0

    @property
    def is_ours(self) -> bool:
        return self.name == f"{OURS}, {self.rows}"

    def goal(self, over_ns: float, times: float) -> str:
        """Return the goal, and whether it was missed."""
        if self.most_ns:
            text, missed = f"<= {self.most_ns:.0f} ns", over_ns > self.most_ns
        elif self.most_times:
            text, missed = f"<= {self.most_times} times", times > self.most_times
        elif self.least_times:
            text, missed = f">= {self.least_times:.0f} times", times < self.least_times
        else:
            return ""
        return f"{text} MISSED" if missed else text


def floor(function: Call, stack: ExitStack) -> Monitored:
    clock = time.perf_counter_ns

    def wrapper(row: Any) -> Any:
        start = clock()
        result = function(row)
        clock() - start
        return result

    return Monitored(wrapper)


def ours(function: Call, stack: ExitStack, *, multiprocess: bool = False) -> Monitored:
    directory = stack.enter_context(tempfile.TemporaryDirectory()) if multiprocess else ""
    monitor = ModelMonitor("m", version="1", baseline=make_baseline(), multiprocess_dir=directory)
    stack.callback(monitor.close)
    return Monitored(
        monitor(function),
        lambda: our_totals(monitor),
        monitor.flush,
        lambda: generate_latest(monitor.registry),
    )


def our_totals(monitor: ModelMonitor) -> list[float]:
    """Return calls, latencies, predictions and the values of each feature, counted and in bins."""
    samples = [s for family in monitor.registry.collect() for s in family.samples]
    bins: dict[str, float] = {}
    for sample in samples:
        if sample.name == "model_distribution_total":
            subject = sample.labels["subject"] + sample.labels["feature"]
            bins[subject] = bins.get(subject, 0.0) + sample.value
    return [*(s.value for s in samples if s.name in OUR_COUNTS), *bins.values()]


def plans() -> list[Plan]:
    theirs, shared = "prometheus_client", partial(ours, multiprocess=True)
    by_name = partial(peers.prometheus_client, by_name=True)
    return [
        Plan(FLOOR, "list", floor),
        Plan(f"{OURS}, list", "list", ours, most_ns=500),
        Plan(f"{OURS}, dict", "dict", ours, most_ns=650),
        Plan(f"{OURS}, numpy", "numpy", ours, most_ns=500),
        Plan(f"{OURS}, multi-process, list", "list", shared, most_times=1.3),
        Plan(f"{OURS}, multi-process, dict", "dict", shared, most_times=1.3),
        Plan(f"{OURS}, multi-process, numpy", "numpy", shared, most_times=1.3),
        Plan(f"{theirs}, list", "list", peers.prometheus_client, slower=2, least_times=15),
        Plan(f"{theirs}, dict", "dict", by_name, slower=2, least_times=15),
        Plan(f"{theirs}, numpy", "numpy", peers.prometheus_client, slower=2, least_times=15),
        Plan(
            f"{theirs}, multiprocess, list",
            "list",
            peers.prometheus_client_multiprocess,
            slower=4,
            least_times=40,
        ),
        Plan("boxkite, list", "list", peers.boxkite, slower=10, least_times=50),
        Plan(
            "boxkite with its log, list", "list", partial(peers.boxkite, with_log=True), slower=10
        ),
        Plan("OpenTelemetry, list", "list", peers.opentelemetry, slower=10, least_times=100),
        Plan("whylogs, list", "list", peers.whylogs, slower=20, least_times=250),
    ]


class Case:
    """A monitored function with its rows; knows how often it was called."""

    def __init__(self, plan: Plan, stack: ExitStack) -> None:
        self.plan = plan
        self.monitored = plan.make(predict, stack)
        self.call = self.monitored.call
        self.rows = make_rows(plan.rows)
        self.made = 0

    def run(self, calls: int) -> None:
        """Call with each row in turn, as often as whole rounds fit."""
        call, rows = self.call, self.rows
        for _ in range(calls // len(rows)):
            for row in rows:
                call(row)

    def check(self) -> None:
        """Fail unless every count is the number of calls: the cost of lost calls is no figure."""
        self.monitored.finish()
        wrong = {total for total in self.monitored.totals() if total != self.made}
        if wrong:
            raise SystemExit(f"{self.plan.name}: called {self.made} times, counted {wrong}")


def make_cases(stack: ExitStack) -> tuple[list[Case], list[str]]:
    """Return the cases that can be made, and why others cannot."""
    cases, absent = [], []
    for plan in plans():
        try:
            cases.append(Case(plan, stack))
        except ImportError as error:
            absent.append(f"{plan.name}: not installed ({error})")
    return cases, absent
