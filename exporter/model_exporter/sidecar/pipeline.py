"""One monitored model: recorder, fold, log and the thread that flushes between them."""

import atexit
import sys
import threading
from _queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from model_exporter.sidecar import fork
from model_exporter.sidecar.counters import Subjects
from model_exporter.sidecar.exemplars import Exemplars
from model_exporter.sidecar.faults import Faults, Stage
from model_exporter.sidecar.fold import Fold
from model_exporter.sidecar.recorder import FIXED, Recorder
from model_exporter.sidecar.settings import Settings

if TYPE_CHECKING:
    from model_exporter.sidecar.log import LogWriter
    from model_exporter.sidecar.shards import Shards

FLUSH_SECONDS = 1.0
"""How long a prediction waits in the buffer at most before it goes to a file: to the log's, or to
the shard that other processes read."""
CLOSE_SECONDS = 10.0
RELIEF_SECONDS = 0.25
"""How long a call waits at most for a fold under way that callers leave no time to end. A fold is
nothing but computing, a few milliseconds where it gets the interpreter."""
EXIT_PRIORITY = 0
"""With any, multiprocessing calls us before it ends its own children; 0 is after everybody else."""


class Pipeline:
    """Everything behind the monitors of one model version in one registry."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = Faults(settings.clock, strict=settings.strict)
        subjects = Subjects(settings)
        self.log = None if settings.log is None else _log_writer(settings, subjects, self.faults)
        # With a log every call has a place for an id: the functions of a monitor share a buffer.
        self.has_ids = settings.log is not None
        self.recorder = Recorder(
            FIXED + self.has_ids + len(settings.columns),
            values=settings.buffer_values,
            faults=self.faults,
        )
        self.fold = Fold(
            settings,
            subjects,
            recorder=self.recorder,
            faults=self.faults,
            log=None if self.log is None else self.log.log,
            has_ids=self.has_ids,
        )
        self.shards = None if settings.multiprocess_dir is None else _shards(self.fold, self.faults)
        self.exemplars = Exemplars(self.recorder, settings.clock)
        self.monitors_batches = False
        self.monitors_streams = False
        self.closed = False
        self.recorder.wake = self._wake
        self.recorder.relieve = self._relieve
        self._reset()
        fork.track(self)

    def _reset(self) -> None:
        self._signals: SimpleQueue[bool] = SimpleQueue()
        self._awake = False
        self._patient = True
        self._thread: threading.Thread | None = None
        self._finalizer: Any = None
        self._starting = threading.Lock()  # only ever tried: of two first calls, one starts it

    def after_fork(self) -> None:
        """Start from nothing in a forked child; the parent keeps its counts."""
        self.faults.reset()
        self.recorder.reset()
        self.exemplars.reset()
        self.fold.reset()
        self._reset()
        if self.shards is not None:
            self.shards.after_fork()
        if self.log is not None:
            self.log.after_fork()

    def _wake(self) -> None:
        """Tell the flusher that there is something to do; safe in a signal handler."""
        if self._awake or self.closed:
            return
        self._awake = True
        if self._thread is None and self._starting.acquire(blocking=False):
            self._start()
        self._signals.put(True)

    def _relieve(self) -> bool:
        """Fold in the place of a flusher that gets no time; return whether that was possible.

        To wait for a fold under way gives it the time it needs. After one wait in vain, something
        else holds it up, and no call waits again before a fold has succeeded.
        """
        lock = self.fold.lock
        taken = lock.acquire(timeout=RELIEF_SECONDS) if self._patient else lock.acquire(False)
        self._patient = taken
        if taken:
            try:
                self._count()
            finally:
                lock.release()
        return taken

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="model-exporter-flush", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # no threads left, or the interpreter is going down: scrapes flush
            self._thread, self._awake = None, False
            self._starting.release()
            return
        self._close_at_exit()

    def _close_at_exit(self) -> None:
        atexit.register(self.close)
        processes = sys.modules.get("multiprocessing.util")
        if processes is not None:  # its forked children leave without running atexit's functions
            self._finalizer = processes.Finalize(None, self.close, exitpriority=EXIT_PRIORITY)

    def _run(self) -> None:
        patience = None if self.log is None and self.shards is None else FLUSH_SECONDS
        while True:
            try:
                go_on = self._signals.get(timeout=patience)
            except Empty:
                go_on = True
            self._awake = False
            if not go_on:
                return
            self.flush()

    def flush(self) -> None:
        """Count and log everything recorded so far; never raises but in strict mode."""
        self._count()
        if self.shards is not None:
            self.shards.publish()

    def _count(self) -> None:
        try:
            self.fold.flush()
        except Exception as error:
            self.faults.error(Stage.FOLD, error)

    def close(self) -> None:
        """Flush, finish the log and end the threads; calls still count, but are not logged."""
        if self.closed:
            return
        self.closed = True
        thread, self._thread = self._thread, None
        if thread is not None:
            self._signals.put(False)
            thread.join(CLOSE_SECONDS)
        self.flush()
        if self.log is not None:
            self.log.close()
        atexit.unregister(self.close)
        if self._finalizer is not None:
            self._finalizer.cancel()

    def retire(self) -> None:
        """Close, and leave the counts to the archive: another pipeline takes the place."""
        self.close()
        if self.shards is not None:
            self.shards.retire()


def _shards(fold: Fold, faults: Faults) -> "Shards":
    from model_exporter.sidecar.shards import Shards  # one process needs none, nor does Windows

    return Shards(fold, faults=faults)


def _log_writer(settings: Settings, subjects: Subjects, faults: Faults) -> "LogWriter":
    from model_exporter.sidecar.log import LogWriter  # most imports of the sidecar want no log

    return LogWriter(settings, subjects, faults=faults)
