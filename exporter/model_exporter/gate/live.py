"""What the series of the job, and of the model servers, say of a version that serves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from model_exporter.baseline import Baseline
from model_exporter.catalogue import MEASURE_BY_NAME, SCORE_BY_KEY, ScoreFamily
from model_exporter.comparison import Difference
from model_exporter.errors import ConfigError
from model_exporter.gate.business import VALUE
from model_exporter.gate.calibration import CRITERION as CALIBRATION
from model_exporter.gate.criteria import Criteria, Data
from model_exporter.gate.evidence import Check, Compared, Evidence, Measured, Shift
from model_exporter.gate.latency import with_latency
from model_exporter.gate.measure import AVERAGES, against
from model_exporter.gate.outcome import Report
from model_exporter.gate.run import BASELINE, CHAMPION, NOTHING, judge
from model_exporter.gate.series import Series
from model_exporter.records import Estimate, Task

LATENCY = "model_prediction_latency_seconds"
WHOLE = {"segment": "", "segment_value": ""}


@dataclass(frozen=True, slots=True)
class Live:
    """Which series are meant; without a `champion` the baseline is the reference."""

    model: str
    task: Task
    window: str
    candidate: str
    champion: str
    baseline: Baseline | None = None


def judge_live(series: Series, live: Live, criteria: Criteria) -> Report:
    """Judge a version by its live window.

    Raises
    ------
    ConfigError
        If the candidate has no predictions in the window, or what is asked needs a champion.
    """
    criteria.check(live.task)
    if not live.champion and (criteria.segments or criteria.business):
        raise ConfigError("live: segments and business amounts need a champion; name a version")
    _check_served(series, live)
    return judge(evidence_of(series, live, criteria), criteria, live.task)


def evidence_of(series: Series, live: Live, criteria: Criteria) -> Evidence:
    """Return what the series say about everything that is asked."""
    found = _Reader(series, live)
    differences, paired = found.differences(criteria.scores)
    reference = CHAMPION if live.champion else BASELINE if live.baseline else NOTHING
    evidence = Evidence(
        rows=found.rows(live.candidate, WHOLE),
        reference=reference,
        paired=paired,
        quality=differences,
        segments=found.segments(criteria.segments) if criteria.segments else {},
        drift=found.shifts() if criteria.drift else (),
        checks=found.checks(criteria.data) if criteria.data else (),
        labels=found.labels(),
        business=found.amounts(criteria.business),
        calibration=found.scores("calibration_error", WHOLE) if criteria.calibration else None,
        measured=found.calibrated() if criteria.calibration else {},
    )
    if criteria.latency is None:
        return evidence
    return found.with_latency(evidence, criteria.latency.quantile)


def _check_served(series: Series, live: Live) -> None:
    names = {"model_name": live.model, "window": live.window, **WHOLE}
    served = [
        found["model_version"]
        for found, rows in series.having("model_window_predictions", names)
        if rows
    ]
    for version in filter(None, (live.candidate, live.champion)):
        if version not in served:
            raise ConfigError(
                f"live: version {version!r} of {live.model} has no predictions in the window "
                f"{live.window}; there are: {', '.join(served) or 'none'}"
            )


@dataclass(frozen=True, slots=True)
class _Reader:
    series: Series
    live: Live

    def of(self, version: str) -> dict[str, str]:
        return {
            "model_name": self.live.model,
            "model_version": version,
            "window": self.live.window,
        }

    def rows(self, version: str, place: Mapping[str, str]) -> int:
        labels = {**self.of(version), **place}
        return int(self.series.get("model_window_labeled_predictions", labels) or 0)

    def estimate(
        self, family: ScoreFamily, version: str, place: Mapping[str, str]
    ) -> Estimate | None:
        labels = {**self.of(version), **place}
        if family.extra:
            labels["average"] = AVERAGES.get(self.live.task, "")
        return self.series.estimate((family.name, family.lower, family.upper), labels)

    def differences(self, keys: Mapping[str, float]) -> tuple[dict[str, Compared], bool]:
        """Return the differences that the job computed; those to a baseline as two samples."""
        if not self.live.champion:
            given = {key: self.scores(key, WHOLE) for key in keys}
            return {key: found for key, found in given.items() if found is not None}, False
        versions = {**self.of(self.live.candidate), "champion": self.live.champion}
        result, paired = {}, False
        for key in keys:
            for labels, value in self.series.having(
                "model_version_difference", {**versions, "score": key}
            ):
                paired = labels["pairing"] == "paired"
                result[key] = self._difference(key, value, labels, paired=paired)
        return result, paired

    def _difference(
        self, key: str, value: float, labels: Mapping[str, str], *, paired: bool
    ) -> Compared:
        lower, upper, p_value = (
            self.series.get(f"model_version_difference_{end}", labels)
            for end in ("lower", "upper", "p_value")
        )
        place = {name: text for name, text in labels.items() if name != "score"}
        rows = int(self.series.get("model_version_difference_rows", place) or 0)
        family = SCORE_BY_KEY[key]
        # Of pairs the values would be over other rows than the difference.
        own, other = (
            None if paired else self.estimate(family, version, WHOLE)
            for version in (self.live.candidate, self.live.champion)
        )
        return Compared(
            Difference(value, lower, upper, p_value),
            rows,
            candidate=None if own is None else own.value,
            reference=None if other is None else other.value,
            paired=paired,
        )

    def scores(self, key: str, place: Mapping[str, str]) -> Compared | None:
        """Return the difference of two scores with their intervals, as of two samples."""
        family, live = SCORE_BY_KEY[key], self.live
        own = self.estimate(family, live.candidate, place)
        rows, fixed = self.rows(live.candidate, place), ""
        if live.champion:
            other = self.estimate(family, live.champion, place)
            rows = min(rows, self.rows(live.champion, place))
        else:
            quality = live.baseline.quality.get(family.name, {}) if live.baseline else {}
            other = quality.get(()) or quality.get((AVERAGES.get(live.task, ""),))
            fixed = key
        return against(own, other, rows, fixed=fixed) if own and other else None

    def calibrated(self) -> dict[str, Measured]:
        own = self.estimate(SCORE_BY_KEY["calibration_error"], self.live.candidate, WHOLE)
        rows = self.rows(self.live.candidate, WHOLE)
        return {} if own is None else {CALIBRATION: Measured(own, rows)}

    def segments(self, keys: Mapping[str, float]) -> dict[tuple[str, str], dict[str, Compared]]:
        result = {}
        own = self.of(self.live.candidate)
        for labels, _ in self.series.having("model_window_labeled_predictions", own):
            if not labels["segment"]:
                continue
            place = {name: labels[name] for name in WHOLE}
            found = {key: self.scores(key, place) for key in keys}
            result[labels["segment"], labels["segment_value"]] = {
                key: compared for key, compared in found.items() if compared is not None
            }
        return result

    def shifts(self) -> list[Shift]:
        """Return the drift of predictions and probabilities against the candidate's baseline."""
        own, result = self.of(self.live.candidate), []
        for labels, rows in self.series.having("model_drift_rows", own):
            if labels["subject"] not in ("prediction", "score"):
                continue
            detected = self.series.get("model_drift_detected", labels)
            minimum = self.series.get("model_drift_minimum_rows", labels) or 0
            name = labels["subject"] + (f" of {labels['feature']}" if labels["feature"] else "")
            result.append(
                Shift(
                    name,
                    None if detected is None else bool(detected),
                    self.series.get("model_drift_psi", labels),
                    self.series.get("model_drift_psi_critical", labels),
                    int(rows),
                    int(minimum),
                )
            )
        return result

    def checks(self, asked: Data) -> Sequence[Check]:
        """Return the data quality of the window; missing values are held against the champion's."""
        own = self.of(self.live.candidate)
        rows = int(self.series.get("model_window_predictions", {**own, **WHOLE}) or 0)
        unlabelled = rows - self.rows(self.live.candidate, WHOLE)
        return [
            Check("unlabelled rows", unlabelled, rows, asked.unlabeled),
            *self._shares("model_missing_ratio", "missing", rows, asked.missing),
            *self._shares("model_unseen_ratio", "unseen", rows, asked.unseen),
            *self._shares("model_out_of_range_ratio", "out of range", rows, asked.out_of_range),
        ]

    def _shares(self, name: str, what: str, rows: int, allowed: float) -> Iterator[Check]:
        for labels, share in self.series.having(name, self.of(self.live.candidate)):
            usual = None
            if what == "missing" and self.live.champion:
                usual = self.series.get(name, {**labels, "model_version": self.live.champion})
            count = round(share * rows)
            yield Check(f"{labels['feature']}: {what}", count, rows, allowed, usual or 0.0)

    def labels(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        place = {**self.of(self.live.candidate), **WHOLE}
        for labels, rows in self.series.having("model_window_confusion", place):
            name = labels["actual_class"]
            counts[name] = counts.get(name, 0) + int(rows)
        return counts

    def amounts(self, asked: Mapping[str, object]) -> dict[str, Compared]:
        result = {}
        for name in asked:
            value = name == VALUE
            family = MEASURE_BY_NAME["model_value_mean" if value else "model_business_mean"]
            names = (family.name, family.lower, family.upper)
            more = WHOLE if value else {**WHOLE, "measure": name}
            own, other = (
                self.series.estimate(names, {**self.of(version), **more})
                for version in (self.live.candidate, self.live.champion)
            )
            rows = min(
                self.rows(version, WHOLE) for version in (self.live.candidate, self.live.champion)
            )
            if own and other:
                result[name] = against(own, other, rows)
        return result

    def with_latency(self, evidence: Evidence, quantile: float | None) -> Evidence:
        """Add the latencies that the model servers counted since they started."""
        sides = [
            self.series.histogram(
                LATENCY, {"model_name": self.live.model, "model_version": version}
            )
            for version in (self.live.candidate, self.live.champion)
        ]
        own, other = (
            side.mean() if quantile is None else side.quantile(quantile) for side in sides
        )
        rows = min(side.rows for side in sides)
        compared = against(own, other, rows) if own and other else None
        return with_latency(evidence, own, sides[0].rows, compared)
