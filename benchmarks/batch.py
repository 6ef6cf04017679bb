"""What monitoring a batch costs: our fold beside numpy itself, boxkite and whylogs, on 20 columns.

Every case counts the same float64 table, and all run interleaved in one process; the median of the
repeats is shown. Bins are the same, but for whylogs, which keeps sketches. `X.sum()` reads every
value once and stands for the bandwidth of the memory. boxkite is its `fast_histogram` with given
bins, for its collector would look at 100,000 rows at most; whylogs is `why.log(data_frame)`, slow
enough to be run once or a few times only. Two lines are whole calls of a monitored function:
everything that `model-exporter` records of a batch, and the bare function. Peers come as said in
`hot_path.py`; one that is not installed is left out.

    python benchmarks/batch.py [--quick]
"""

import argparse
import importlib
import platform
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_exporter import Baseline, ModelMonitor

COLUMNS = [f"feature_{i}" for i in range(20)]
OURS = "model-exporter: the fold"
PEER = "np.histogram a column"
BANDWIDTH = "X.sum(): memory bandwidth"
ALONE = "the function alone"
WHYLOGS = "whylogs: why.log"
Table = NDArray[np.float64]


def make_baseline() -> Baseline:
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=5_000) for name in COLUMNS}
    table["prediction"] = rng.random(5_000)
    return Baseline.from_table(table, task="regression", features={"numeric": COLUMNS})


def make_cases(x: Table, monitor: ModelMonitor, baseline: Baseline) -> dict[str, Callable[[], Any]]:
    edges = [baseline.features[name].edges for name in COLUMNS]
    closed = [np.concatenate(([-np.inf], each, [np.inf])) for each in edges]
    columns = {name: x[:, i] for i, name in enumerate(COLUMNS)}
    result = np.full(len(x), 0.25)
    fold = monitor._pipeline.fold

    def predict(table: dict[str, Table]) -> Table:
        return result

    def searched() -> None:
        for column, each in zip(x.T, edges, strict=True):
            np.bincount(np.searchsorted(each, column, side="right"), minlength=each.size + 1)

    def compared() -> None:
        for column, each in zip(x.T, edges, strict=True):
            for edge in each.tolist():
                np.count_nonzero(column >= edge)

    def histograms() -> None:
        for column, each in zip(x.T, closed, strict=True):
            np.histogram(column, each)

    monitored = monitor(predict, batch=True)
    return {
        BANDWIDTH: x.sum,
        "compare with each edge": compared,
        PEER: histograms,
        "np.searchsorted + bincount": searched,
        OURS: lambda: fold.count_features(columns, fold.counters),
        "model-exporter: a whole call": lambda: monitored(columns),
        ALONE: lambda: predict(columns),
    }


def make_peers(x: Table, baseline: Baseline) -> dict[str, Callable[[], Any]]:
    """Return what is installed of the peers."""
    found: dict[str, Callable[[], Any]] = {}
    try:
        histogram = importlib.import_module("boxkite.utils.histogram").fast_histogram
    except ImportError:
        print("\nboxkite: not installed")
    else:
        found["boxkite: fast_histogram"] = partial(boxkite, histogram, x, baseline)
    try:
        why = importlib.import_module("whylogs")
        frame = importlib.import_module("pandas").DataFrame(x, columns=COLUMNS)
    except ImportError:
        print("\nwhylogs: not installed")
    else:
        why.log(frame.head(10))  # what it makes at the first call is not the table's
        found[WHYLOGS] = partial(why.log, frame)
    return found


def boxkite(histogram: Callable[..., Any], x: Table, baseline: Baseline) -> None:
    for column, name in zip(x.T, COLUMNS, strict=True):
        # It drops what is beyond the outer edges; nothing is beyond these.
        histogram(column, discrete=False, bins=[-99.0, *baseline.features[name].edges, 99.0])


def compare(rows: int, *, repeats: int, whylogs_repeats: int) -> None:
    baseline = make_baseline()
    # In column order, as a data frame keeps them.
    x = np.asfortranarray(np.random.default_rng(1).normal(size=(rows, len(COLUMNS))))
    monitor = ModelMonitor("batch", baseline=baseline)
    cases = make_cases(x, monitor, baseline) | make_peers(x, baseline)
    found: dict[str, list[float]] = {name: [] for name in cases}
    for repeat in range(repeats):
        for name, case in cases.items():
            if name == WHYLOGS and repeat >= whylogs_repeats:
                continue
            start = time.perf_counter()
            case()
            found[name].append(time.perf_counter() - start)
            monitor.flush()
    medians = {name: float(np.median(times)) for name, times in found.items()}
    bins = len(baseline.features[COLUMNS[0]].bins)
    print(f"\n{rows:,} rows x {len(COLUMNS)} columns, {bins} bins each")
    print(f"  {'':32}{'ms':>10}{'M values/s':>12}{'times sum':>11}{'times histogram':>17}  runs")
    for name, taken in medians.items():
        rate = "" if name == ALONE else f"{x.size / taken / 1e6:.1f}"
        print(
            f"  {name:32}{taken * 1e3:10.2f}{rate:>12}"
            f"{taken / medians[BANDWIDTH]:11.1f}{taken / medians[PEER]:17.2f}{len(found[name]):6}"
        )
    monitor.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="100,000 rows only; noisier")
    quick = parser.parse_args().quick
    print(f"CPython {platform.python_version()}, numpy {np.__version__}, {platform.machine()}")
    compare(100_000, repeats=7 if quick else 25, whylogs_repeats=1 if quick else 3)
    if not quick:
        compare(1_000_000, repeats=7, whylogs_repeats=1)


if __name__ == "__main__":
    main()
