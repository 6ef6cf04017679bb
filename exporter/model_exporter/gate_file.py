"""The configuration of a gate, `gate.yml`: what is judged, and by which criteria."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_exporter.catalogue import SCORES, Better
from model_exporter.errors import ConfigError
from model_exporter.gate.criteria import (
    Business,
    Calibration,
    Criteria,
    Data,
    Drift,
    Latency,
    Rule,
)
from model_exporter.gate.sides import Columns
from model_exporter.job.scoring import read_values
from model_exporter.job.source_section import resolve
from model_exporter.job.yaml_section import Section, read_section
from model_exporter.records import Task
from model_exporter.tracking.source import is_mlflow

QUANTILES = ("mean", "p50", "p90", "p95", "p99", "p99.9")


@dataclass(frozen=True, slots=True)
class TablePlan:
    """The evaluation set in files; `path` is None where the command line names it."""

    task: Task
    path: Path | None
    label: str
    ids: str
    candidate: Columns
    champion: Columns | None
    champion_path: Path | None
    baseline: str | Path | None
    positive_label: object
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LivePlan:
    """A version that serves: the job's configuration, or addresses that serve its metrics."""

    config: Path | None
    metrics: tuple[str, ...]
    task: Task | None
    model: str
    window: str
    candidate: str
    champion: str


@dataclass(frozen=True, slots=True)
class GateFile:
    """The whole file."""

    plan: TablePlan | LivePlan
    criteria: Criteria


def load(path: Path) -> GateFile:
    """Read and check a configuration file; relative paths are relative to it.

    Raises
    ------
    ConfigError
        At the first thing that is wrong.
    """
    root = read_section(path)
    live = root.section("live")
    by, segments = _segments(root)
    plan: TablePlan | LivePlan
    if live is not None:
        if by:
            root.refuse("live windows have the segments of the job; remove `by`", key="segments")
        plan = _live(root, live)
        task = plan.task
    else:
        plan = _table(root, by)
        task = plan.task
    criteria = Criteria(
        scores=_margins(root.section("scores")),
        segments=segments,
        calibration=_calibration(root),
        drift=_drift(root),
        latency=_latency(root),
        data=_data(root),
        values=read_values(root, task or Task.BINARY) if "value" in root else {},
        business=_business(root),
        rule=_rule(root),
    )
    root.finish()
    if task is not None:
        try:
            criteria.check(task)
        except ConfigError as error:
            root.refuse(str(error))
    return GateFile(plan, criteria)


def _baseline(root: Section) -> str | Path | None:
    given = root.text("baseline", default="")
    if not given or is_mlflow(given):
        return given or None
    return resolve(root, given)


def _table(root: Section, segments: tuple[str, ...]) -> TablePlan:
    task = Task(root.choice("task", [task.value for task in Task]))
    candidate = root.required_section("candidate", example="candidate: {prediction: prediction}")
    champion = root.section("champion")
    other = champion.text("table", default="") if champion else ""
    path = root.text("table", default="")
    return TablePlan(
        task=task,
        path=resolve(root, path) if path else None,
        label=root.text("label", default="label"),
        ids=root.text("id", default=""),
        candidate=_columns(candidate, task),
        champion=_columns(champion, task) if champion else None,
        champion_path=resolve(root, other) if other else None,
        baseline=_baseline(root),
        positive_label=root.value("positive_label", default=1),
        segments=segments,
    )


def _columns(section: Section, task: Task) -> Columns:
    scores = dict(section.mapping("scores"))
    score = section.text("score", default="")
    if score and task is not Task.BINARY:
        section.refuse("only a binary model has one score; give `scores` by class", key="score")
    if scores and task is not Task.MULTICLASS:
        section.refuse(f"a {task} model has no `scores` by class", key="scores")
    found = Columns(
        prediction=section.text("prediction", default="prediction"),
        scores={"": score} if score else scores,
        latency=section.text("latency", default=""),
        amounts=section.mapping("amounts"),
    )
    section.finish()
    return found


