"""What the job knows of its models as of an instant, in the form that the page shows."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from model_exporter import __version__
from model_exporter.baseline import Baseline
from model_exporter.catalogue import BY_NAME, ESTIMATES, SCORES, ScoreFamily
from model_exporter.distribution import CategoricalDistribution, Distribution
from model_exporter.job import decode
from model_exporter.job.columns import feature_names
from model_exporter.job.config import Config, ModelConfig
from model_exporter.job.detection import subjects
from model_exporter.job.progress import Line
from model_exporter.job.runner import Runner
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.totals import Totals
from model_exporter.job.windows import WindowTotals
from model_exporter.records import ALL_VERSIONS, Estimate
from model_exporter.report.content import (
    Content,
    DriftLine,
    FeatureLine,
    Histogram,
    ModelContent,
    ScoreLine,
    VersionLine,
    WindowLine,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ESTIMATE_BY_KEY = {family.key: family for family in ESTIMATES}
QUALITY = ("model_missing_ratio", "model_unseen_ratio", "model_out_of_range_ratio")
FIRST = ("accuracy", "f1", "roc_auc", "mae", "rmse", "r2")
"""Scores that come first where the configuration expects nothing of one."""


def collect(config: Config, *, now: int, state: Path, line: Line | None = None) -> Content:
    """Read, join and evaluate each model as of `now` (microseconds)."""
    models = []
    for model in config.models:
        with Runner(model, state, line=line) as runner:
            snapshot = runner.turn(now, final=True)
            models.append(_Model(model, snapshot, runner.totals(), runner.failures).content())
    instant = EPOCH + timedelta(microseconds=now)
    return Content(f"{instant:%Y-%m-%d %H:%M} UTC", __version__, models)


@dataclass(frozen=True, slots=True)
class _Model:
    model: ModelConfig
    snapshot: Snapshot
    totals: Sequence[WindowTotals]
    failures: Sequence[str]

    def content(self) -> ModelContent:
        version = self.shown()
        baseline = self.model.baseline(version)
        scores, drift = self.scores(version), self.drift(version)
        longest = self.windows()[-1].text
        return ModelContent(
            name=self.model.name,
            task=str(self.model.task),
            window=longest,
            windows=[
                WindowLine(
                    window.text,
                    int(self.of_window("model_window_predictions", version, window.text) or 0),
                    int(
                        self.of_window("model_window_labeled_predictions", version, window.text)
                        or 0
                    ),
                )
                for window in self.windows()
            ],
            scores=scores,
            drift=drift,
            histograms=self.histograms(version, baseline, drift) if baseline else [],
            versions=self.versions(scores[0].family if scores else None),
            features=self.features(version, baseline),
            has_baseline=baseline is not None,
            failures=self.failures,
        )

    def windows(self) -> list[WindowTotals]:
        return sorted(self.totals, key=lambda window: window.interval[1] - window.interval[0])

    def shown(self) -> str:
        """Return all versions pooled; of versions that shadow each other, the champion."""
        if not self.model.shadow:
            return ALL_VERSIONS
        champion = self.model.comparison.champion if self.model.comparison else ""
        groups = self.windows()[-1].groups
        sizes = {g.version: t.count("predictions") for g, t in groups.items() if not g.segment}
        return champion or min(sizes, key=lambda v: (-sizes[v], v), default=ALL_VERSIONS)

    def get(self, name: str, **labels: str) -> float | None:
        names = BY_NAME[name].labels
        given = {"model_name": self.model.name, "segment": "", "segment_value": "", **labels}
        return self.snapshot.values.get(name, {}).get(tuple(given[label] for label in names))

    def of_window(self, name: str, version: str, window: str, **labels: str) -> float | None:
        return self.get(name, model_version=version, window=window, **labels)

    def estimate(
        self, names: tuple[str, str, str], version: str, window: str, extra: Mapping[str, str]
    ) -> Estimate | None:
        value, *ends = (self.of_window(name, version, window, **extra) for name in names)
        return None if value is None else Estimate(value, *ends)

    def averaged(self, family: ScoreFamily) -> dict[str, str]:
        if not family.extra:
            return {}
        return {"average": decode.DEFAULT_AVERAGE.get(self.model.task, "")}

    def scores(self, version: str) -> list[ScoreLine]:
        found = [
            line
            for family in SCORES
            if family.extra in ((), ("average",)) and (line := self.score(family, version))
        ]
        expected = {expectation.score: i for i, expectation in enumerate(self.model.expectations)}
        usual = {key: len(expected) + i for i, key in enumerate(FIRST)}
        order = {**usual, **expected}
        return sorted(found, key=lambda line: order.get(line.family.key, len(order)))

    def score(self, family: ScoreFamily, version: str) -> ScoreLine | None:
        extra = self.averaged(family)
        estimated = False
        names = (family.name, family.lower, family.upper)
        found = self.by_window(names, version, extra)
        if not found and family.key in ESTIMATE_BY_KEY:
            guess, estimated = ESTIMATE_BY_KEY[family.key], True
            found = self.by_window((guess.name, guess.lower, guess.upper), version, extra)
        if not found:
            return None
        bounds = {e.bound: e.threshold for e in self.model.expectations if e.score == family.key}
        name, key = "model_expectation_violated", family.key
        violated = frozenset(
            window
            for window in found
            for bound in bounds
            if self.of_window(name, version, window, score=key, bound=bound)
        )
        return ScoreLine(
            family,
            found,
            baseline=self.baseline_score(family, version, extra),
            minimum=bounds.get("min"),
            maximum=bounds.get("max"),
            violated=violated,
            estimated=estimated,
        )

    def baseline_score(
        self, family: ScoreFamily, version: str, extra: Mapping[str, str]
    ) -> float | None:
        baseline = self.model.baseline(version)
        found = (
            baseline.quality.get(family.name, {}).get(tuple(extra.values())) if baseline else None
        )
        return None if found is None else found.value

    def by_window(
        self, names: tuple[str, str, str], version: str, extra: Mapping[str, str]
    ) -> dict[str, Estimate]:
        given = {w.text: self.estimate(names, version, w.text, extra) for w in self.windows()}
        return {window: found for window, found in given.items() if found is not None}

    def drift(self, version: str) -> list[DriftLine]:
        """Return the subjects, those first that moved, and then by how much."""
        found, window = [], self.windows()[-1].text
        for subject, feature in subjects(self.model):
            place = {"subject": subject, "feature": feature}
            psi = self.of_window("model_drift_psi", version, window, **place)
            if psi is None:
                continue
            detected = self.of_window("model_drift_detected", version, window, **place)
            found.append(
                DriftLine(
                    _named(subject, feature),
                    psi,
                    self.of_window("model_drift_psi_critical", version, window, **place),
                    None if detected is None else bool(detected),
                    int(self.of_window("model_drift_rows", version, window, **place) or 0),
                )
            )
        return sorted(found, key=lambda line: (not line.detected, -line.psi))

    def histograms(
        self, version: str, baseline: Baseline, drift: Sequence[DriftLine]
    ) -> list[Histogram]:
        totals = self.totals_of(version)
        lines = {line.subject: line for line in drift}
        order = {line.subject: i for i, line in enumerate(drift)}
        found = []
        for subject, feature in subjects(self.model):
            distribution = baseline.distribution(subject, feature)
            if distribution is None:
                continue
            counts = decode.bin_counts(totals, subject, feature, distribution)
            name, bins, reference = (
                _named(subject, feature),
                _bins(distribution),
                distribution.counts,
            )
            categorical = isinstance(distribution, CategoricalDistribution)
            if categorical and not counts[-1] and not reference[-1]:
                bins, counts, reference = bins[:-1], counts[:-1], reference[:-1]
            found.append(
                Histogram(name, bins, _shares(reference), _shares(counts), lines.get(name))
            )
        return sorted(found, key=lambda histogram: order.get(histogram.subject, len(order)))

    def totals_of(self, version: str) -> Totals:
        for group, totals in self.windows()[-1].groups.items():
            if group.version == version and not group.segment:
                return totals
        return Totals()

    def versions(self, family: ScoreFamily | None) -> list[VersionLine]:
        window, found = self.windows()[-1], []
        for group, totals in window.groups.items():
            if group.segment or group.version == ALL_VERSIONS:
                continue
            score = None
            if family is not None:
                names = (family.name, family.lower, family.upper)
                score = self.estimate(names, group.version, window.text, self.averaged(family))
            champion, difference = self.difference(group.version, window.text, family)
            found.append(
                VersionLine(
                    group.version,
                    totals.count("predictions"),
                    totals.count("labeled"),
                    score,
                    champion,
                    difference,
                )
            )
        return sorted(found, key=lambda line: (-line.predictions, line.version))

    def difference(
        self, version: str, window: str, family: ScoreFamily | None
    ) -> tuple[str, Estimate | None]:
        names = BY_NAME["model_version_difference"].labels
        for labels, value in self.snapshot.values.get("model_version_difference", {}).items():
            given = dict(zip(names, labels, strict=True))
            wanted = {"model_version": version, "window": window}
            if family is None or not {**wanted, "score": family.key}.items() <= given.items():
                continue
            ends = (
                self.snapshot.values.get(f"model_version_difference_{end}", {}).get(labels)
                for end in ("lower", "upper")
            )
            return given["champion"], Estimate(value, *ends)
        return "", None

    def features(self, version: str, baseline: Baseline | None) -> list[FeatureLine]:
        window = self.windows()[-1].text
        found = []
        for name in feature_names(self.model):
            missing, unseen, outside = (
                self.of_window(family, version, window, feature=name) for family in QUALITY
            )
            if missing is None:
                continue
            usual = None
            distribution = baseline.features.get(name) if baseline else None
            if distribution is not None:
                usual = distribution.missing / (distribution.missing + distribution.counts.sum())
            found.append(FeatureLine(name, missing, usual, unseen, outside))
        return found


def _bins(distribution: Distribution) -> Sequence[str]:
    """Return the names of the bins as people write them."""
    if isinstance(distribution, CategoricalDistribution):
        return [*distribution.categories, "others"]
    texts = [f"{edge:,.6g}" for edge in distribution.edges.tolist()]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(texts)]
    return [f"below {texts[0]}", *between, f"{texts[-1]} and more"]


def _named(subject: str, feature: str) -> str:
    if subject == "feature":
        return feature
    return f"{subject} of {feature}" if feature else str(subject)


def _shares(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[float]:
    total = int(counts.sum())
    shares: list[float] = (counts / total).tolist() if total else []
    return shares
