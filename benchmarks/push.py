"""Predictions and labels pushed to a real `model-exporter serve`, at a steady rate.

A thousand of each a second, in batches of 100 over ten connections a second each, for a binary
model with ten features and a segment. Meanwhile `/metrics` is scraped four times a second. Printed:
processor time of the job as a share of one core, its memory over time, how long pushes and scrapes
took, and whether at the end every record counts exactly once.

    python benchmarks/push.py [--minutes 10] [--quick]
"""

import argparse
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_exporter import Baseline

FEATURES = [f"feature_{i}" for i in range(10)]
RATE = 1_000
"""Predictions a second, and labels a second."""
BATCH = 100
SCRAPE_SECONDS = 0.25
SAMPLE_SECONDS = 1.0
LABEL_AFTER = 50
"""Batches: labels come five seconds after their predictions."""
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(directory: Path) -> Iterator[tuple[int, int]]:
    """Run the job; provide its process id and its port."""
    rng = random.Random(0)
    table = {name: [rng.gauss(0, 1) for _ in range(2_000)] for name in FEATURES}
    table |= {
        "prediction": [i % 2 for i in range(2_000)],
        "score": [rng.random() for _ in range(2_000)],
    }
    Baseline.from_table(table, task="binary", features={"numeric": FEATURES}, score="score").save(
        directory / "baseline.json"
    )
    model = {
        "name": "m",
        "task": "binary",
        "baseline": "baseline.json",
        "predictions": {"type": "push"},
        "labels": {"type": "push"},
        "features": {"numeric": FEATURES},
        "segments": ["country"],
        "windows": ["1h", "1d"],
    }
    path = directory / "exporter.yml"
    path.write_text(
        json.dumps({"listen": "127.0.0.1:0", "poll_interval": "10s", "models": [model]})
    )
    command = [sys.executable, "-m", "model_exporter", "serve", "--config", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        port = next(m for line in process.stderr if (m := re.search(r":(\d+)/metrics", line)))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield process.pid, int(port[1])
        finally:
            process.send_signal(signal.SIGTERM)


def request(port: int, method: str, path: str, rows: Any = None) -> tuple[int, bytes, float]:
    """Return status, body and seconds of one request."""
    body = None if rows is None else "".join(f"{json.dumps(row)}\n" for row in rows)
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/x-ndjson"})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, text, time.perf_counter() - start


class Load:
    """Pushes on a schedule; a push that is refused for now is repeated."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._rng = random.Random(1)
        self.seconds: list[float] = []
        self.again = 0
        self.predictions = self.labels = 0

    def run(self, batches: int) -> None:
        start = time.perf_counter()
        for number in range(batches + LABEL_AFTER):
            time.sleep(max(0.0, start + number * BATCH / RATE - time.perf_counter()))
            if number < batches:
                self._push("predictions", [self._prediction(number, i) for i in range(BATCH)])
                self.predictions += BATCH
            if number >= LABEL_AFTER:
                self._push("labels", [self._label(number - LABEL_AFTER, i) for i in range(BATCH)])
                self.labels += BATCH

    def _push(self, source: str, rows: list[dict[str, Any]]) -> None:
        while True:
            status, text, seconds = request(self._port, "POST", f"/v1/{source}", rows)
            self.seconds.append(seconds)
            if status == 202:
                return
            if status not in (429, 503):
                raise SystemExit(f"HTTP {status}: {text!r}")
            self.again += 1
            time.sleep(0.1)

    def _prediction(self, batch: int, i: int) -> dict[str, Any]:
        score = self._rng.random()
        return {
            "prediction_id": f"018bcfe5-6800-7000-8000-{batch:08x}{i:04x}",
            "timestamp": time.time(),
            "model_name": "m",
            "model_version": "1",
            "prediction": int(score > 0.5),
            "score": score,
            "bins": {name: self._rng.randrange(10) for name in FEATURES},
            "segments": {"country": self._rng.choice(["DE", "FR", "IT"])},
        }

    def _label(self, batch: int, i: int) -> dict[str, Any]:
        prediction_id = f"018bcfe5-6800-7000-8000-{batch:08x}{i:04x}"
        label = self._rng.randrange(2)
        return {"prediction_id": prediction_id, "label": label, "label_timestamp": time.time()}


def every(seconds: float, stop: threading.Event, look: Callable[[], None]) -> threading.Thread:
    """Call a function at intervals, in a thread, until stopped."""

    def run() -> None:
        while not stop.wait(seconds):
            look()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def sample(port: int, name: str) -> float:
    """Return a family's value for the whole of the longest window."""
    text = request(port, "GET", "/metrics")[1].decode()
    found = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    whole = [line for line in found if 'segment=""' in line and 'window="1d"' in line]
    return max((float(line.rpartition(" ")[2]) for line in whole), default=0.0)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] * 1000


def measure(pid: int, port: int, minutes: float) -> bool:
    """Print the figures; return whether every record counts once."""
    load, stop = Load(port), threading.Event()
    scrapes: list[float] = []
    memory: list[float] = []
    watchers = [
        every(SCRAPE_SECONDS, stop, lambda: scrapes.append(request(port, "GET", "/metrics")[2])),
        every(SAMPLE_SECONDS, stop, lambda: memory.append(resident_mb(pid))),
    ]
    cpu, start = cpu_seconds(pid), time.perf_counter()
    try:
        load.run(round(minutes * 60 * RATE / BATCH))
        took, used = time.perf_counter() - start, cpu_seconds(pid) - cpu
    finally:
        stop.set()
        for watcher in watchers:
            watcher.join()
    rate = (load.predictions + load.labels) / (took - LABEL_AFTER * BATCH / RATE)
    print(f"pushed       {load.predictions:,} predictions, {load.labels:,} labels; {rate:,.0f}/s")
    print(f"processor    {used / took:.0%} of one core")
    marks = [memory[min(len(memory) * i // 8, len(memory) - 1)] for i in range(9)]
    print(f"memory       {' '.join(f'{mark:.0f}' for mark in marks)} MB, at eighths of the time")
    for name, taken in (("push", load.seconds), ("scrape", scrapes)):
        print(
            f"{name:12} p50 {percentile(taken, 0.5):.1f} ms, p99 {percentile(taken, 0.99):.1f} ms"
        )
    print(f"repeated     {load.again} pushes, asked to come later")
    return exact(port, load)


def exact(port: int, load: Load) -> bool:
    """Wait for the evaluation that has all; tell whether the totals are what was pushed."""
    families = ("model_window_predictions", "model_window_labeled_predictions")
    expected = [load.predictions, load.labels]
    deadline = time.monotonic() + 120
    while (found := [sample(port, name) for name in families]) != expected:
        if time.monotonic() > deadline:
            break
        time.sleep(1)
    print(f"counted      {found[0]:,.0f} predictions, {found[1]:,.0f} of them with their label")
    return found == expected


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--quick", action="store_true", help="20 seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as (pid, port):
        good = measure(pid, port, 1 / 3 if options.quick else options.minutes)
    print("every record counts once" if good else "FAILED: records were lost or counted twice")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
