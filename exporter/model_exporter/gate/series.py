"""Series as they were served, looked up by name and labels."""

import math
from collections.abc import Iterator, Mapping

from model_exporter.gate.latency import quantile_ranks
from model_exporter.records import Estimate

Labels = frozenset[tuple[str, str]]


class Series:
    """Samples of an evaluation of the job, and of what model servers serve.

    Parameters
    ----------
    samples
        By name and labels.
    """

    def __init__(self, samples: Mapping[tuple[str, Labels], float]) -> None:
        self._by_name: dict[str, dict[Labels, float]] = {}
        for (name, labels), value in samples.items():
            self._by_name.setdefault(name, {})[labels] = value

    def get(self, name: str, labels: Mapping[str, str]) -> float | None:
        """Return the sample with exactly these labels."""
        return self._by_name.get(name, {}).get(frozenset(labels.items()))

    def having(
        self, name: str, labels: Mapping[str, str]
    ) -> Iterator[tuple[dict[str, str], float]]:
        """Yield the samples that have at least these labels, with all of theirs."""
        for found, value in sorted(self._by_name.get(name, {}).items(), key=lambda s: sorted(s[0])):
            if labels.items() <= found:
                yield dict(found), value

    def estimate(self, names: tuple[str, str, str], labels: Mapping[str, str]) -> Estimate | None:
        """Return a value with its ends, by the names of the three."""
        value, lower, upper = (self.get(name, labels) for name in names)
        return None if value is None else Estimate(value, lower, upper)

    def histogram(self, name: str, labels: Mapping[str, str]) -> "Buckets":
        """Return a histogram, summed over the series that have at least these labels."""
        counts: dict[float, float] = {}
        for found, value in self.having(f"{name}_bucket", labels):
            bound = float(found["le"])
            counts[bound] = counts.get(bound, 0.0) + value
        total = sum(value for _, value in self.having(f"{name}_sum", labels))
        return Buckets(dict(sorted(counts.items())), total)


class Buckets:
    """A Prometheus histogram: cumulative rows by upper bound, the last of them infinite."""

    def __init__(self, counts: Mapping[float, float], total: float) -> None:
        self.counts = counts
        self.total = total
        self.rows = int(max(counts.values(), default=0))

    def quantile(self, quantile: float) -> Estimate | None:
        """Return a quantile; its ends are those of the order statistics that hold it.

        Within a bucket values are taken as evenly spread, as `histogram_quantile` takes them: a
        quantile is no better known than the width of its bucket. None without rows, or where it
        lies beyond the last finite bound.
        """
        if not self.rows:
            return None
        value, ranks = self._at(quantile * self.rows), quantile_ranks(self.rows, quantile)
        if value is None:
            return None
        ends = [self._at(rank) for rank in ranks or ()]
        if not ends or ends[0] is None or ends[1] is None:
            return Estimate(value)
        return Estimate(value, min(ends[0], value), max(ends[1], value))

    def mean(self) -> Estimate | None:
        """Return the mean; its ends take values to be in the middle of their buckets."""
        if self.rows < 2:  # no variance
            return None
        mean, squares, lower, below = self.total / self.rows, 0.0, 0.0, 0.0
        for bound, count in self.counts.items():
            middle = (lower + bound) / 2 if math.isfinite(bound) else lower
            squares += (count - below) * (middle - mean) ** 2
            lower, below = bound, count
        half = 1.96 * math.sqrt(squares) / self.rows
        return Estimate(mean, mean - half, mean + half)

    def _at(self, rank: float) -> float | None:
        lower, below = 0.0, 0.0
        for bound, count in self.counts.items():
            if count >= rank:
                if not math.isfinite(bound):
                    return None
                inside = (rank - below) / (count - below) if count > below else 1.0
                return lower + (bound - lower) * inside
            lower, below = bound, count
        return None
