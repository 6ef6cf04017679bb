"""Versions that predict the same ids: each as if it were alone, and every label counted once.

The oracle is the plain store: of one version's predictions at a time, and, for the ledger, of all
of them, where the prediction that was logged first is the only one that counts.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from model_exporter.job.config import ModelConfig, load
from model_exporter.job.evaluate import evaluate
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowReader, WindowTotals, windows_of

MINUTE = 60_000_000
HOUR = 60 * MINUTE
START = 472_000 * HOUR
PREDICTION = ("prediction_id", "timestamp", "model_version", "prediction", "score", "country")
LABEL = ("prediction_id", "label_timestamp", "label")
VERSIONS = ("1", "2", "3")


def configured(directory: Path, **more) -> ModelConfig:
    columns = {"version": "model_version", "score": "score"}
    config = {
        "name": "m",
        "task": "binary",
        "predictions": {"type": "csv", "path": "p.csv", "columns": columns},
        "labels": {"type": "csv", "path": "l.csv"},
        "windows": ["2h", "1d", "3d"],
        "max_label_delay": "5h",
        "segments": ["country"],
        **more,
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [config]}), "utf-8")
    return load(path).models[0]


def batch(names: tuple[str, ...], rows: list[tuple]) -> Batch:
    columns = {n: pa.array(c) for n, c in zip(names, zip(*rows, strict=True), strict=True)}
    return Batch("file", pa.table(columns), Cursor(1, "x"))


def records(rng: random.Random, ids: int = 40) -> tuple[list[tuple], list[tuple]]:
    """Predictions by one to three versions, some at another time or twice; labels of all kinds."""
    predictions, labels = [], []
    for i in range(ids):
        born = START - rng.randrange(60 * 60) * MINUTE
        for version in rng.sample(VERSIONS, rng.choice([1, 2, 3, 3])):
            ts = born + rng.choice([0, 0, 7, -90, 200]) * MINUTE
            row = (f"id{i}", ts, version, rng.choice("01"), rng.random(), rng.choice("AB"))
            predictions.append(row)
            if rng.random() < 0.2:
                predictions.append((row[0], ts + rng.choice([-3, 3]) * MINUTE, *row[2:]))
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            labels.append((f"id{i}", born + rng.randrange(-60, 420) * MINUTE, rng.choice("01")))
    labels += [(f"nobody{i}", START - i * HOUR, "1") for i in range(5)]
    return predictions, labels


def steps(rng: random.Random, *sources: tuple[str, list[tuple]]) -> list[tuple[str, list[tuple]]]:
    """Cut the records into batches, one delivered twice, in any order."""
    found = []
    for source, rows in sources:
        rows = rng.sample(rows, len(rows))
        parts = rng.randint(1, 3)
        found += [(source, rows[part::parts]) for part in range(parts)]
    found += rng.sample(found, 1)
    rng.shuffle(found)
    return found


def fill(store: Store, batches: list[tuple[str, list[tuple]]], now: int) -> WindowReader:
    """Take in the batches while time passes, with a look at the windows on the way."""
    reader = WindowReader(store)
    for i, (source, rows) in enumerate(batches):
        store.advance(now - (len(batches) - i) * 20 * MINUTE)
        names = PREDICTION if source == "predictions" else LABEL
        if rows:
            store.ingest(source, [batch(names, rows)])
        if i == len(batches) // 2:
            list(read(reader))
    store.advance(now)
    return reader


def read(reader: WindowReader) -> Iterator[WindowTotals]:
    store = reader.store
    return reader.read(windows_of(store.model, store.now, maturity=0))


def totals_of(reader: WindowReader, version: str) -> dict[tuple, tuple]:
    return {
        (window.text, group.segment, group.segment_value): (
            dict(totals.counts),
            {key: dict(parts) | {"rows": rows} for key, (rows, parts) in totals.sums.items()},
            {name: steps.tolist() for name, steps in totals.scores.items()},
        )
        for window in read(reader)
        for group, totals in window.groups.items()
        if group.version == version
    }


def of(version: str, batches: list[tuple[str, list[tuple]]]) -> list[tuple[str, list[tuple]]]:
    return [
        (source, [r for r in rows if source == "labels" or r[2] == version])
        for source, rows in batches
    ]


SETTINGS = [
    {},
    {"label_policy": "first"},
    {"windows_by": "label_timestamp"},
    {"retention": "4d"},
]


@pytest.mark.parametrize("more", SETTINGS, ids=str)
def test_each_version_is_as_if_it_were_alone(tmp_path: Path, more: dict) -> None:
    """Windows, segments and scores; whatever the order, the split and the repetition."""
    rng = random.Random(str(more))
    predictions, labels = records(rng)
    batches = steps(rng, ("predictions", predictions), ("labels", labels))
    shadow = configured(tmp_path, shadow=True, **more)
    with Store(tmp_path / "shadow", shadow) as store:
        found = fill(store, batches, START)
        store.advance(START - 5 * HOUR)
        store.advance(START)
        rebuilt = WindowReader(store)
        for version in VERSIONS:
            with Store(tmp_path / version, configured(tmp_path, **more)) as alone:
                expected = totals_of(fill(alone, of(version, batches), START), version)
            assert totals_of(found, version) == expected
            assert totals_of(rebuilt, version) == expected


@pytest.mark.parametrize("seed", range(3))
def test_the_ledger_counts_each_label_once(tmp_path: Path, seed: int) -> None:
    """By the prediction that was logged first: as the plain store has it, which knows no other."""
    rng = random.Random(seed)
    predictions, labels = records(rng)
    batches = steps(rng, ("predictions", predictions), ("labels", labels))
    ledgers = []
    for shadow in (False, True):
        model = configured(tmp_path, shadow=shadow)
        with Store(tmp_path / str(shadow), model) as store:
            samples = evaluate(fill(store, batches, START)).values
            ledgers.append((samples["model_labels_total"], samples["model_labels_waiting"]))
    assert ledgers[0] == ledgers[1]


def test_a_label_is_kept_while_a_version_of_its_id_is(tmp_path: Path) -> None:
    """What is forgotten of one version is not forgotten of another that came later."""
    model = configured(tmp_path, shadow=True, retention="3d", max_label_delay="9d")
    rows = [("a", START - 70 * HOUR, "1", "1", 0.5, "A"), ("a", START, "2", "1", 0.5, "A")]
    with Store(tmp_path / "state", model) as store:
        store.advance(START)
        store.ingest("predictions", [batch(PREDICTION, rows)])
        store.ingest("labels", [batch(LABEL, [("a", START, "1")])])
        for hours, versions, labels in ((0, 2, 1), (5, 1, 1), (80, 0, 0)):
            store.advance(START + hours * HOUR)
            assert store.query("SELECT count(*) FROM prediction") == [(versions,)]
            assert store.query("SELECT count(*) FROM labeled") == [(versions,)]
            assert store.query("SELECT count(*) FROM label") == [(labels,)]


def test_turning_it_on_reads_again(tmp_path: Path) -> None:
    """What the plain store left out cannot be known, so that nothing is kept."""
    with Store(tmp_path / "state", configured(tmp_path)) as store:
        store.advance(START)
        store.ingest("predictions", [batch(PREDICTION, [("a", START, "1", "1", 0.5, "A")])])
    with Store(tmp_path / "state", configured(tmp_path, shadow=True)) as store:
        assert store.cursors("predictions") == {}
        assert store.query("SELECT count(*) FROM prediction") == [(0,)]