def _live(root: Section, live: Section) -> LivePlan:
    config, task = live.text("config", default=""), root.text("task", default="")
    if task:
        task = root.choice("task", [known.value for known in Task])
    found = LivePlan(
        config=resolve(live, config) if config else None,
        metrics=live.texts("metrics"),
        task=Task(task) if task else None,
        model=live.text("model"),
        window=live.text("window", expected="a window of the job, as 7d"),
        candidate=live.text("candidate", expected="a model version"),
        champion=live.text("champion", default="", expected="a model version"),
    )
    live.finish()
    if found.config is None and (not found.metrics or not task):
        live.refuse("give `config`, or `metrics` with the addresses, and `task` beside `live`")
    return found


def _segments(root: Section) -> tuple[tuple[str, ...], Mapping[str, float]]:
    section = root.section("segments")
    if section is None:
        return (), {}
    by = section.texts("by")
    margins = _margins(section.section("scores"))
    section.finish()
    if not margins:
        section.refuse("give the margins, as scores: {accuracy: 0.05}")
    return by, margins


def _margins(section: Section | None) -> Mapping[str, float]:
    if section is None:
        return {}
    section.only(score.key for score in SCORES)
    return {name: section.number(name) for name in section}


def _optional(section: Section, key: str) -> float | None:
    return section.number(key) if key in section else None


def _calibration(root: Section) -> Calibration | None:
    section = root.section("calibration")
    if section is None:
        return None
    found = Calibration(_optional(section, "margin"), _optional(section, "max"))
    section.only(("margin", "max"))
    return found


def _drift(root: Section) -> Drift | None:
    section = root.section("drift")
    if section is None:
        return None
    usual = Drift()
    found = Drift(
        section.number("tolerance", default=usual.tolerance),
        section.number("significance", default=usual.significance),
    )
    section.finish()
    if found.tolerance < 0 or not 0 < found.significance < 1:
        section.refuse("expected a tolerance of 0 or more, a significance between 0 and 1")
    return found


def _latency(root: Section) -> Latency | None:
    section = root.section("latency")
    if section is None:
        return None
    found = Latency(
        section.choice("statistic", QUANTILES, default="p99"),
        _optional(section, "margin"),
        _optional(section, "max"),
    )
    section.only(("statistic", "margin", "max"))
    return found


def _data(root: Section) -> Data | None:
    section = root.section("data")
    if section is None:
        return None
    usual = Data()
    shares = {
        name: section.number(name, default=getattr(usual, name))
        for name in ("missing", "unseen", "out_of_range", "duplicates", "unlabeled")
    }
    for name, share in shares.items():
        if not 0 <= share <= 1:
            section.refuse(f"expected a share from 0 to 1, found {share:g}", key=name)
    rows = int(section.number("class_rows", default=0)) if "class_rows" in section else None
    section.only((*shares, "class_rows"))
    return Data(**shares, class_rows=rows)


def _business(root: Section) -> Mapping[str, Business]:
    section = root.section("business")
    if section is None:
        return {}
    found = {}
    for name in section:
        amount = section.required_section(name, example="{margin: 0.5}")
        better = amount.choice("better", ("higher", "lower"), default="higher")
        found[name] = Business(amount.number("margin"), Better(better))
        amount.finish()
    return found


def _rule(root: Section) -> Rule:
    section = root.section("rule")
    if section is None:
        return Rule()
    usual = Rule()
    rows = section.number("minimum_rows", default=usual.minimum_rows)
    if rows < 10:  # no interval holds below
        section.refuse(f"expected 10 or more, found {rows:g}", key="minimum_rows")
    undecided = section.choice("undecided", ("fail", "cannot_tell"), default="fail")
    found = Rule(section.number("power", default=usual.power), int(rows), undecided == "fail")
    section.finish()
    return found
