"""The arguments of a monitor, checked once, at construction."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from model_exporter.baseline import Baseline
from model_exporter.distribution import NumericDistribution, category_text
from model_exporter.errors import ConfigError
from model_exporter.records import Task
from model_exporter.sidecar.arguments import buckets, text
from model_exporter.sidecar.clock import Clock
from model_exporter.sidecar.constraints import Constraint
from model_exporter.sidecar.event_time import GIVEN
from model_exporter.sidecar.labels import class_namer, opposite
from model_exporter.sidecar.log_settings import LogSettings

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


class Settings(NamedTuple):
    """The checked arguments of a monitor.

    Attributes
    ----------
    columns
        What is recorded of a row: the baseline's features, in its order, then those that only the
        log, a constraint or `event_time` needs. `captured` is what of it the row itself has.
    event_time
        A column; `GIVEN` where a function of the user's gives the time.
    threshold
        From where on a probability without a class is of the positive one, else of `negative`;
        None where it has no class.
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
    threshold: float | None = None
    negative: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Feature names, without repetition."""
        baseline = tuple(self.baseline.features) if self.baseline else ()
        event = (self.event_time,) if self.event_time else ()
        extra = (*self.log.features, *self.log.segments) if self.log else ()
        return tuple(dict.fromkeys((*baseline, *extra, *self.constraints, *event)))

    @property
    def captured(self) -> tuple[str, ...]:
        """Feature names, without what a function gives."""
        return tuple(name for name in self.columns if name != GIVEN)

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


def read_baseline(value: object) -> Baseline | None:
    """Load a baseline where a path, or an address of MLflow's, is given."""
    if value is None or isinstance(value, Baseline):
        return value
    if isinstance(value, (str, os.PathLike)):
        from model_exporter.tracking.source import load_baseline

        return load_baseline(value)
    raise ConfigError(
        f"baseline={value!r}: expected a path, an address of MLflow's or a Baseline; make a file "
        "with `model-exporter baseline` or an object with Baseline.from_table"
    )


def read_task(value: object, baseline: Baseline | None, *, threshold: object) -> Task | None:
    """Check the task, by default that of the baseline, or binary with a threshold, or open."""
    if value is None:
        return baseline.task if baseline else None if threshold is None else Task.BINARY
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


def read_classes(value: object, task: Task | None, baseline: Baseline | None) -> tuple[str, ...]:
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


def read_threshold(
    value: object, task: Task | None, *, classes: tuple[str, ...], positive_label: str
) -> tuple[float | None, str]:
    """Check the threshold; with it, return the class of what is below."""
    if value is None:
        return None, ""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:  # type: ignore[operator]
        raise ConfigError(
            f"threshold={value!r}: expected a probability, a number between 0 and 1, from which on "
            "a prediction is positive, such as threshold=0.5"
        )
    if task is not Task.BINARY:
        raise ConfigError(
            f"threshold={value!r}: a {task} model has none; it is for task='binary', leave it out"
        )
    negative = opposite(positive_label, classes)
    if negative is None:
        raise ConfigError(
            f"threshold={value!r}: the class below it is not known; name both, as in "
            f"classes=['no', {positive_label!r}]"
        )
    return float(value), negative  # type: ignore[arg-type]


def read_event_time(value: object) -> tuple[str, Callable[..., Any] | None]:
    """Check what tells the event time: return the column, and the function if it is one."""
    if callable(value):
        return GIVEN, value
    if not isinstance(value, str):
        raise ConfigError(
            f"event_time={value!r}: expected the name of a column, such as 'updated_at', or a "
            "function of the arguments of a call, such as lambda features: features['updated_at']"
        )
    return text("event_time", value), None


def read_value_buckets(
    value: Sequence[float] | None, baseline: Baseline | None
) -> tuple[float, ...]:
    """Check the edges for a regression's values, by default the baseline's."""
    if value is not None:
        return buckets("value_buckets", value)
    if baseline is not None and isinstance(baseline.prediction, NumericDistribution):
        return tuple(baseline.prediction.edges.tolist())
    return VALUE_BUCKETS


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
