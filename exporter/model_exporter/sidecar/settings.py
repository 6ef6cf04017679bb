"""The arguments of a monitor, checked once, at construction."""

import itertools
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from model_exporter.baseline import Baseline
from model_exporter.distribution import NumericDistribution, category_text
from model_exporter.errors import ConfigError
from model_exporter.records import Task
from model_exporter.sidecar.clock import Clock
from model_exporter.sidecar.constraints import Constraint
from model_exporter.sidecar.labels import class_namer
from model_exporter.sidecar.log_target import Target, is_url, read_target

LATENCY_BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""From a small tree model to a language model's patience."""
SCORE_BUCKETS = tuple(round(0.05 * i, 2) for i in range(1, 21))
BATCH_BUCKETS = tuple(float(2**i) for i in (*range(13), 14, 16, 18, 20))
VALUE_BUCKETS = (
    *(-1e6, -1e5, -1e4, -1e3, -100.0, -10.0, -1.0, 0.0),
    *(1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6),
)
"""Without a baseline nothing is known of a regression's values but that they have a size."""
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
LOG_FORMATS = ("jsonl", "parquet")


class LogSettings(NamedTuple):
    """Where and how predictions are logged.

    Attributes
    ----------
    directory
        Of the log, or of the spool of a log that goes to `target`; None if that has none.
    """

    directory: Path | None
    target: Target | None
    format: str
    features: tuple[str, ...]
    segments: tuple[str, ...]
    max_bytes: int
    max_seconds: float
    queue_rows: int
    budget_bytes: int


class Settings(NamedTuple):
    """The checked arguments of a monitor.

    Attributes
    ----------
    columns
        The features captured from a row: the baseline's, in its order, then those that only the
        log, a constraint or `event_time` needs.
    """

    name: str
    version: str
    task: Task
    baseline: Baseline | None
    classes: tuple[str, ...]
    positive_label: str
    latency_buckets: tuple[float, ...]
    value_buckets: tuple[float, ...]
    window_rows: int
    window_ns: int
    buffer_values: int
    log: LogSettings | None
    multiprocess_dir: Path | None
    strict: bool
    clock: Clock
    constraints: Mapping[str, Constraint]
    event_time: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Feature names, without repetition."""
        baseline = tuple(self.baseline.features) if self.baseline else ()
        event = (self.event_time,) if self.event_time else ()
        extra = (*self.log.features, *self.log.segments) if self.log else ()
        return tuple(dict.fromkeys((*baseline, *extra, *self.constraints, *event)))

    def class_namer(self) -> Callable[[Any], str | None]:
        """Return what gives the text of a predicted class."""
        positive = self.positive_label if self.task is Task.BINARY else None
        return class_namer(self.classes, positive_label=positive)

    def same_as(self, other: "Settings") -> bool:
        """Return whether a monitor of the other settings may share this one's counts and log."""
        return self._comparable() == other._comparable()

    def _comparable(self) -> dict[str, object]:
        checksum = self.baseline.checksum if self.baseline else None
        return {**self._asdict(), "baseline": checksum}


def text(what: str, value: object, *, empty: bool = True) -> str:
    """Check a text argument."""
    if isinstance(value, str) and (value or empty):
        return value
    kind = "a text" if empty else "a text that is not empty"
    raise ConfigError(f"{what}={value!r}: expected {kind}, such as {what}='churn'")


def number(what: str, value: Any, *, least: float) -> Any:
    """Check a numeric argument."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= least:
        return value
    raise ConfigError(f"{what}={value!r}: expected a number of at least {least:g}")


def names(what: str, value: object) -> tuple[str, ...]:
    """Check an argument that lists feature names."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        found = tuple(value)
        if all(isinstance(name, str) and name for name in found):
            return tuple(dict.fromkeys(found))
    raise ConfigError(f"{what}={value!r}: expected a list of feature names, such as {what}=['age']")


def buckets(what: str, value: Sequence[float]) -> tuple[float, ...]:
    """Check histogram edges; an infinite last edge is implied."""
    try:
        edges = tuple(float(edge) for edge in value if edge != math.inf)
    except (TypeError, ValueError):
        edges = ()
    ascending = all(low < high for low, high in itertools.pairwise(edges))
    if edges and ascending and all(map(math.isfinite, edges)):
        return edges
    raise ConfigError(f"{what}={value!r}: expected ascending finite numbers, such as [0.1, 1, 10]")


def read_baseline(value: object) -> Baseline | None:
    """Load a baseline where a path is given."""
    if value is None or isinstance(value, Baseline):
        return value
    if isinstance(value, (str, os.PathLike)):
        return Baseline.load(value)
    raise ConfigError(
        f"baseline={value!r}: expected a path or a Baseline; make a file with "
        "`model-exporter baseline` or an object with Baseline.from_table"
    )


