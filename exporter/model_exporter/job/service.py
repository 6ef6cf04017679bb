"""`model-exporter serve`: evaluate on a clock, serve what was found.

Each model has a thread of its own, and so has each source that is being read: none delays another.
A scrape gets the text that was rendered when the last of the models was evaluated. A configuration
that is refused at reload leaves everything as it was.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry

from model_exporter.errors import ConfigError
from model_exporter.job.check import check_sources
from model_exporter.job.collector import SnapshotCollector
from model_exporter.job.config import Config, check_tokens, load
from model_exporter.job.door import Door
from model_exporter.job.intake import Intake
from model_exporter.job.once import build_info
from model_exporter.job.page import Page
from model_exporter.job.retraining.door import AlertDoor
from model_exporter.job.retraining.retrainer import Retrainer
from model_exporter.job.runner import Stopped
from model_exporter.job.runners import AnyRunner, runner_of
from model_exporter.job.server import Endpoints, JobServer
from model_exporter.job.snapshot import Snapshot
from model_exporter.records import LabelOutcome
from model_exporter.web.config import WebConfig
from model_exporter.web.guard import ConfiguredWeb

PATIENCE_SECONDS = 5.0
"""A turn takes rows in for as long as the poll interval, and at least this long, before it goes on
to evaluate; what is not read by then is read in the next one."""
GRACE_SECONDS = 2.5
"""How long a turn may go on after it was asked to stop, before its statement is interrupted."""
LOOK_SECONDS = 0.05

logger = logging.getLogger("model_exporter")


class Service:
    """Runs every model of a configuration file until stopped.

    `clock` returns Unix time in seconds; a demo or a test may have it run faster. `web_config` is
    the web configuration file of the port, before that of the configuration.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        web_config: Path | None = None,
    ) -> None:
        self._path = path
        self._web_config = web_config
        self._clock = clock
        self._collector = SnapshotCollector()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self._collector)
        self._page = Page(self._registry)
        self._door = Door()
        self._alerts = AlertDoor()
        self._retrainer: Retrainer | None = None
        self._snapshots: dict[str, Snapshot] = {}
        self._publishing = threading.Lock()
        self._reloading = threading.Lock()
        self._stopped = False
        self._config = _checked(path, web_config)
        self._listen = self._config.listen
        self._workers: list[_Worker] = []
        self._web: ConfiguredWeb | None = None
        self._server: JobServer | None = None
        self._status(loaded=True)

    @property
    def port(self) -> int:
        """The port that /metrics is served on."""
        assert self._server is not None
        return self._server.port

    def start(self) -> None:
        """Bind the port and start evaluating."""
        endpoints = Endpoints(
            self._page,
            ready=self.ready,
            reload=self.reload,
            door=self._door,
            alerts=self._alerts,
        )
        path = self._config.web_config
        if path is not None:
            self._web = ConfiguredWeb(path, report=_web_refused, check=self._check_web)
        self._server = JobServer(self._listen, endpoints, web=self._web)
        self._start_workers()
        scheme = "https" if self._web is not None and self._web.tls is not None else "http"
        where = f"{scheme}://{self._config.listen[0]}:{self.port}/metrics"
        logger.info("serving on %s", where, extra={"event": "serving"})

    def _check_web(self, web: WebConfig) -> None:
        check_tokens(self._config, self._listen[0], guarded=web.keeps_strangers_out)

    def stop(self) -> None:
        """End the turns that run, release the state, close the port."""
        self._stopped = True
        reloaded = self._reloading.acquire(timeout=GRACE_SECONDS)
        self._stop_workers()
        if reloaded:
            self._reloading.release()
        if self._server is not None:
            self._server.__exit__()

    def ready(self) -> bool:
        """Tell whether every model was evaluated, or tried, once."""
        workers = self._workers
        return bool(workers) and all(worker.tried.is_set() for worker in workers)

    def reload(self) -> None:
        """Read the configuration again, and start over with it if it is good.

        Raises
        ------
        ModelExporterError
            If it is refused; the old one stays. `listen` and `web_config` take effect at the next
            start.
        """
        with self._reloading:
            try:
                config = _checked(self._path, self._web_config)
                guarded = self._web is not None and self._web.keeps_strangers_out
                check_tokens(config, self._listen[0], guarded=guarded)
            except Exception:
                self._status(loaded=False)
                raise
            self._stop_workers()
            before, self._config = self._config, config
            try:
                self._start_workers()
            except Exception:
                self._config = before
                self._start_workers()
                self._status(loaded=False)
                raise
            self._forget_removed()
            self._status(loaded=True)
            logger.info("%s: reloaded", self._path, extra={"event": "reloaded"})

    def _forget_removed(self) -> None:
        known = {"", *(model.name for model in self._config.models)}
        with self._publishing:
            self._snapshots = {k: v for k, v in self._snapshots.items() if k in known}

    def _start_workers(self) -> None:
        if self._stopped:
            return
        interval = self._config.poll_interval.seconds
        patience = max(interval, PATIENCE_SECONDS)
        stack = ExitStack()
        with stack:  # a state directory in use must not leave the others locked
            runners: list[AnyRunner] = []
            state, models = self._config.state, self._config.models
            for model in models:
                runners.append(runner_of(model, state, patience=patience, stores=len(models)))
                stack.enter_context(runners[-1])
            self._retrainer = self._retraining()
            stack.pop_all()
        self._workers = [_Worker(r, interval, self._clock, self._publish) for r in runners]
        for worker in self._workers:
            worker.thread.start()
        self._door.open(intake for runner in runners for intake in _intakes(runner))
        self._alerts.open(self._config.alerts, self._retrainer)
        self._render()

    def _retraining(self) -> Retrainer | None:
        if self._config.alerts is None:
            return None
        models = {m.name: m.retraining for m in self._config.models if m.retraining is not None}
        return Retrainer(
            models,
            self._config.state,
            labels=self._joined_labels,
            clock=self._clock,
            changed=self._render,
        )

    def _joined_labels(self, model: str) -> int | None:
        """Return how many predictions of a model got a label so far; None if it is not known."""
        snapshot = self._snapshots.get(model)
        found = snapshot.values.get("model_labels_total", {}) if snapshot is not None else {}
        count = found.get((model, LabelOutcome.MATCHED))
        return None if count is None else int(count)

    def _stop_workers(self) -> None:
        self._door.close()
        self._alerts.close()
        for worker in self._workers:
            worker.stop()
        deadline = time.monotonic() + GRACE_SECONDS
        for worker in self._workers:
            worker.join(deadline)
        self._workers = []
        if self._retrainer is not None:
            self._retrainer.__exit__()
            self._retrainer = None

    def _publish(self, name: str, snapshot: Snapshot) -> None:
        with self._publishing:
            self._snapshots[name] = snapshot
        self._render()

    def _render(self) -> None:
        retrainer = self._retrainer
        with self._publishing:
            own = [] if retrainer is None else [retrainer.snapshot()]
            self._collector.show([*self._snapshots.values(), *own])
            self._page.render()

    def _status(self, *, loaded: bool) -> None:
        status = build_info()
        status.put("model_exporter_config_last_reload_successful", (), loaded)
        self._publish("", status)


