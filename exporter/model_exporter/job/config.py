"""The configuration of the job, `exporter.yml`, as frozen records.

Everything that can be wrong in the file is refused here, in one line that names file, line, key,
what was expected and the nearest valid name. Whether the sources hold the columns named is checked
by `check`, which opens them.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_exporter.baseline import Baseline
from model_exporter.distribution import category_text
from model_exporter.errors import ConfigError
from model_exporter.job.baseline_section import check_baselines, read_baselines
from model_exporter.job.comparison_section import ComparisonConfig, read_comparison, read_shadow
from model_exporter.job.counter_section import check_counted, counted_features
from model_exporter.job.judgement_section import (
    DriftConfig,
    Expectation,
    read_drift,
    read_expectations,
)
from model_exporter.job.objectives import Objectives, read_objectives
from model_exporter.job.retraining.section import RetrainingConfig, read_alerts, read_retraining
from model_exporter.job.scoring import Scoring, read_scoring
from model_exporter.job.source_section import (
    PROMETHEUS,
    PUSH,
    SourceConfig,
    read_labels,
    read_predictions,
    resolve,
)
from model_exporter.job.yaml_section import Duration, Section, read_section
from model_exporter.records import ALL_VERSIONS, LabelPolicy, Task
from model_exporter.web.config import read as read_web_config

DEFAULT_WINDOWS = ("1d", "7d", "30d")
AUTO = "auto"
AUTO_COVERAGE = 0.9
AUTO_MAX = Duration("30d", 30 * 86_400)
WINDOWS_BY = ("prediction_timestamp", "label_timestamp")


@dataclass(frozen=True, slots=True, eq=False)
class ModelConfig:
    """One monitored model.

    Where versions `shadow` each other, a prediction is one of an id by a version.
    `baselines` is keyed by model version; the key `ALL_VERSIONS` serves every version without
    one of its own. `maturity` is the shift of the windows; where `maturity_coverage` is set, the
    most that it may be. `cohorts` ascend.
    """

    name: str
    task: Task
    positive_label: str | None
    classes: tuple[str, ...]
    baselines: Mapping[str, Baseline]
    predictions: SourceConfig
    labels: SourceConfig | None
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    segments: tuple[str, ...]
    windows: tuple[Duration, ...]
    windows_by: str
    maturity: Duration
    maturity_coverage: float | None
    cohorts: tuple[Duration, ...]
    label_policy: LabelPolicy
    max_label_delay: Duration | None
    retention: Duration | None
    drift: DriftConfig
    quarantine: bool
    expectations: tuple[Expectation, ...]
    objectives: Objectives
    scoring: Scoring
    shadow: bool
    comparison: ComparisonConfig | None
    retraining: RetrainingConfig | None

    def baseline(self, version: str) -> Baseline | None:
        """Return the baseline of a version; for `ALL_VERSIONS`, the one that all share."""
        if version == ALL_VERSIONS and len({b.checksum for b in self.baselines.values()}) > 1:
            return None  # pooled versions with unlike bins cannot be compared with anything
        if version == ALL_VERSIONS:
            return next(iter(self.baselines.values()), None)
        return self.baselines.get(version) or self.baselines.get(ALL_VERSIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Config:
    """The whole file; `web_config` is that of the port.

    `alerts` is the file of the token that opens `POST /v1/alerts`.
    """

    path: Path
    listen: tuple[str, int]
    web_config: Path | None
    state: Path
    poll_interval: Duration
    models: tuple[ModelConfig, ...]
    alerts: Path | None


def load(path: str | os.PathLike[str], *, web_config: Path | None = None) -> Config:
    """Read and check a configuration file; relative paths are relative to it.

    `web_config` goes before the file's own.

    Raises
    ------
    ConfigError
        At the first thing that is wrong.
    """
    root = read_section(Path(path))
    models = tuple(_model(s) for s in root.sections("models", example="models: [{name: churn}]"))
    web_config, guarded = _web_config(root, web_config)
    config = Config(
        path=Path(path),
        listen=_listen(root),
        web_config=web_config,
        state=resolve(root, root.text("state", default="./state")),
        poll_interval=root.duration("poll_interval", default="30s"),
        models=models,
        alerts=read_alerts(root, [m.retraining for m in models if m.retraining is not None]),
    )
    root.finish()
    check_tokens(config, config.listen[0], guarded=guarded)
    names = [model.name for model in config.models]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated:
        root.refuse(f"two models are named {repeated!r}; a name must be unique", key="models")
    return config


def check_tokens(config: Config, host: str, *, guarded: bool) -> None:
    """Refuse records pushed without a token where others than this machine can push.

    Raises
    ------
    ConfigError
        If `host`, the address listened on, is not this machine's own, and the port is not `guarded`
        by passwords or certificates.
    """
    if guarded or _is_loopback(host):
        return
    for model in config.models:
        for source in (model.predictions, model.labels):
            if source is not None and source.type == PUSH and source.token_file is None:
                raise ConfigError(
                    f"{source.place}: `push` without `token_file` while listening on {host}: "
                    "anyone who reaches it could push; give a `token_file`, or users in "
                    "`web_config`, or listen on 127.0.0.1"
                )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(root: Section) -> tuple[str, int]:
    text = root.text("listen", default="127.0.0.1:9920", expected="host:port")
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        root.refuse(f"expected host:port such as 127.0.0.1:9920, found {text!r}", key="listen")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  # ":9920" means every interface


def _web_config(root: Section, instead: Path | None) -> tuple[Path | None, bool]:
    """Return the web configuration file, checked, and whether it keeps strangers out."""
    text = root.text("web_config", default="", expected="the path of a web configuration file")
    path = instead or (resolve(root, text) if text else None)
    return path, path is not None and read_web_config(path).keeps_strangers_out


def _model(section: Section) -> ModelConfig:
    name = section.text("name")
    task = Task(section.choice("task", [t.value for t in Task]))
    section.key = f"models[{name}]"
    predictions = section.required_section(
        "predictions", example="predictions: {type: parquet, path: predictions/*.parquet}"
    )
    labels = section.section("labels")
    features = section.section("features")
    maturity, maturity_coverage = _maturity(section)
    baselines = read_baselines(section, task)
    source = read_predictions(predictions, task)
    counted = source.type == PROMETHEUS
    numeric, categorical = counted_features(baselines) if counted else ((), ())
    model = ModelConfig(
        name=name,
        task=task,
        positive_label=_positive_label(section, task),
        classes=_classes(section, task),
        baselines=baselines,
        predictions=source,
        labels=read_labels(labels) if labels else None,
        numeric=features.texts("numeric") if features else numeric,
        categorical=features.texts("categorical") if features else categorical,
        segments=section.texts("segments"),
        windows=section.durations("windows", default=DEFAULT_WINDOWS),
        windows_by=section.choice("windows_by", WINDOWS_BY, default=WINDOWS_BY[0]),
        maturity=maturity,
        maturity_coverage=maturity_coverage,
        cohorts=tuple(sorted(section.durations("cohorts", default=()), key=lambda d: d.seconds)),
        label_policy=LabelPolicy(
            section.choice("label_policy", [p.value for p in LabelPolicy], default="latest")
        ),
        max_label_delay=section.optional_duration("max_label_delay"),
        retention=section.optional_duration("retention"),
        drift=read_drift(section),
        quarantine=section.flag("quarantine", default=True),
        expectations=read_expectations(section),
        objectives=read_objectives(section),
        scoring=read_scoring(section, task, lists="group" in source.columns),
        shadow=read_shadow(section),
        comparison=read_comparison(section),
        retraining=read_retraining(section, labels=labels is not None),
    )
    if features:
        features.finish()
        both = set(model.numeric) & set(model.categorical)
        if both:
            features.refuse(f"{sorted(both)[0]!r} is both numeric and categorical; choose one")
    section.finish()
    if counted:
        check_counted(section, baselines)
    check_baselines(section, model.baselines, numeric=model.numeric, categorical=model.categorical)
    _check_ages(section, model)
    _check_retention(section, model)
    return model


def _maturity(section: Section) -> tuple[Duration, float | None]:
    """Return the shift of the windows; or the most that it may be, and the coverage wanted."""
    if section.is_mapping("maturity"):
        auto = section.required_section("maturity", example="maturity: {coverage: 0.9, max: 30d}")
        coverage = auto.number("coverage", default=AUTO_COVERAGE)
        if not 0 < coverage < 1:
            auto.refuse(f"expected a share between 0 and 1, found {coverage:g}", key="coverage")
        longest = auto.duration("max", default=AUTO_MAX.text)
        auto.finish()
        return longest, coverage
    if section.text("maturity", default="0s", expected="a duration or auto") == AUTO:
        return AUTO_MAX, AUTO_COVERAGE
    return section.duration("maturity", default="0s", positive=False), None


def _check_ages(section: Section, model: ModelConfig) -> None:
    """Refuse what goes by the age of a prediction where windows go by the time of its label."""
    asked = {"maturity": model.maturity_coverage is not None, "cohorts": bool(model.cohorts)}
    for key in asked if model.windows_by == "label_timestamp" else ():
        if asked[key]:
            section.refuse(
                "this goes by the age of predictions, and `windows_by: label_timestamp` places "
                "them by their labels; remove one of the two",
                key=key,
            )


def _check_retention(section: Section, model: ModelConfig) -> None:
    reach = max(w.seconds for w in model.windows) + model.maturity.seconds
    reach = max([reach, *(cohort.seconds for cohort in model.cohorts)])
    if model.retention is not None and model.retention.seconds < reach:
        section.refuse(
            f"{model.retention.text} is less than the longest window and the maturity together, "
            "or than the oldest cohort; keep rows for as long as they count",
            key="retention",
        )


def _positive_label(section: Section, task: Task) -> str | None:
    value = section.value("positive_label", default=1 if task is Task.BINARY else None)
    if task is not Task.BINARY and "positive_label" in section:
        section.refuse(f"a {task} model has no positive label; remove it", key="positive_label")
    return category_text(value)


def _classes(section: Section, task: Task) -> tuple[str, ...]:
    classes = tuple(c for c in map(category_text, section.texts("classes")) if c)
    if classes and task is Task.REGRESSION:
        section.refuse("a regression model has no classes; remove the key", key="classes")
    return classes
