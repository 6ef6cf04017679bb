"""What one evaluation found: plain data that the collector renders, and never computes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

LabelValues = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative rows by upper bound (the last is +Inf), and the sum of the values."""

    buckets: tuple[tuple[str, int], ...]
    total: float


@dataclass(slots=True)
class Snapshot:
    """Samples by family name; label values are in the order of the family's labels."""

    values: dict[str, dict[LabelValues, float]] = field(default_factory=dict)
    histograms: dict[str, dict[LabelValues, Histogram]] = field(default_factory=dict)

    def put(self, name: str, labels: LabelValues, value: float) -> None:
        """Set one sample."""
        self.values.setdefault(name, {})[labels] = value

    def put_histogram(self, name: str, labels: LabelValues, histogram: Histogram) -> None:
        """Set one histogram."""
        self.histograms.setdefault(name, {})[labels] = histogram

    def samples(self, now: int) -> Iterator[tuple[str, LabelValues, float, int]]:
        """Yield family, labels, value and instant of every sample that is no histogram's."""
        for name, values in self.values.items():
            for labels, value in values.items():
                yield name, labels, value, now

    def merge(self, other: "Snapshot") -> None:
        """Take over the samples of another snapshot."""
        for name, values in other.values.items():
            self.values.setdefault(name, {}).update(values)
        for name, histograms in other.histograms.items():
            self.histograms.setdefault(name, {}).update(histograms)
