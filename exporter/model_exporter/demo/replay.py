"""Plays a data set's later part again, in fast motion and in order: predictions, then labels.

A model's whole log fits in the story, so every model has a speed of its own; the delay of a label
is divided by the same number as the time between two predictions.
"""

import csv
import time
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from model_exporter.demo.configuration import label_file
from model_exporter.demo.datasets import DATASETS, Columns, Dataset

LABEL_COLUMNS = ("prediction_id", "label", "label_timestamp")
LABEL_LAG = 0.6
"""Seconds that every label comes later than its due, so that none precedes its prediction: rows
are sent a tick after theirs."""


class Replay:
    """What one model is asked, and told, as the story goes on.

    Parameters
    ----------
    seconds
        Length of the story.
    started
        Unix time at which it starts.
    labels
        The CSV file to append labels to.
    prefix
        What ids begin with, for data that are played more than once.
    """

    def __init__(
        self, dataset: Dataset, *, seconds: float, started: float, labels: TextIO, prefix: str = ""
    ) -> None:
        self.dataset = dataset
        self._rows = _renamed(dataset.read("predictions"), prefix)
        self._labels = _renamed(dataset.read("labels"), prefix)
        self._started = started
        self._writer = csv.writer(labels)
        self._file = labels
        times = self._rows["timestamp"]
        self._first = times[0]
        self._speed = (times[-1] - times[0]).total_seconds() / seconds
        self._row_times = [min(time, seconds) for time in self._story_times(times)]
        self._label_times = self._story_times(self._labels["label_timestamp"])
        # A label can stand before an earlier one in the file; it is told when its time has come.
        self._label_order = sorted(range(len(self._label_times)), key=self._label_times.__getitem__)
        self._due_times = [self._label_times[i] for i in self._label_order]
        self._asked = self._told = 0

    def _story_times(self, times: Sequence[datetime]) -> list[float]:
        return [(time - self._first).total_seconds() / self._speed for time in times]

    def date(self, elapsed: float) -> datetime:
        """Return where in the data the story is."""
        index = min(bisect_right(self._row_times, elapsed), len(self._row_times)) - 1
        found: datetime = self._rows["timestamp"][max(index, 0)]
        return found

    def requests(self, elapsed: float) -> dict[str, Any] | None:
        """Return the rows to predict now, as a message to the model server; None if there are none.

        The rows go without what the original model said about them.
        """
        start, self._asked = self._asked, bisect_right(self._row_times, elapsed)
        if start == self._asked:
            return None
        names = ("prediction_id", *self.dataset.inputs)
        columns = {name: self._rows[name][start : self._asked] for name in names}
        return {"model": self.dataset.model, "columns": columns}

    def tell_labels(self, elapsed: float) -> None:
        """Append the labels that have arrived by now."""
        start, self._told = self._told, bisect_right(self._due_times, elapsed - LABEL_LAG)
        for i in self._label_order[start : self._told]:
            at = datetime.fromtimestamp(self._started + self._label_times[i] + LABEL_LAG, UTC)
            row = (self._labels["prediction_id"][i], self._labels["label"][i], at.isoformat())
            self._writer.writerow(row)
        self._file.flush()


def _renamed(rows: Columns, prefix: str) -> Columns:
    return {**rows, "prediction_id": [f"{prefix}{key}" for key in rows["prediction_id"]]}


def open_replays(
    files: ExitStack, directory: Path, *, seconds: float, prefix: str = ""
) -> list[Replay]:
    """Return the replays of all data sets, starting now; `files` closes their label files."""
    started = time.time()
    return [
        Replay(
            dataset,
            seconds=seconds,
            started=started,
            labels=files.enter_context(label_file(dataset, directory).open("a")),
            prefix=prefix,
        )
        for dataset in DATASETS
    ]


def create_label_file(path: Path) -> None:
    """Write the header; the job wants to see the file when it starts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(",".join(LABEL_COLUMNS) + "\n", "utf-8")
