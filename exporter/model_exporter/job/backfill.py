"""`model-exporter backfill`: what would have been served at each step of a span of time.

The sources are read once, into a state of their own, and time goes forwards over it. Nothing of
the running job is touched. The text is OpenMetrics as its specification has it: family by family,
series by series, and within a series by time; so nothing can be written before the last step, and
16 bytes a sample are held in memory until then.
"""

import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample, Timestamp

from model_exporter.catalogue import FAMILIES, Family
from model_exporter.job.check import check_sources
from model_exporter.job.config import Config
from model_exporter.job.progress import Line, bar
from model_exporter.job.runners import runner_of
from model_exporter.job.snapshot import Histogram, LabelValues, Snapshot

MICROSECONDS = 1_000_000
END = "# EOF\n"
ABOUT_THE_RUN = ("model_source_up", "model_source_invalid_total", "model_exporter_build_info")
"""These tell about the present run too; of the past they would tell nothing."""


class History:
    """The samples of all steps, by family and series."""

    def __init__(self) -> None:
        self._values: dict[str, dict[LabelValues, tuple[array[int], array[float]]]] = {}
        self._histograms: dict[str, dict[LabelValues, list[tuple[int, Histogram]]]] = {}

    def add(self, now: int, snapshot: Snapshot) -> None:
        """Add what was found as of a later instant (microseconds)."""
        for name, values in snapshot.values.items():
            series = self._values.setdefault(name, {})
            for labels, value in values.items():
                times, points = series.setdefault(labels, (array("q"), array("d")))
                times.append(now)
                points.append(value)
        for name, histograms in snapshot.histograms.items():
            found = self._histograms.setdefault(name, {})
            for labels, histogram in histograms.items():
                found.setdefault(labels, []).append((now, histogram))

    def samples(self) -> Iterator[tuple[str, LabelValues, float, int]]:
        """Yield family, labels, value and instant of every sample that is no histogram's."""
        for name, series in self._values.items():
            for labels, (times, points) in series.items():
                for now, value in zip(times, points, strict=True):
                    yield name, labels, value, now

    def families(self) -> Iterator[Metric]:
        """Yield the families that have samples, in the order of the catalogue."""
        for family in FAMILIES:
            if family.volatile or family.name in ABOUT_THE_RUN:
                continue
            samples = self._samples(family)
            first = next(samples, None)
            if first is not None:
                name = family.name.removesuffix("_total")
                metric = Metric(name, family.help, family.kind)
                metric.samples = [first, *samples]
                yield metric

    def _samples(self, family: Family) -> Iterator[Sample]:
        for labels, (times, points) in sorted(self._values.get(family.name, {}).items()):
            named = dict(zip(family.labels, labels, strict=True))
            for now, value in zip(times, points, strict=True):
                yield Sample(family.name, named, value, _timestamp(now))
        for labels, found in sorted(self._histograms.get(family.name, {}).items()):
            named = dict(zip(family.labels, labels, strict=True))
            for now, histogram in found:
                at = _timestamp(now)
                for bound, count in histogram.buckets:
                    yield Sample(f"{family.name}_bucket", {**named, "le": bound}, count, at)
                yield Sample(f"{family.name}_count", named, histogram.buckets[-1][1], at)
                yield Sample(f"{family.name}_sum", named, histogram.total, at)


def backfill(
    config: Config, *, instants: Sequence[int], state: Path, line: Line
) -> tuple[History, list[str]]:
    """Evaluate all models as of each instant (microseconds, ascending).

    Also returns what could not be read. `line` shows how far it has come.
    """
    check_sources(config)
    history, failures, done = History(), [], 0
    for model in config.models:
        with runner_of(model, state, line=line) as runner:
            for i, now in enumerate(instants):
                snapshot = runner.step(now) if i else runner.turn(now, final=True)
                history.add(now, snapshot)
                done += 1
                line.show(f"{model.name}: {bar(done, len(config.models) * len(instants))}")
            failures += runner.failures
    line.clear()
    return history, failures


def write(path: Path, history: History) -> int:
    """Write a history as OpenMetrics, whole or not at all; return the number of its samples."""
    count = 0
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        for metric in history.families():
            file.write(_text(metric))
            count += len(metric.samples)
        file.write(END)
    temporary.replace(path)
    return count


def _text(metric: Metric) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_One(metric))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode().removesuffix(END)


class _One(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def _timestamp(now: int) -> Timestamp:
    seconds, rest = divmod(now, MICROSECONDS)
    return Timestamp(seconds, rest * 1_000)
