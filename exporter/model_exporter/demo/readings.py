"""What the table shows, read from the two /metrics endpoints and from nowhere else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from model_exporter.catalogue import SCORE_BY_KEY, Better
from model_exporter.demo.datasets import VERSION, Dataset

Labels = dict[str, str]


class Exposition:
    """Samples of a /metrics page; of an empty text, none."""

    def __init__(self, text: str = "", *, at: float = 0.0) -> None:
        self.at = at
        self._samples: dict[str, list[tuple[Labels, float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples.setdefault(sample.name, []).append((sample.labels, sample.value))

    def series(self, name: str, **labels: str) -> list[tuple[Labels, float]]:
        """Return labels and value of every sample that has these labels."""
        wanted = labels.items()
        return [(found, v) for found, v in self._samples.get(name, ()) if wanted <= found.items()]

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of the one sample that has these labels."""
        return next((value for _, value in self.series(name, **labels)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A quality score with its interval, and what it was on the baseline."""

    key: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    baseline: float | None = None

    @property
    def worse(self) -> bool:
        """Whether the whole interval is on the bad side of the baseline."""
        if self.baseline is None or self.lower is None or self.upper is None:
            return False
        if SCORE_BY_KEY[self.key].better is Better.HIGHER:
            return self.upper < self.baseline
        return self.lower > self.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One row of the table; None where nothing is known yet.

    `rows` and `labeled_share` are of the whole story, `score` and drift of the judged window.
    """

    model: str
    per_second: float | None
    p99_seconds: float | None
    rows: int
    labeled_share: float | None
    score: Score
    drifted: str | None
    psi: float | None


def read(
    dataset: Dataset,
    server: Exposition,
    before: Exposition,
    job: Exposition,
    *,
    windows: Sequence[str],
) -> Reading:
    """Read a model's row; rate and latency are those since the exposition `before`.

    `windows` are the judged one and the longest.
    """
    judged, longest = windows
    whole = {"model_name": dataset.model, "model_version": VERSION, "segment": ""}
    rows = job.value("model_window_predictions", window=longest, **whole)
    drifted, psi = _most_drifted(dataset, job, judged)
    return Reading(
        model=dataset.model,
        per_second=_per_second(dataset, server, before),
        p99_seconds=_latency(dataset, server, before),
        rows=int(rows or 0),
        labeled_share=job.value("model_label_coverage_ratio", window=longest, **whole),
        score=_score(dataset, job, {"window": judged, **whole}),
        drifted=drifted,
        psi=psi,
    )


def _per_second(dataset: Dataset, server: Exposition, before: Exposition) -> float | None:
    now = server.value("model_predictions_total", model_name=dataset.model)
    then = before.value("model_predictions_total", model_name=dataset.model)
    if now is None or then is None or server.at <= before.at:
        return None
    return (now - then) / (server.at - before.at)


def _latency(dataset: Dataset, server: Exposition, before: Exposition) -> float | None:
    name = "model_prediction_latency_seconds_bucket"
    then = {labels["le"]: v for labels, v in before.series(name, model_name=dataset.model)}
    buckets = [
        (float(labels["le"]), value - then.get(labels["le"], 0.0))
        for labels, value in server.series(name, model_name=dataset.model)
    ]
    return quantile(0.99, sorted(buckets))


def quantile(level: float, buckets: Sequence[tuple[float, float]]) -> float | None:
    """Return a quantile of a cumulative histogram as PromQL does; None if it is empty.

    Examples
    --------
    >>> quantile(0.5, [(0.1, 0), (0.2, 10), (math.inf, 10)])
    0.15000000000000002
    """
    if not buckets or not buckets[-1][1]:
        return None
    rank = level * buckets[-1][1]
    edge, below = 0.0, 0.0
    for upper, count in buckets:
        if count >= rank and count > below:
            if math.isinf(upper):
                return edge
            return edge + (upper - edge) * (rank - below) / (count - below)
        edge, below = upper, count
    return edge


def _score(dataset: Dataset, job: Exposition, labels: Labels) -> Score:
    family = SCORE_BY_KEY[dataset.judged]
    model = {"model_name": dataset.model, "model_version": VERSION}
    return Score(
        key=dataset.judged,
        value=job.value(family.name, **labels),
        lower=job.value(family.lower, **labels),
        upper=job.value(family.upper, **labels),
        baseline=job.value(family.baseline, **model),
    )


def _most_drifted(
    dataset: Dataset, job: Exposition, window: str
) -> tuple[str | None, float | None]:
    found = job.series(
        "model_drift_psi",
        model_name=dataset.model,
        model_version=VERSION,
        window=window,
        subject="feature",
    )
    labels, value = max(found, key=lambda sample: sample[1], default=({}, None))
    return labels.get("feature"), value
