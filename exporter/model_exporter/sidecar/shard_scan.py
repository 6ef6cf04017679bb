"""Reads the shards of a model version together, and folds dead ones into the archive.

A fold writes a new archive, gives it its name in one step, and only then removes the shards. The
archive says which shards it has: killed in between, those count once all the same. Reading takes
no lock: when the archive is the same before and after, no shard has moved into it meanwhile.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from model_exporter.sidecar import shard_dir, shard_file
from model_exporter.sidecar.sections import Places, SlotNames, granted
from model_exporter.sidecar.shard_file import Record, SkipReason, UnusableError
from model_exporter.sidecar.tally import Tally, added

SCANS = 50
"""Tries to read all files without a fold in between."""


class Scan(NamedTuple):
    """The files of a model version and layout at one moment, but for the process's own shard."""

    archive: Record
    shards: dict[str, Record]
    skipped: dict[SkipReason, int]
    leftover: list[str]

    @property
    def dead(self) -> list[str]:
        """Shards whose processes have ended."""
        return [name for name, record in self.shards.items() if not record.living]

    @property
    def tallies(self) -> list[Tally]:
        """What to add to the process's own counts, the archive's first."""
        found = (r.tally if r.living else r.tally.ended() for r in self.shards.values())
        return [self.archive.tally, *found]


def no_skips() -> dict[SkipReason, int]:
    """Return a zero for each reason."""
    return dict.fromkeys(SkipReason, 0)


class Folder:
    """The files of one model version and layout in a directory.

    Parameters
    ----------
    model, stem
        What the names of the files begin with: of the model version, and of this layout of it.
    identity
        What the heads of the files say.
    size
        Length of the flat array.
    places
        Where the sections whose slots have names are in it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        model: str,
        stem: str,
        identity: bytes,
        size: int,
        places: Places,
    ) -> None:
        self.directory = directory
        self.identity = identity
        self.stem = stem
        self.lock = shard_dir.Lock(directory)
        self.nothing = Record(0, Tally(np.zeros(size), granted([], places)))
        self.archive = directory / f"{stem}{shard_dir.ARCHIVE}"
        self._model = model
        self._places = places

    def added(self, tallies: list[Tally]) -> Tally:
        """Return the sum of tallies."""
        return added(tallies, self._places)

    def names(self, scan: Scan, own: Tally) -> SlotNames:
        """Return the names that get a series: the archive's first.

        What an archive has once named keeps its series, whichever process asks: otherwise, with
        more names than slots, series would come and go.
        """
        return granted([tally.names for tally in (*scan.tallies, own)], self._places)

    def is_settled(self, scan: Scan, own: Tally) -> bool:
        """Return whether there is nothing to fold and no name to add."""
        named = self.names(scan, own) == scan.archive.tally.names
        return named and not scan.dead and not scan.leftover

    def scan(self, own_name: str) -> Scan:
        """Read all files, but for the process's own shard, as they are between two folds."""
        for _ in range(SCANS):
            skipped = no_skips()
            archive = self._read_archive(skipped)
            try:
                scan = self._read_shards(archive, skipped, own_name)
            except FileNotFoundError:  # folded since they were listed
                continue
            if self._read_archive(no_skips()).sequence == archive.sequence:
                return scan
        raise TimeoutError(110, "other processes fold shards all the time")

    def _read_archive(self, skipped: dict[SkipReason, int]) -> Record:
        try:
            return self._read(self.archive)
        except FileNotFoundError:
            return self.nothing
        except UnusableError as error:
            skipped[error.reason] += 1
            return self.nothing

    def _read(self, path: Path) -> Record:
        record = shard_file.read(path, self.identity)
        if record.tally.array.size != self.nothing.tally.array.size:
            raise UnusableError(SkipReason.DAMAGED)
        return record

    def _read_shards(self, archive: Record, skipped: dict[SkipReason, int], own_name: str) -> Scan:
        scan = Scan(archive, {}, skipped, [])
        for name in sorted(self._shard_names()):
            path = self.directory / name
            if name == own_name:
                continue
            if name in archive.folded:
                scan.leftover.append(name)
            elif name.startswith(self.stem):
                try:
                    scan.shards[name] = self._read(path)
                except (UnusableError, PermissionError) as error:
                    skipped[getattr(error, "reason", SkipReason.DAMAGED)] += 1
            else:
                skipped[SkipReason.LAYOUT] += not shard_dir.is_free(path)
        return scan

    def _shard_names(self) -> list[str]:
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        return [n for n in names if n.startswith(self._model) and n.endswith(shard_dir.SHARD)]

    def settled(self, own: Tally, own_name: str) -> Scan | None:
        """Fold dead shards into the archive; None if another process is at it."""
        with self.lock.held() as is_ours:
            if not is_ours:
                return None
            scan = self.scan(own_name)
            if self.is_settled(scan, own):
                return scan
            archive = self._folded(scan, own)
            shard_file.write_archive(self.archive, self.identity, archive)
            for name in archive.folded:
                (self.directory / name).unlink(missing_ok=True)
            living = {name: record for name, record in scan.shards.items() if record.living}
            return scan._replace(archive=archive, shards=living, leftover=[])

    def _folded(self, scan: Scan, own: Tally) -> Record:
        names = Tally(np.zeros_like(own.array), self.names(scan, own))
        ended = [scan.shards[name].tally.ended() for name in scan.dead]
        tally = self.added([names, scan.archive.tally, *ended])
        return Record(scan.archive.sequence + 1, tally, folded=(*scan.dead, *scan.leftover))

    def sweep(self) -> None:
        """Remove what nobody has used for long."""
        with self.lock.held() as is_ours:
            if is_ours:
                shard_dir.sweep(self.directory, keep=self.archive.name)
