"""Totals of windows from what the models' processes counted, summed over all of them.

A second way to the totals that tiles give: without rows, hence without labels, segments and
values, but with all that the comparison with a baseline takes. `increase` knows about restarted
processes. It reckons from the samples inside the window to its ends, so that counts are as good as
the scrapes, and are rounded.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from model_exporter.baseline import Baseline
from model_exporter.distribution import MISSING, CategoricalDistribution, Distribution
from model_exporter.errors import SourceError
from model_exporter.job.config import ModelConfig
from model_exporter.job.sources.prometheus import Prometheus, Series
from model_exporter.job.totals import Group, Groups, Interval, Totals
from model_exporter.job.windows import WindowTotals, pool
from model_exporter.records import InvalidReason, Subject

VERSION = "model_version"
BIN = f"{VERSION}, subject, feature, bin"
FEATURE = f"{VERSION}, feature"


class CounterReader:
    """Reads the counters of one model."""

    def __init__(self, prometheus: Prometheus, model: ModelConfig) -> None:
        self._prometheus = prometheus
        self._model = model
        self._selector = prometheus.selector(model.name)

    def check(self, now: int) -> bool:
        """Tell whether any process serves the model now, with the baselines of the configuration.

        Raises
        ------
        SourceError
            If one counts in the bins of another baseline, or cannot be asked.
        """
        info = f"group by ({VERSION}, baseline) (model_info{self._selector})"
        found = self._prometheus.query(info, now=now)
        for labels, _ in found:
            version, checksum = labels.get(VERSION, ""), labels.get("baseline", "")
            baseline = self._model.baseline(version)
            if baseline is not None and baseline.checksum != checksum:
                counted = f"the baseline {checksum}" if checksum else "no baseline"
                raise SourceError(
                    f"version {version!r} counts with {counted}, the configuration has "
                    f"{baseline.checksum}; give both the same file"
                )
        return bool(found)

    def newest(self, now: int) -> float | None:
        """Return the Unix time of the newest prediction in the longest window, in seconds."""
        longest = max(window.seconds for window in self._model.windows)
        time = f"model_last_prediction_timestamp_seconds{self._selector}[{_promql(longest)}]"
        found = self._prometheus.query(f"max(max_over_time({time}))", now=now)
        return found[0][1] if found else None

    def read(self, text: str, interval: Interval, *, now: int) -> WindowTotals:
        """Return the totals of a window that ends now.

        Raises
        ------
        SourceError
            If the bins are not those of the baseline, or the server does not answer.
        """
        groups: Groups = defaultdict(Totals)

        def increase(metric: str, by: str, **more: str) -> Series:
            length = _promql((interval[1] - interval[0]) / 1_000_000)
            selector = self._prometheus.selector(self._model.name, **more)
            expression = f"sum by ({by}) (increase({metric}{selector}[{length}]))"
            return self._prometheus.query(expression, now=now)

        for labels, value in increase("model_predictions_total", VERSION):
            totals = groups[Group(labels.get(VERSION, ""))]
            totals.counts["predictions", "", ""] = round(value)
        self._add_bins(groups, text, increase("model_distribution_total", BIN))
        reason = InvalidReason.OUT_OF_RANGE.value
        for stat, series in {
            "values": increase("model_feature_values_total", FEATURE),
            "missing": increase("model_feature_missing_total", FEATURE),
            "out_of_range": increase("model_feature_invalid_total", FEATURE, reason=reason),
        }.items():
            for labels, value in series:
                self._add_feature(groups[Group(labels.get(VERSION, ""))], stat, labels, value)
        return WindowTotals(text, interval, pool(groups, self._model))

    def _add_bins(self, groups: Groups, window: str, series: Series) -> None:
        found: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
        for labels, value in series:
            place = labels.get(VERSION, ""), labels.get("subject", ""), labels.get("feature", "")
            found[place][labels.get("bin", "")] = round(value)
        for (version, subject, feature), counts in found.items():
            baseline = self._model.baseline(version)
            if baseline is None:
                continue
            distribution = _distribution(baseline, window, version, subject, feature, counts)
            keys = _keys(distribution)
            totals = groups[Group(version)].counts
            for name, count in counts.items():
                totals[subject, feature, keys[name]] = count
            if subject == Subject.FEATURE:
                totals["ranged", feature, ""] = sum(counts.values())

    def _add_feature(
        self, totals: Totals, stat: str, labels: Mapping[str, str], value: float
    ) -> None:
        feature, key = labels.get("feature", ""), ""
        if stat == "missing":  # where rows that are missing count in tiles: a bin of their own
            stat, key = Subject.FEATURE, str(MISSING) if feature in self._model.numeric else ""
        totals.counts[stat, feature, key] = round(value)


def _distribution(
    baseline: Baseline,
    window: str,
    version: str,
    subject: str,
    feature: str,
    counts: Mapping[str, int],
) -> Distribution:
    """Return the distribution of a subject whose bins are those that were counted in."""
    distribution = baseline.distribution(subject, feature)
    bins = set(distribution.bins) if distribution else set()
    if distribution is None or set(counts) != bins:
        where = f"{subject} {feature!r}" if feature else subject
        raise SourceError(
            f"in the last {window}, version {version!r} counted {where} in other bins than the "
            f"baseline {baseline.checksum} has ({_some(set(counts) ^ bins)}); a new baseline "
            "needs a new version of the model, or the windows to pass"
        )
    return distribution


def _some(names: Iterable[str]) -> str:
    first, *more = sorted(names)
    return f"{first!r} and {len(more)} more" if more else repr(first)


def _keys(distribution: Distribution) -> dict[str, str]:
    """Return the key in the totals of each bin, by the bin's name."""
    if isinstance(distribution, CategoricalDistribution):
        return {name: name for name in distribution.bins}
    return {name: str(i) for i, name in enumerate(distribution.bins)}


def _promql(seconds: float) -> str:
    return f"{round(seconds * 1_000)}ms"
