"""Counts shared by the processes of a server: each has a file, a scrape of any sums them all.

A process counts in its own memory and writes what it has to its own file, its *shard*, with every
flush. It holds a lock on the file that the kernel takes away when the process ends, however it
ends. Whoever finds a shard that nobody holds folds it into the *archive*, so that counters never
fall and files never pile up.
"""

import hashlib
import json
import os
from typing import NamedTuple

from model_exporter.records import Task
from model_exporter.sidecar import shard_dir, shard_file
from model_exporter.sidecar.columns import REASONS
from model_exporter.sidecar.faults import DropReason, Faults, Stage
from model_exporter.sidecar.fold import Fold
from model_exporter.sidecar.sections import LIMITS
from model_exporter.sidecar.settings import BATCH_BUCKETS, SCORE_BUCKETS, Settings
from model_exporter.sidecar.shard_file import FORMAT, ShardFile, SkipReason
from model_exporter.sidecar.shard_scan import Folder, Scan, no_skips
from model_exporter.sidecar.tally import Tally
from model_exporter.sidecar.window import EMPTY, Digest

RETRY_NS = 5 * 1_000_000_000
"""How long counts stay in memory before the disk is tried again."""
DIGEST_NS = 500_000_000
"""Age of the window's digest in a shard from which it is made anew: it needs a sort."""


class Sum(NamedTuple):
    """The counts of all processes, and what became of their files."""

    tally: Tally
    living: int
    skipped: dict[SkipReason, int]
    degraded: bool


class Shards:
    """The shard of this process, and its view of the others'."""

    def __init__(self, fold: Fold, *, faults: Faults) -> None:
        self._fold = fold
        self._faults = faults
        self._clock = fold.settings.clock
        self._folder = _folder(fold)
        names = sum(names.size for names in fold.names.values())
        self._capacity = shard_file.capacity(fold.counters.array.size, names)
        self._own: ShardFile | None = None
        self._retired = False
        self._reset()

    def _reset(self) -> None:
        self._own_name = ""
        self._seen = Scan(self._folder.nothing, {}, no_skips(), [])
        self._is_unread = self._is_unsettled = False
        self._failed_ns: int | None = None
        self._digest: Digest = EMPTY
        self._digest_ns = -DIGEST_NS

    def after_fork(self) -> None:
        """Leave the shard to the parent: a child that held it would keep it from the archive."""
        self._release()
        self._folder.lock.after_fork()
        self._reset()

    def retire(self) -> None:
        """Leave the shard to the archive and write no more."""
        with self._fold.lock:
            self._retired = True
            self._release()

    def _release(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.release()

    def publish(self) -> None:
        """Write this process's counts to its shard, a new one if it has none."""
        with self._fold.lock:
            before = self._own
            try:
                if self._publish():
                    self._failed_ns = None
            except Exception as error:
                # What could not be written keeps its shard: let go of, it would be folded, and
                # counted twice when it can be written again.
                self._failed_ns = self._clock.monotonic_ns()
                self._faults.error(Stage.SHARDS, error)
            opened = self._own is not None and self._own is not before
        if opened:  # a server that is never scraped must not pile up files either
            self._tidy()

    def _publish(self) -> bool:
        tally = self._addable(self._fold.tally(window=self._window()))
        if self._own is not None and self._own.is_deleted:
            self._release()  # the new one will have all counts again
        if self._own is None:
            if self._retired or not self._is_due() or not tally.array.any():
                return False
            folder = self._folder
            folder.directory.mkdir(parents=True, exist_ok=True)
            # Named before it can be seen: a scrape of this process would take it for another's.
            self._own_name = f"{folder.stem}-{os.urandom(8).hex()}{shard_dir.SHARD}"
            path = folder.directory / self._own_name
            self._own = ShardFile(path, folder.identity, self._capacity)
        self._own.publish(tally)
        return True

    def _addable(self, tally: Tally) -> Tally:
        return tally._replace(array=self._fold.counters.on_grid(tally.array))

    def _is_due(self) -> bool:
        now = self._clock.monotonic_ns()
        return self._failed_ns is None or now - self._failed_ns >= RETRY_NS

    def _window(self) -> Digest:
        now = self._clock.monotonic_ns()
        if now - self._digest_ns >= DIGEST_NS:
            self._digest = self._fold.digest(limit=shard_file.WINDOW_VALUES)
            self._digest_ns = now
        return self._digest

    def sum(self, own: Tally) -> Sum:
        """Return the counts of all processes, of which `own` are this one's."""
        own = self._addable(own)
        try:
            self._seen = self._folder.scan(self._own_name)
            self._is_unread = False
            self._settle(own)
        except Exception as error:
            # Go on with what was seen last: without the others, counters would fall.
            self._is_unread = True
            self._faults.error(Stage.SHARDS, error)
        scan = self._seen
        living = sum(record.living for record in scan.shards.values()) + bool(own.array.any())
        degraded = self._is_unread or self._is_unsettled or self._failed_ns is not None
        return Sum(self._folder.added([*scan.tallies, own]), living, scan.skipped, degraded)

    def _settle(self, own: Tally) -> None:
        try:
            if not self._folder.is_settled(self._seen, own):
                self._seen = self._folder.settled(own, self._own_name) or self._seen
            self._is_unsettled = False
        except Exception as error:  # no room for an archive: its shards are still there
            self._is_unsettled = True
            self._faults.error(Stage.SHARDS, error)

    def _tidy(self) -> None:
        """Fold what is dead, and remove what belongs to nobody."""
        try:
            self._folder.settled(self._fold.tally(), self._own_name)
            self._folder.sweep()
        except Exception as error:
            self._faults.error(Stage.SHARDS, error)


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


def _folder(fold: Fold) -> Folder:
    settings, counters = fold.settings, fold.counters
    assert settings.multiprocess_dir is not None
    identity = _identity(settings, fold)
    model = shard_dir.PREFIX + _short(f"{settings.name}\0{settings.version}".encode())
    return Folder(
        settings.multiprocess_dir,
        model=model,
        stem=f"{model}-{_short(identity)}",
        identity=identity,
        size=counters.array.size,
        places=counters.places,
    )


def _identity(settings: Settings, fold: Fold) -> bytes:
    """Return all that decides what a place in the array means, with the model version."""
    output = settings.value_buckets if settings.task is Task.REGRESSION else SCORE_BUCKETS
    layout = {
        "task": settings.task,
        "baseline": fold.subjects.checksum,
        "classes": settings.classes,
        "positive_label": settings.positive_label,
        "buckets": (settings.latency_buckets, BATCH_BUCKETS, output),
        "limits": LIMITS,
        "faults": (*DropReason, *Stage),
        "features": (tuple(fold.counters.declared), REASONS),
        "size": fold.counters.array.size,
    }
    checksum = hashlib.sha256(json.dumps(layout).encode()).hexdigest()
    identity = {"model_name": settings.name, "model_version": settings.version}
    return json.dumps({**identity, "format": FORMAT, "layout": checksum}).encode()
