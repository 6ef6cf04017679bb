"""All counts of a monitor, in one flat array of a layout fixed at construction.

Flat and fixed, so that counts of several processes can be added by adding their arrays.
"""

import math

import numpy as np

from model_exporter.distribution import Distribution, category_text
from model_exporter.records import OTHER, Subject, Task
from model_exporter.sidecar.columns import (
    CONSTRAINT,
    REASONS,
    CategoricalBins,
    ColumnCounts,
    NumericBins,
    bins_of,
)
from model_exporter.sidecar.constraints import Check, Checked
from model_exporter.sidecar.faults import DropReason, Stage
from model_exporter.sidecar.numeric import NumericFeatures
from model_exporter.sidecar.sections import LIMITS, Floats, Place, Section
from model_exporter.sidecar.settings import BATCH_BUCKETS, SCORE_BUCKETS, Settings
from model_exporter.sidecar.tally import GREATEST

MAX_FEATURES = 200
"""Features of a baseline that are counted: at ten bins a feature, some 5,000 series."""
GRID = 2.0**-20
"""Where several processes add theirs, the sums of histograms are multiples of this: in seconds,
rows, scores, or the size of a regression's greatest bucket. Multiples of a power of two add
without rounding, in whatever order processes come and go; a sum that fell by its last bit would
look like a restart, and `rate()` would count it all again."""

MEASURE_GRID = 2.0**-10
"""The same for the amounts of the business: a thousandth, exact in sums up to 8e12."""


class Subjects:
    """The distributions of a baseline, in the order of the layout, with the counter of each.

    Attributes
    ----------
    checks
        By feature, for those with a constraint.
    uncounted
        Features of the baseline beyond `MAX_FEATURES`: they are logged, but have no series.
    """

    def __init__(self, settings: Settings) -> None:
        self.distributions: dict[tuple[Subject, str], Distribution] = {}
        self.bins: dict[tuple[Subject, str], NumericBins | CategoricalBins] = {}
        self.checks = {name: Check(each) for name, each in settings.constraints.items()}
        self._fill(settings)
        bins = {name: b for (s, name), b in self.bins.items() if s is Subject.FEATURE}
        self.categorical = {n: b for n, b in bins.items() if isinstance(b, CategoricalBins)}
        self.numeric = NumericFeatures(
            {n: b for n, b in bins.items() if isinstance(b, NumericBins)}
        )

    def _fill(self, settings: Settings) -> None:
        self._class_name = settings.class_namer()
        baseline = settings.baseline
        self.uncounted: dict[str, NumericBins | CategoricalBins] = {}
        self.checksum = "" if baseline is None else baseline.checksum  # once: it is not cheap
        if baseline is None:
            return
        for place, (name, distribution) in enumerate(baseline.features.items()):
            if place < MAX_FEATURES:
                self._add(Subject.FEATURE, name, distribution)
            else:
                self.uncounted[name] = bins_of(distribution)
        if self.uncounted:
            _warn(len(self.uncounted))
        self._add(Subject.PREDICTION, "", baseline.prediction)
        for name, scores in baseline.scores.items():
            self._add(Subject.SCORE, name, scores)

    def _add(self, subject: Subject, feature: str, distribution: Distribution) -> None:
        text = self._class_name if subject is Subject.PREDICTION else category_text
        self.distributions[subject, feature] = distribution
        self.bins[subject, feature] = bins_of(distribution, text=text)


