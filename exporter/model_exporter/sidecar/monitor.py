"""`ModelMonitor`: what a user puts on a predict function."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from prometheus_client import CollectorRegistry

from model_exporter.baseline import Baseline
from model_exporter.errors import ConfigError
from model_exporter.records import Task
from model_exporter.sidecar import settings as checks
from model_exporter.sidecar.arguments import buckets, names, number, text
from model_exporter.sidecar.batch_job import BatchJob
from model_exporter.sidecar.business import record
from model_exporter.sidecar.clock import SYSTEM_CLOCK, Clock
from model_exporter.sidecar.collector import collector_of
from model_exporter.sidecar.constraints import Constraint, read_constraints
from model_exporter.sidecar.evaluating import Evaluating
from model_exporter.sidecar.log_settings import read_log
from model_exporter.sidecar.predicting import Predicting
from model_exporter.sidecar.serving import Serving

if TYPE_CHECKING:
    from model_exporter.sidecar.bill import SeriesEstimate


class ModelMonitor(Predicting, Serving, BatchJob, Evaluating):
    """Monitors the predict function of one version of a model.

    Parameters
    ----------
    name, version
        The labels `model_name` and `model_version` of every metric.
    task
        ``"binary"``, ``"multiclass"`` or ``"regression"``; by default that of the baseline. Where
        only `log_predictions` is used, the first of them tell.
    baseline
        A `Baseline`, the path of its file, or its address in MLflow such as
        ``"models:/churn@champion"``. Turns on drift and data quality.
    log
        Directory of the prediction log, for the exporter job, or the URL of the job's receiver
        (``"http://exporter:9920/v1/predictions"``); None writes none.
    log_format
        ``"jsonl"`` or ``"parquet"`` (needs the extra ``model-exporter[parquet]``).
    log_features
        Features whose raw values are logged; none by default, for they are personal data.
    segments
        Features whose values are logged as segments, by which the job splits its scores.
    constraints
        What the values of a feature must be, by its name; also of features that are not in the
        baseline. What breaks one counts in `model_feature_invalid_total{reason="constraint"}`.
    event_time
        The column that tells when an input came to be, for `model_input_timestamp_seconds`:
        datetimes (UTC if they do not say), ISO 8601 texts or Unix seconds. Or a function of the
        arguments of a call, without `self` or `cls`, that gives one of these or None; of a batch
        one for all, or a column of them. What it raises is counted.
    multiprocess_dir
        Directory in which the worker processes of a server share their counts, so that a scrape
        of any of them is the sum of all; by default that of the environment variable
        ``PROMETHEUS_MULTIPROC_DIR``, and ``""`` is none. It must be local and the same in every
        worker. See `docs/multiprocess.md`.
    registry
        Where to register the metrics; by default a registry of this monitor's own.
    classes
        Classes known beforehand, exported as zero until predicted; by default the baseline's.
        A model has at most 50 series of classes: more share the class ``__other__``.
    positive_label
        The class whose probability is a binary model's score; by default the baseline's, else 1.
    threshold
        Of a binary model that returns a probability and no class: from this one on it predicts
        the positive class, else the other. By default a bare probability has no class.
    latency_buckets, value_buckets
        Edges of the histograms of seconds a call, and of a regression's values.
    window_rows, window_seconds
        How many of the newest predictions, and how old, the gauges of the prediction
        distribution describe.
    buffer_values
        Values buffered between calls and counts at most; later calls are dropped and counted in
        `model_exporter_dropped_total`.
    log_max_bytes, log_max_seconds
        A log file ends at this size or age.
    log_queue_rows
        Rows waiting for the disk at most; later ones are dropped and counted.
    log_budget_bytes
        All log files in the directory together: at this size the oldest finished files of this
        model are deleted and their rows counted as dropped. 0 sets no bound.
    log_spool
        Of a log that goes to a URL: the directory where rows wait while the receiver is down.
        Without one they wait in memory, 16 MiB at most.
    log_token_file
        Of a log that goes to a URL: a file with the bearer token, read anew for every request.
    evaluation_rows
        Predictions of `log_predictions` kept in memory for `calculate_metric` at most.
    alertmanager
        Address of the Alertmanager that `send_alert` sends to.
    strict
        Raise errors inside telemetry to the caller; for tests only.
    clock
        Where time comes from; for tests only.

    Raises
    ------
    ConfigError
        If an argument is refused; the message says what was expected and what to do.
    BaselineError
        If the baseline cannot be read.

    Notes
    -----
    What the function returns or raises is never changed: a failure of telemetry is counted in
    `model_exporter_internal_errors_total` and logged at most once a minute a stage. No thread
    exists before the first call.

    Examples
    --------
    >>> monitor = ModelMonitor("churn", version="3", task="binary")
    >>> @monitor
    ... def predict(features):
    ...     return {"prediction": 1, "score": 0.83}
    >>> predict({"age": 31})
    {'prediction': 1, 'score': 0.83}
    >>> monitor.registry.get_sample_value(
    ...     "model_predictions_total", {"model_name": "churn", "model_version": "3"})
    1.0
    >>> monitor.close()
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "",
        task: str | None = None,
        baseline: Baseline | str | os.PathLike[str] | None = None,
        log: str | os.PathLike[str] | None = None,
        log_format: str = "jsonl",
        log_features: Iterable[str] = (),
        segments: Iterable[str] = (),
        multiprocess_dir: str | os.PathLike[str] | None = None,
        constraints: Mapping[str, Constraint] | None = None,
        event_time: str | Callable[..., Any] = "",
        registry: CollectorRegistry | None = None,
        classes: Iterable[object] = (),
        positive_label: object = None,
        threshold: float | None = None,
        latency_buckets: Sequence[float] = checks.LATENCY_BUCKETS,
        value_buckets: Sequence[float] | None = None,
        window_rows: int = 10_000,
        window_seconds: float = 300.0,
        buffer_values: int = 1_000_000,
        log_max_bytes: int = 64 * 2**20,
        log_max_seconds: float = 60.0,
        log_queue_rows: int = 100_000,
        log_budget_bytes: int = 2**30,
        log_spool: str | os.PathLike[str] | None = None,
        log_token_file: str | os.PathLike[str] | None = None,
        evaluation_rows: int = 1_000_000,
        alertmanager: str = "http://127.0.0.1:9093",
        strict: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        reference = checks.read_baseline(baseline)
        kind = checks.read_task(task, reference, threshold=threshold)
        self.registry = CollectorRegistry() if registry is None else registry
        if not hasattr(self.registry, "register"):
            raise ConfigError(
                f"registry={registry!r}: expected a prometheus_client.CollectorRegistry"
            )
        known = checks.read_classes(classes, kind, reference)
        positive = checks.read_positive_label(positive_label, reference)
        decision, negative = checks.read_threshold(
            threshold, kind, classes=known, positive_label=positive
        )
        column, self._event_time = checks.read_event_time(event_time)
        self._settings = checks.Settings(
            name=text("name", name, empty=False),
            version=text("version", version),
            task=kind or Task.MULTICLASS,  # until `log_predictions` tells
            baseline=reference,
            classes=known,
            positive_label=positive,
            latency_buckets=buckets("latency_buckets", latency_buckets),
            value_buckets=checks.read_value_buckets(value_buckets, reference),
            window_rows=int(number("window_rows", window_rows, least=1)),
            window_ns=int(number("window_seconds", window_seconds, least=0) * 1e9),
            buffer_values=int(number("buffer_values", buffer_values, least=1)),
            log=read_log(
                log,
                log_format=log_format,
                features=names("log_features", log_features),
                segments=names("segments", segments),
                max_bytes=log_max_bytes,
                max_seconds=log_max_seconds,
                queue_rows=log_queue_rows,
                budget_bytes=log_budget_bytes,
                spool=log_spool,
                token_file=log_token_file,
            ),
            multiprocess_dir=checks.read_multiprocess_dir(multiprocess_dir),
            strict=strict,
            clock=clock,
            constraints=read_constraints(constraints),
            event_time=column,
            threshold=decision,
            negative=negative,
        )
        self._collector = collector_of(self.registry)
        self._adopted = None
        if kind is not None:
            self._adopt(kind)
        self._evaluation_rows = int(number("evaluation_rows", evaluation_rows, least=1))
        self._alertmanager = text("alertmanager", alertmanager, empty=False)
        self._servers = []
        self._tracking = {}

    def series_estimate(self) -> "SeriesEstimate":
        """Return how many series this monitor serves at most, in all and by family."""
        from model_exporter.sidecar.bill import estimated  # imports stay light

        return estimated(self._pipeline.settings, self._pipeline.fold.subjects)

    def business(self, measure: str, amount: float = 1.0) -> None:
        """Count what the business counts, for this model version: `model_business_total`.

        Parameters
        ----------
        measure
            What is counted, with its unit in the name: ``"revenue_eur"``, ``"claims_avoided"``.
            A model has at most 20 measures: more share the measure ``__other__``.
        amount
            Finite and not negative, for counters only rise: what is lost is a measure of its own.
            Anything else is counted in `model_exporter_internal_errors_total`, and no more.

        Examples
        --------
        >>> with ModelMonitor("churn", task="binary") as monitor:
        ...     monitor.business("revenue_eur", 12.5)
        ...     monitor.registry.get_sample_value("model_business_total",
        ...         {"model_name": "churn", "model_version": "", "measure": "revenue_eur"})
        12.5
        """
        record(self._pipeline.recorder, measure, amount)

    def flush(self) -> None:
        """Count what was recorded so far, and hand it to the log; scrapes do so by themselves."""
        if self._adopted is not None:
            self._adopted.flush()

    def close(self) -> None:
        """Stop servers, write the log and end threads; happens at exit by itself.

        The counts stay readable. Later calls are counted, but not logged.
        """
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._adopted is not None:
            self._adopted.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
