"""What went wrong inside the sidecar: counted, logged now and then, kept from the model."""

import contextlib
import enum
import threading
from pathlib import Path

from model_exporter.errors import ModelExporterError
from model_exporter.sidecar.clock import Clock

LOG_INTERVAL_NS = 60 * 1_000_000_000
"""A fault that comes with every call must not flood the user's log."""


class DropReason(enum.StrEnum):
    """Why telemetry was dropped."""

    BUFFER_FULL = "buffer_full"
    """Calls came faster than they could be folded."""
    LOG_QUEUE_FULL = "log_queue_full"
    """The disk is slower than the predictions."""
    LOG_WRITE_FAILED = "log_write_failed"
    """The disk is full, read-only or gone."""
    LOG_BUDGET = "log_budget"
    """The log's disk (or, without a spool, the sink's memory) is used up: the oldest go first."""
    LOG_REFUSED = "log_refused"
    """The receiver answered that it will never take these rows."""
    LOG_UNSENT = "log_unsent"
    """Not delivered when the process ended, and there is no spool to keep them."""
    CLOSED = "closed"
    """Predicted after `ModelMonitor.close()`; counted, but not logged."""


class Stage(enum.StrEnum):
    """Where a fault happened."""

    FEATURES = "features"
    OUTPUT = "output"
    PREDICTION_ID = "prediction_id"
    EVENT_TIME = "event_time"
    RECORD = "record"
    BUSINESS = "business"
    FOLD = "fold"
    LOG = "log"
    COLLECT = "collect"
    SERVER = "server"
    SHARDS = "shards"
    DELIVERY = "delivery"
    """Pushgateway or textfile."""


class TelemetryError(Exception):
    """A fault described in our own words; its text holds no value of the user's and is logged."""


class Faults:
    """Counts drops and internal errors.

    Parameters
    ----------
    strict
        Raise internal errors to the caller instead; for tests.

    Notes
    -----
    Its lock guards additions only. It is re-entrant because a signal handler or a garbage
    collector callback may run a monitored function in the middle of one.
    """

    def __init__(self, clock: Clock, *, strict: bool = False) -> None:
        self._clock = clock
        self._strict = strict
        self.reset()

    def reset(self) -> None:
        """Forget everything, the lock included."""
        self._lock = threading.RLock()
        self.dropped = dict.fromkeys(DropReason, 0)
        self.errors = dict.fromkeys(Stage, 0)
        self._logged_at: dict[Stage, int] = {}

    def drop(self, reason: DropReason, rows: int) -> None:
        """Count rows whose telemetry was dropped."""
        with self._lock:
            self.dropped[reason] += rows

    def error(self, stage: Stage, error: Exception) -> None:
        """Count an internal error and log it at most once a minute a stage."""
        if self._strict:
            raise error
        now = self._clock.monotonic_ns()
        with self._lock:
            self.errors[stage] += 1
            due = now - self._logged_at.get(stage, -LOG_INTERVAL_NS) >= LOG_INTERVAL_NS
            if due:
                self._logged_at[stage] = now
        if due:
            with contextlib.suppress(Exception):  # a handler or filter of the user's may raise
                self._log(stage, error)

    def _log(self, stage: Stage, error: Exception) -> None:
        import logging  # not free, and most processes never need it

        logging.getLogger("model_exporter").warning(
            "telemetry stage %r failed (%s); the model is not affected; repeats within a minute "
            "are only counted, in model_exporter_internal_errors_total",
            stage.value,
            describe(error),
        )


def describe(error: Exception) -> str:
    """Describe an error without its message, which may quote a feature value."""
    if isinstance(error, (TelemetryError, ModelExporterError)):
        return str(error)
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror}"
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(error).__name__
    file = Path(place.tb_frame.f_code.co_filename).name
    return f"{type(error).__name__} at {file}:{place.tb_lineno}"
