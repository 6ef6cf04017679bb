"""All counts of a monitor, in one flat array of a layout fixed at construction.

Flat and fixed, so that counts of several processes can be added by adding their arrays.
"""

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import Distribution, category_text
from model_exporter.records import Subject, Task
from model_exporter.sidecar.columns import (
    REASONS,
    CategoricalBins,
    ColumnCounts,
    NumericBins,
    bins_of,
)
from model_exporter.sidecar.labels import Names
from model_exporter.sidecar.numeric import NumericFeatures
from model_exporter.sidecar.settings import BATCH_BUCKETS, SCORE_BUCKETS, Settings

MAX_CLASSES = 50
MAX_ERROR_TYPES = 20

Floats = NDArray[np.float64]


class Subjects:
    """The distributions of a baseline, in the order of the layout, with the counter of each."""

    def __init__(self, settings: Settings) -> None:
        self.distributions: dict[tuple[Subject, str], Distribution] = {}
        self.bins: dict[tuple[Subject, str], NumericBins | CategoricalBins] = {}
        self._fill(settings)
        bins = {name: b for (s, name), b in self.bins.items() if s is Subject.FEATURE}
        self.categorical = {n: b for n, b in bins.items() if isinstance(b, CategoricalBins)}
        self.numeric = NumericFeatures(
            {n: b for n, b in bins.items() if isinstance(b, NumericBins)}
        )

    def _fill(self, settings: Settings) -> None:
        self._class_name = settings.class_namer()
        baseline = settings.baseline
        if baseline is None:
            return
        for name, distribution in baseline.features.items():
            self._add(Subject.FEATURE, name, distribution)
        self._add(Subject.PREDICTION, "", baseline.prediction)
        for name, scores in baseline.scores.items():
            self._add(Subject.SCORE, name, scores)

    def _add(self, subject: Subject, feature: str, distribution: Distribution) -> None:
        text = self._class_name if subject is Subject.PREDICTION else category_text
        self.distributions[subject, feature] = distribution
        self.bins[subject, feature] = bins_of(distribution, text=text)


class Histogram:
    """A histogram's place in the array: one count a bucket, the infinite one last, then the sum."""

    __slots__ = ("counts", "edges", "total")

    def __init__(self, edges: tuple[float, ...], place: Floats) -> None:
        self.edges = np.array(edges)
        self.counts = place[:-1]
        self.total = place[-1:]

    @staticmethod
    def size(edges: tuple[float, ...]) -> int:
        """Return how many numbers a histogram of these edges takes."""
        return len(edges) + 2

    def add(self, values: Floats) -> None:
        """Count finite values; as in Prometheus, an edge belongs to the bucket below it."""
        index = np.searchsorted(self.edges, values, side="left")
        self.counts += np.bincount(index, minlength=self.counts.size)
        self.total += values.sum()


class FeatureCounts:
    """A feature's place in the array."""

    __slots__ = ("invalid", "missing", "values")

    SIZE = 2 + len(REASONS)

    def __init__(self, place: Floats) -> None:
        self.values = place[0:1]
        self.missing = place[1:2]
        self.invalid = place[2:]

    def add(self, counts: ColumnCounts) -> None:
        """Add a column's counts, but for its bins."""
        self.values += counts.values
        self.missing += counts.missing
        self.invalid += counts.invalid


class Counters:
    """Named views of the flat array.

    Parameters
    ----------
    array
        Counts to look at, of the same settings; zeros by default.

    Attributes
    ----------
    requests, rows
        Ended calls and predicted rows, shape (1,).
    last_ns
        Unix time in nanoseconds when the newest call ended, shape (1,); 0 before the first. The
        one number that is not added between processes: the greatest counts.
    """

    def __init__(self, settings: Settings, subjects: Subjects, array: Floats | None = None) -> None:
        regression = settings.task is Task.REGRESSION
        output = settings.value_buckets if regression else SCORE_BUCKETS
        features = tuple(f for s, f in subjects.bins if s is Subject.FEATURE)
        sizes = [1, 1, 1, *map(Histogram.size, (settings.latency_buckets, BATCH_BUCKETS, output))]
        sizes += [Histogram.size(settings.latency_buckets), 1]
        sizes += [Names(limit=MAX_CLASSES).size, Names(limit=MAX_ERROR_TYPES).size]
        sizes += [FeatureCounts.SIZE] * len(features)
        sizes += [len(bins.names) for bins in subjects.bins.values()]
        ends = np.cumsum(sizes).tolist()
        self.array = np.zeros(ends[-1]) if array is None else array
        views = iter([self.array[e - s : e] for e, s in zip(ends, sizes, strict=True)])
        self.requests, self.rows, self.last_ns = next(views), next(views), next(views)
        self.latency = Histogram(settings.latency_buckets, next(views))
        self.batch_rows = Histogram(BATCH_BUCKETS, next(views))
        self.output = Histogram(output, next(views))
        self.first_chunk = Histogram(settings.latency_buckets, next(views))
        self.chunks = next(views)
        self.classes, self.errors = next(views), next(views)
        self.features = {feature: FeatureCounts(next(views)) for feature in features}
        self.bins = {key: next(views) for key in subjects.bins}
