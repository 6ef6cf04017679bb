"""The versions of a model beyond those that have series of their own."""

from model_exporter.records import OTHER
from model_exporter.sidecar.families import SAMPLES, Reading, Sample
from model_exporter.sidecar.faults import Stage
from model_exporter.sidecar.pipeline import Pipeline

MAX_VERSIONS = 10
"""Versions of a model with series of their own, in one registry."""
POOLED = (
    "model_prediction_requests_total",
    "model_predictions_total",
    "model_exporter_dropped_total",
    "model_exporter_internal_errors_total",
)
"""What the versions beyond share: counters that mean the same whatever task and baseline."""

Key = tuple[str, str]
Totals = dict[tuple[str, str, str, tuple[tuple[str, str], ...]], float]
"""Values by family, name of the model, suffix and labels."""


class OtherVersions:
    """Pipelines that are served together, as the version ``__other__`` of their model.

    A version stays here until it ends, so that no counter falls for one that left.
    """

    def __init__(self) -> None:
        self._pipelines: dict[Key, Pipeline] = {}
        self._totals: dict[Key, Totals] = {}
        self._ended: Totals = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._pipelines

    def find(self, key: Key) -> Pipeline | None:
        """Return the pipeline of a model version, if it is one of these."""
        return self._pipelines.get(key)

    def add(self, key: Key, pipeline: Pipeline) -> None:
        """Take a pipeline in; of those that are closed, or replaced by it, keep the totals."""
        if not self._pipelines:
            _warn(key[0])
        for known, old in list(self._pipelines.items()):
            if old.closed or known == key:
                _add(self._ended, self._read(known))
                del self._pipelines[known], self._totals[known]
        self._pipelines[key] = pipeline

    def samples(self) -> dict[str, list[Sample]]:
        """Return the samples of the pooled families, by family."""
        totals = dict(self._ended)
        for key in list(self._pipelines):
            _add(totals, self._read(key))
        found: dict[str, list[Sample]] = {family: [] for family in POOLED}
        for (family, name, suffix, labels), value in totals.items():
            every = {"model_name": name, "model_version": OTHER, **dict(labels)}
            found[family].append((suffix, every, value))
        return found

    def _read(self, key: Key) -> Totals:
        pipeline = self._pipelines[key]
        try:
            reading = Reading(pipeline)
            self._totals[key] = {}
            for family in POOLED:
                for suffix, labels, value in SAMPLES[family](reading):
                    self._totals[key][family, key[0], suffix, tuple(labels.items())] = value
        except Exception as error:  # without what was read last, counters would fall
            pipeline.faults.error(Stage.COLLECT, error)
        return self._totals.setdefault(key, {})


def _add(totals: Totals, more: Totals) -> None:
    for key, value in more.items():
        totals[key] = totals.get(key, 0.0) + value


def _warn(name: str) -> None:
    import logging  # not free, and most processes never need it

    logging.getLogger("model_exporter").warning(
        "model %r has more than %d live versions in one registry; further ones share the "
        "model_version %r; close the monitors of those that are gone",
        name,
        MAX_VERSIONS,
        OTHER,
    )
