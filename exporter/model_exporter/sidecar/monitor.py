"""`ModelMonitor`: what a user puts on a predict function."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from model_exporter.baseline import Baseline
from model_exporter.errors import ConfigError
from model_exporter.sidecar import settings as checks
from model_exporter.sidecar.batch_job import BatchJob
from model_exporter.sidecar.capture import checked_hooks
from model_exporter.sidecar.clock import SYSTEM_CLOCK, Clock
from model_exporter.sidecar.collector import collector_of
from model_exporter.sidecar.constraints import Constraint, read_constraints
from model_exporter.sidecar.wrap import Steps, wrap

if TYPE_CHECKING:
    from model_exporter.sidecar.bill import SeriesEstimate
    from model_exporter.sidecar.exposition import App, AsgiApp
    from model_exporter.sidecar.server import MetricsServer
    from model_exporter.sidecar.track import TrackedCall

F = TypeVar("F")


class ModelMonitor(BatchJob):
    """Monitors the predict function of one version of a model.

    Parameters
    ----------
    name, version
        The labels `model_name` and `model_version` of every metric.
    task
        ``"binary"``, ``"multiclass"`` or ``"regression"``; by default that of the baseline.
    baseline
        A `Baseline` or the path of its file. Turns on drift and data quality.
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
        datetimes (UTC if they do not say), ISO 8601 texts or Unix seconds.
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
        event_time: str = "",
        registry: CollectorRegistry | None = None,
        classes: Iterable[object] = (),
        positive_label: object = None,
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
        strict: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        reference = checks.read_baseline(baseline)
        kind = checks.read_task(task, reference)
        self.registry = CollectorRegistry() if registry is None else registry
        if not hasattr(self.registry, "register"):
            raise ConfigError(
                f"registry={registry!r}: expected a prometheus_client.CollectorRegistry"
            )
        settings = checks.Settings(
            name=checks.text("name", name, empty=False),
            version=checks.text("version", version),
            task=kind,
            baseline=reference,
            classes=checks.read_classes(classes, kind, reference),
            positive_label=checks.read_positive_label(positive_label, reference),
            latency_buckets=checks.buckets("latency_buckets", latency_buckets),
            value_buckets=checks.read_value_buckets(value_buckets, reference),
            window_rows=int(checks.number("window_rows", window_rows, least=1)),
            window_ns=int(checks.number("window_seconds", window_seconds, least=0) * 1e9),
            buffer_values=int(checks.number("buffer_values", buffer_values, least=1)),
            log=checks.read_log(
                log,
                log_format=log_format,
                features=checks.names("log_features", log_features),
                segments=checks.names("segments", segments),
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
            event_time=checks.text("event_time", event_time),
        )
        self._collector = collector_of(self.registry)
        self._pipeline = self._collector.adopt(settings)
        self._servers: list[MetricsServer] = []
        self._tracking: dict[bool, Steps] = {}

    @overload
    def __call__(self, function: F) -> F: ...

    @overload
    def __call__(
        self,
        *,
        batch: bool = ...,
        output: Callable[[Any], Any] | None = ...,
        prediction_id: Callable[..., Any] | None = ...,
        features: Callable[..., Any] | None = ...,
    ) -> Callable[[F], F]: ...

    def __call__(
        self,
        function: Any = None,
        *,
        batch: bool = False,
        output: Callable[[Any], Any] | None = None,
        prediction_id: Callable[..., Any] | None = None,
        features: Callable[..., Any] | None = None,
    ) -> Any:
        """Monitor a function; also as a decorator with or without arguments.

        Parameters
        ----------
        function
            A function, method, static or class method, callable object; also ``async def``, a
            generator or an async generator. What a function returns that is awaitable, or an
            iterator, is followed to its end.
        batch
            Whether a call predicts many rows: takes a list of rows, a dict of columns, a 2-d
            array or a DataFrame, and returns a list, an array, a Series or a dict of columns.
        output
            Maps what the function returned to predictions. Of one row: a class; a probability,
            if binary, as a float between 0 and 1, both excluded (exact 0.0 and 1.0 are classes);
            a number, if regression; a tuple of class and score; or a dict with any of
            ``"prediction"``, ``"score"`` and ``"scores"`` (a dict by class). Of a stream it gets
            the last chunk; without it, chunks are counted and not read.
        prediction_id
            Maps the arguments of the call to the caller's id: it is called with exactly those
            arguments, without `self` or `cls`; a batch's gives a list of ids. Without it, or
            where it gives None, it is the id of the request (`sidecar.ids.request_id`), with the
            row's number in a batch, else a UUIDv7. Ids are only taken when there is a log.
        features
            Maps the arguments, likewise, to the features: a dict by name, or a list, tuple or
            array in the order of the baseline. By default the first argument is the features.

        Returns
        -------
        callable
            The function, monitored; its signature, results and exceptions are the same.
        """
        hooks = checked_hooks(features=features, output=output, prediction_id=prediction_id)
        if function is None:
            return lambda f: wrap(self._pipeline, f, batch=batch, hooks=hooks)
        return wrap(self._pipeline, function, batch=batch, hooks=hooks)

    def wrap(
        self,
        estimator: F,
        *,
        output: Callable[[Any], Any] | None = None,
        prediction_id: Callable[..., Any] | None = None,
        features: Callable[..., Any] | None = None,
    ) -> F:
        """Monitor an estimator in the style of scikit-learn; the hooks are those of a batch.

        Parameters
        ----------
        estimator
            Fitted or not. `predict`, `predict_proba` and `decision_function` are monitored, each
            call as a batch; all else passes through.

        Returns
        -------
        estimator
            Looks like the estimator: attributes, `isinstance`, parameters. Copies and clones are
            monitored; what is unpickled is where a monitor of this name and version lives.
        """
        from model_exporter.sidecar.estimator import PREDICTING, monitored  # imports stay light

        if not any(callable(getattr(estimator, name, None)) for name in PREDICTING):
            raise ConfigError(
                f"cannot wrap {type(estimator).__name__}: it has none of {', '.join(PREDICTING)}; "
                "monitor a function with `@monitor`"
            )
        hooks = checked_hooks(features=features, output=output, prediction_id=prediction_id)
        return cast(F, monitored(self._pipeline, estimator, hooks))

    def track(self, *, rows: int | None = None) -> "TrackedCall":
        """Monitor the body of a `with` or `async with` as one call.

        Parameters
        ----------
        rows
            How many rows the call predicts; None for one row that is no batch.
        """
        from model_exporter.sidecar.track import TrackedCall, tracking_steps

        batch = rows is not None
        rows = int(checks.number("rows", rows, least=0)) if batch else None
        if batch not in self._tracking:
            self._tracking[batch] = tracking_steps(self._pipeline, batch=batch)
        return TrackedCall(self._tracking[batch], rows)

    def start_metrics_server(
        self,
        port: int = 0,
        addr: str = "127.0.0.1",
        *,
        web_config: str | os.PathLike[str] | None = None,
    ) -> "MetricsServer":
        """Serve the registry under ``/metrics`` from a background thread.

        Parameters
        ----------
        port
            0 takes a free one, which is the `port` of the returned server.
        addr
            ``"0.0.0.0"`` for other machines, and then with a `web_config` if others can reach it.
        web_config
            Path of a web configuration file as node_exporter takes it: TLS, client certificates,
            users, headers, rate limit. YAML and bcrypt need ``model-exporter[web]``; JSON does not.
        """
        from model_exporter.sidecar.server import MetricsServer  # imports stay light

        web = None
        if web_config is not None:
            from model_exporter.sidecar.web import ConfiguredWeb  # so does TLS

            web = ConfiguredWeb(web_config, self.registry)
        server = MetricsServer(self.registry, addr=addr, port=port, web=web)
        self._servers.append(server)
        return server

    def metrics_app(self) -> "App":
        """Return an application for WSGI and ASGI that serves the registry under any path."""
        from model_exporter.sidecar.exposition import app

        return app(self.registry)

    def metrics_asgi_app(self) -> "AsgiApp":
        """Return the same for servers that insist on a coroutine function."""
        from model_exporter.sidecar.exposition import asgi_app

        return asgi_app(self.registry)

    def collector(self) -> Collector:
        """Return what serves every monitor of this one's registry, to register with another.

        For a registry that is made at each scrape, as with prometheus_client's own
        multiprocess mode. Monitors that appear in one exposition share one registry.

        Examples
        --------
        >>> registry = CollectorRegistry()
        >>> registry.register(ModelMonitor("churn", task="binary").collector())
        """
        return self._collector

    def series_estimate(self) -> "SeriesEstimate":
        """Return how many series this monitor serves at most, in all and by family."""
        from model_exporter.sidecar.bill import estimated  # imports stay light

        return estimated(self._pipeline.settings, self._pipeline.fold.subjects)

    def flush(self) -> None:
        """Count what was recorded so far, and hand it to the log; scrapes do so by themselves."""
        self._pipeline.flush()

    def close(self) -> None:
        """Stop servers, write the log and end threads; happens at exit by itself.

        The counts stay readable. Later calls are counted, but not logged.
        """
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._pipeline.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
