"""A directory of prediction log files: names, budget, remains."""

import itertools
from pathlib import Path

from model_exporter.sidecar.clock import Clock
from model_exporter.sidecar.faults import DropReason, Faults
from model_exporter.sidecar.log_budget import Budget
from model_exporter.sidecar.log_files import JsonLines, LogFile, Parquet, temporary
from model_exporter.sidecar.log_names import prefix, stem
from model_exporter.sidecar.log_remains import adopt_remains
from model_exporter.sidecar.log_rows import LogSchema


class LogDirectory:
    """Where a writer opens its files; shared with other processes and other models."""

    def __init__(
        self,
        path: Path,
        schema: LogSchema,
        *,
        suffix: str,
        budget: int,
        clock: Clock,
        faults: Faults,
    ) -> None:
        self._path = path
        self._schema = schema
        self._suffix = suffix
        self._clock = clock
        self._prefix = prefix(schema.model_name)
        self._budget = Budget(
            path,
            limit=budget,
            model_prefix=self._prefix,
            dropped=lambda rows: faults.drop(DropReason.LOG_BUDGET, rows),
        )
        self.after_fork()

    def after_fork(self) -> None:
        """Start to count files anew: the pid in their names is another."""
        self._numbers = itertools.count()

    def open(self) -> LogFile:
        """Return a new file, and adopt what dead writers left behind."""
        self._path.mkdir(parents=True, exist_ok=True)
        adopt_remains(self._path, self._prefix)
        self._budget.look()
        kind = Parquet if self._suffix == "parquet" else JsonLines
        return kind(self._new_path(), self._schema, reserve=self._budget.reserve)

    def _new_path(self) -> Path:
        while True:
            name = stem(
                self._schema.model_name, wall_ns=self._clock.wall_ns(), number=next(self._numbers)
            )
            path = self._path / f"{name}.{self._suffix}"
            # A renaming replaces what has the name; two versions may begin in one microsecond.
            if not path.exists() and not temporary(path).exists():
                return path
