"""Which kind of runner a model takes."""

from pathlib import Path

from model_exporter.job.config import ModelConfig
from model_exporter.job.counter_runner import CounterRunner
from model_exporter.job.progress import Line
from model_exporter.job.runner import Runner
from model_exporter.job.source_section import PROMETHEUS

AnyRunner = Runner | CounterRunner


def runner_of(
    model: ModelConfig,
    state: Path,
    *,
    patience: float | None = None,
    line: Line | None = None,
    stores: int = 1,
) -> AnyRunner:
    """Return a runner of a model's records, or of its counters; see `Runner`."""
    if model.predictions.type == PROMETHEUS:
        return CounterRunner(model)
    return Runner(model, state, patience=patience, line=line, stores=stores)
