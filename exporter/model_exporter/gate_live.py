"""The live windows that a gate judges: evaluated from the job's configuration, or scraped."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from model_exporter.catalogue import BY_NAME
from model_exporter.errors import ConfigError, SourceError
from model_exporter.gate.criteria import Criteria
from model_exporter.gate.live import Live, judge_live
from model_exporter.gate.outcome import Report
from model_exporter.gate.series import Labels, Series
from model_exporter.gate_file import LivePlan
from model_exporter.job.check import check_sources
from model_exporter.job.comparison_section import ComparisonConfig
from model_exporter.job.config import Config, ModelConfig, load
from model_exporter.job.progress import Line
from model_exporter.job.runner import Runner
from model_exporter.job.snapshot import Snapshot

TIMEOUT_SECONDS = 10


def judge_versions(
    plan: LivePlan, criteria: Criteria, *, now: int | None, state: Path | None
) -> Report:
    """Judge a version by its live window as of `now` (microseconds; None is the present).

    Raises
    ------
    ConfigError
        If there is no such model, window or version, or what is asked needs a champion.
    SourceError
        If a source or an address cannot be read: of a part nothing is said.
    """
    samples: dict[tuple[str, Labels], float] = {}
    model = None
    if plan.config is not None:
        model, served = _evaluated(plan, now=now, state=state)
        samples.update(_samples(served))
    for url in plan.metrics:
        for sample, value in _scraped(url).items():
            # Replicas serve the same series, each of its own calls; gauges of one job come once.
            add = sample[0].endswith(("_bucket", "_sum", "_count", "_total"))
            samples[sample] = samples.get(sample, 0.0) + value if add else value
    task = model.task if model else plan.task
    assert task is not None
    live = Live(
        model=plan.model,
        task=task,
        window=plan.window,
        candidate=plan.candidate,
        champion=plan.champion,
        baseline=model.baseline(plan.candidate) if model else None,
    )
    return judge_live(Series(samples), live, criteria)


def _evaluated(
    plan: LivePlan, *, now: int | None, state: Path | None
) -> tuple[ModelConfig, Snapshot]:
    """Evaluate the model as of an instant, in a state of its own."""
    assert plan.config is not None
    config = load(plan.config)
    model = _model(config, plan)
    if plan.champion:
        compared = ComparisonConfig(champion=plan.champion, challengers=(plan.candidate,))
        model = replace(model, comparison=compared)
    check_sources(replace(config, models=(model,)))
    with contextlib.ExitStack() as stack:
        directory = state or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="model-exporter-"))
        )
        runner = stack.enter_context(Runner(model, directory, line=Line(sys.stderr)))
        snapshot = runner.turn(time.time_ns() // 1_000 if now is None else now, final=True)
        if runner.failures:
            raise SourceError("; ".join(runner.failures))
        return model, snapshot


def _model(config: Config, plan: LivePlan) -> ModelConfig:
    names = [model.name for model in config.models]
    if plan.model not in names:
        raise ConfigError(f"{config.path} has no model {plan.model!r}; it has: {', '.join(names)}")
    model = config.models[names.index(plan.model)]
    windows = [window.text for window in model.windows]
    if plan.window not in windows:
        raise ConfigError(
            f"{config.path}: {plan.model} has no window {plan.window!r}; it has: "
            f"{', '.join(windows)}"
        )
    return model


def _samples(snapshot: Snapshot) -> Mapping[tuple[str, Labels], float]:
    return {
        (name, frozenset(zip(BY_NAME[name].labels, labels, strict=True))): value
        for name, values in snapshot.values.items()
        for labels, value in values.items()
    }


def _scraped(url: str) -> Mapping[tuple[str, Labels], float]:
    try:
        response = requests.get(url, timeout=TIMEOUT_SECONDS)
        response.raise_for_status()
        families = list(text_string_to_metric_families(response.text))
    except (requests.RequestException, ValueError) as error:
        raise SourceError(f"{url}: no metrics: {error}; is it the address of /metrics?") from error
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }
