"""Runs the job over rows in memory, for tests of what it measures."""

import csv
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from model_exporter.job.config import load
from model_exporter.job.once import once

NOW = 1_700_000_000_000_000


def write(path: Path, columns: dict[str, list]) -> None:
    with path.open("w", newline="") as file:
        rows = zip(*columns.values(), strict=True)
        csv.writer(file).writerows([list(columns), *rows])


def serve(
    directory: Path,
    model: dict,
    predictions: dict[str, list],
    labels: dict[str, list],
    *,
    named: tuple[dict, dict] = ({}, {}),
) -> "Served":
    """Evaluate once, and return what is served.

    Ids and times are added to the columns; `named` are further columns of the configuration.
    """
    count = len(next(iter(predictions.values())))
    ids = [f"id{i}" for i in range(count)]
    times = [(NOW - 1_000_000 * i) / 1e6 for i in range(count)]
    write(directory / "predictions.csv", {"prediction_id": ids, "timestamp": times, **predictions})
    given = len(next(iter(labels.values())))
    write(
        directory / "labels.csv",
        {"prediction_id": ids[:given], "label_timestamp": [NOW / 1e6] * given, **labels},
    )
    config = {
        "name": "m",
        "predictions": {"type": "csv", "path": "predictions.csv", "columns": named[0]},
        "labels": {"type": "csv", "path": "labels.csv", "columns": named[1]},
        "windows": ["30d"],
        **model,
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [config]}), "utf-8")
    text, failures = once(load(path), now=NOW)
    assert failures == []
    return Served(text)


class Served:
    """The samples of an exposition."""

    def __init__(self, text: str) -> None:
        self._samples = [s for f in text_string_to_metric_families(text) for s in f.samples]

    def get(self, name: str, **labels: str) -> float | None:
        """Return the only sample with these labels; of all versions and rows unless they say."""
        wanted = {"model_version": "all", "segment": "", **labels}
        found = [
            s.value
            for s in self._samples
            if s.name == name and all(s.labels.get(k, v) == v for k, v in wanted.items())
        ]
        assert len(found) < 2, f"{name}: {labels} are not enough to tell samples apart"
        return found[0] if found else None

    def estimate(self, name: str, **labels: str) -> tuple[float | None, ...]:
        """Return lower end, value and upper end."""
        return tuple(self.get(f"{name}{end}", **labels) for end in ("_lower", "", "_upper"))