def read_task(value: object, baseline: Baseline | None) -> Task:
    """Check the task, by default that of the baseline."""
    if value is None and baseline is not None:
        return baseline.task
    if value not in tuple(Task):
        expected = ", ".join(repr(str(task)) for task in Task)
        raise ConfigError(
            f"task={value!r}: expected one of {expected}; say what the model predicts"
        )
    task = Task(str(value))
    if baseline is not None and baseline.task is not task:
        raise ConfigError(
            f"task={str(value)!r}, but the baseline is of a {baseline.task} model; give the "
            "baseline of this model, or leave out `task`"
        )
    return task


def read_classes(value: object, task: Task, baseline: Baseline | None) -> tuple[str, ...]:
    """Check the known classes, by default those of the baseline."""
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise ConfigError(f"classes={value!r}: expected a list of classes, such as ['no', 'yes']")
    given = tuple(t for t in map(category_text, value) if t is not None)
    if given and task is Task.REGRESSION:
        raise ConfigError(f"classes={value!r}: a regression model has none; leave `classes` out")
    return given or (baseline.classes if baseline else ())


def read_positive_label(value: object, baseline: Baseline | None) -> str:
    """Check the positive label, by default that of the baseline, else 1."""
    known = baseline.positive_label if baseline else None
    if value is None:
        return known or "1"
    given = category_text(value)
    if given is None or (known is not None and given != known):
        raise ConfigError(
            f"positive_label={value!r}, but the baseline was fitted with {known!r}; give one of "
            "the same meaning, or leave `positive_label` out"
        )
    return given


def read_value_buckets(
    value: Sequence[float] | None, baseline: Baseline | None
) -> tuple[float, ...]:
    """Check the edges for a regression's values, by default the baseline's."""
    if value is not None:
        return buckets("value_buckets", value)
    if baseline is not None and isinstance(baseline.prediction, NumericDistribution):
        return tuple(baseline.prediction.edges.tolist())
    return VALUE_BUCKETS


def read_log(
    directory: object,
    *,
    log_format: object,
    features: tuple[str, ...],
    segments: tuple[str, ...],
    max_bytes: int,
    max_seconds: float,
    queue_rows: int,
    budget_bytes: int,
    spool: object,
    token_file: object,
) -> LogSettings | None:
    """Check the prediction log and create its directory."""
    if not is_url(directory) and (spool is not None or token_file is not None):
        raise ConfigError(
            "log_spool and log_token_file belong to a log that is sent to a receiver, as in "
            "log='http://exporter:9920/v1/predictions'; leave them out"
        )
    if directory is None:
        if features or segments:
            raise ConfigError(
                "log_features and segments are written to the prediction log, but there is none; "
                "give its directory, as in log='predictions/', or leave them out"
            )
        return None
    if log_format not in LOG_FORMATS:
        raise ConfigError(f"log_format={log_format!r}: expected 'jsonl' or 'parquet'")
    if log_format == "parquet":
        _require_pyarrow()
    target = read_target(directory, token_file) if is_url(directory) else None
    if target is not None and log_format != "jsonl":
        raise ConfigError(f"log_format={log_format!r}: a receiver takes 'jsonl' only")
    place, what = (directory, "log") if target is None else (spool, "log_spool")
    return LogSettings(
        directory=None if place is None else _directory(place, what),
        target=target,
        format=str(log_format),
        features=features,
        segments=segments,
        max_bytes=int(number("log_max_bytes", max_bytes, least=1)),
        max_seconds=number("log_max_seconds", max_seconds, least=0),
        queue_rows=int(number("log_queue_rows", queue_rows, least=1)),
        budget_bytes=int(
            number("log_budget_bytes", budget_bytes, least=2**16 if budget_bytes else 0)
        ),
    )


def _require_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "log_format='parquet' needs pyarrow, which is not installed; "
            "`pip install model-exporter[parquet]`, or use log_format='jsonl'"
        ) from error


def read_multiprocess_dir(value: object) -> Path | None:
    """Check the directory that processes share; by default the one prometheus_client is told.

    That it cannot be made or written is no error: it may come with time, and until then counts
    stay in memory.
    """
    what = "multiprocess_dir"
    if value is None:
        what, value = MULTIPROCESS_VARIABLE, os.environ.get(MULTIPROCESS_VARIABLE, "")
    if not isinstance(value, (str, os.PathLike)):
        raise ConfigError(f"{what}={value!r}: expected the path of a directory")
    if not os.fspath(value):
        return None
    path = Path(os.fspath(value)).absolute()  # servers change their working directory
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{what}={str(path)!r}: this is a file; expected a directory")
    try:
        import fcntl  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"{what}={str(path)!r}: sharing counts needs the locks of a POSIX system; leave it "
            "out, and give each process a port of its own"
        ) from error
    return path


def _directory(value: object, what: str) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ConfigError(f"{what}={value!r}: expected the path of a directory")
    path = Path(os.fspath(value))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{what}={str(path)!r}: cannot make this directory ({error.strerror}); give one that "
            "can be written"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"{what}={str(path)!r}: cannot write to this directory; give another")
    return path