class _Worker:
    """The thread of one model."""

    def __init__(
        self,
        runner: AnyRunner,
        interval: float,
        clock: Callable[[], float],
        publish: Callable[[str, Snapshot], None],
    ) -> None:
        self.tried = threading.Event()
        self._stopping = threading.Event()
        self._runner = runner
        self._interval = interval
        self._clock = clock
        self._publish = publish
        name = f"model-exporter-{runner.model.name}"
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def stop(self) -> None:
        """Have the thread end, between two batches if it takes some in."""
        self._stopping.set()
        self._runner.stop()

    def join(self, deadline: float) -> None:
        """Wait for the thread to end; after the deadline, what it does is undone."""
        while self.thread.is_alive():
            left = deadline - time.monotonic()
            if left <= 0:
                self._runner.interrupt()
            self.thread.join(max(left, LOOK_SECONDS))

    def _run(self) -> None:
        with self._runner:
            while not self._stopping.is_set():
                done = self._turn()
                self.tried.set()
                if not (done and self._runner.behind):
                    self._stopping.wait(self._interval)

    def _turn(self) -> bool:
        name = self._runner.model.name
        try:
            snapshot = self._runner.turn(round(self._clock() * 1_000_000))
            self._publish(name, snapshot)
        except Stopped:
            logger.info("%s: stopped", name, extra={"event": "stopped", "model": name})
        except Exception:
            # The last snapshot stays; its evaluation timestamp grows old and the alert speaks.
            extra = {"event": "evaluation_failed", "model": name}
            logger.exception("%s: the evaluation failed", name, extra=extra)
        else:
            return True
        return False


def _intakes(runner: AnyRunner) -> Iterator[Intake]:
    for source in (runner.model.predictions, runner.model.labels):
        if source is not None and source.name in runner.spools:
            yield Intake(runner.model, source, runner.spools[source.name])


def _web_refused(error: ConfigError) -> None:
    extra = {"event": "reload_refused"}
    logger.error("the old web configuration stays: %s", error, extra=extra)


def _checked(path: Path, web_config: Path | None) -> Config:
    config = load(path, web_config=web_config)
    for problem in check_sources(config):
        logger.warning("not checked: %s", problem)
    return config