def _warn(features: int) -> None:
    import logging  # not free, and most processes never need it

    logging.getLogger("model_exporter").warning(
        "the baseline has %d features more than the %d that are counted; the values of these are "
        "counted together, as the feature %r; order the baseline by importance",
        features,
        MAX_FEATURES,
        OTHER,
    )


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

    __slots__ = ("absent", "invalid", "missing", "values")

    SIZE = 3 + len(REASONS)

    def __init__(self, place: Floats) -> None:
        self.values = place[0:1]
        self.missing = place[1:2]
        self.absent = place[2:3]
        self.invalid = place[3:]

    def add(self, counts: ColumnCounts) -> None:
        """Add a column's counts, but for its bins."""
        self.values += counts.values
        if counts.missing:
            self.missing += counts.missing
        if any(counts.invalid):
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
    last_ns, input_ns
        Unix time in nanoseconds when the newest call ended, and of the newest input, shape (1,);
        0 before the first. The numbers that are not added: the greatest counts.
    dropped, internal_errors
        Faults, in the order of `DropReason` and `Stage`.
    features, declared
        By feature: those with bins, and those with a constraint only.
    named, places
        By section: its counts, and where they are in the array.
    """

    def __init__(self, settings: Settings, subjects: Subjects, array: Floats | None = None) -> None:
        regression = settings.task is Task.REGRESSION
        output = settings.value_buckets if regression else SCORE_BUCKETS
        features = tuple(f for s, f in subjects.bins if s is Subject.FEATURE)
        sizes = [
            1,
            1,
            1,
            1,
            *map(Histogram.size, (settings.latency_buckets, BATCH_BUCKETS, output)),
        ]
        sizes += [Histogram.size(settings.latency_buckets), 1]
        first = len(sizes)
        sizes += [LIMITS[section] + 1 for section in Section]  # and `OTHER`
        sizes += [len(DropReason), len(Stage)]
        declared = tuple(name for name in subjects.checks if name not in features)
        sizes += [FeatureCounts.SIZE] * len((*features, *declared))
        sizes += [len(bins.names) for bins in subjects.bins.values()]
        ends = np.cumsum(sizes).tolist()
        self._sums = [end - 1 for end in ends[4:8]]
        self._unit = max(map(abs, output)) if regression else 1.0
        self.array = np.zeros(ends[-1]) if array is None else array
        views = iter([self.array[e - s : e] for e, s in zip(ends, sizes, strict=True)])
        self.requests, self.rows, self.last_ns = next(views), next(views), next(views)
        self.input_ns = next(views)
        self.latency = Histogram(settings.latency_buckets, next(views))
        self.batch_rows = Histogram(BATCH_BUCKETS, next(views))
        self.output = Histogram(output, next(views))
        self.first_chunk = Histogram(settings.latency_buckets, next(views))
        self.chunks = next(views)
        self.named = {section: next(views) for section in Section}
        self.places = {
            section: Place(*ends[place : place + 2])
            for place, section in enumerate(Section, start=first - 1)
        }
        self.dropped, self.internal_errors = next(views), next(views)
        self.features = {feature: FeatureCounts(next(views)) for feature in features}
        self.declared = {feature: FeatureCounts(next(views)) for feature in declared}
        self.bins = {key: next(views) for key in subjects.bins}

    def add(self, array: Floats) -> None:
        """Add the counts of another array."""
        newest = np.maximum(self.array[GREATEST], array[GREATEST])
        self.array += array
        self.array[GREATEST] = newest

    def check(self, feature: str, found: Checked) -> None:
        """Add what a constraint found in a column."""
        if feature in self.features:  # its bins have counted the values
            self.features[feature].invalid[CONSTRAINT] += found.broken
            return
        place = self.declared[feature]
        place.values += found.values
        place.missing += found.missing
        place.invalid[CONSTRAINT] += found.broken

    def on_grid(self, array: Floats) -> Floats:
        """Return counts with the sums of histograms and amounts rounded down to `GRID`."""
        units = np.array([1.0, 1.0, 2.0 ** math.floor(math.log2(self._unit or 1.0)), 1.0])
        array = array.copy()
        array[self._sums] -= np.mod(array[self._sums], GRID * units)
        measures = array[slice(*self.places[Section.MEASURES])]
        measures -= np.mod(measures, MEASURE_GRID)
        return array
