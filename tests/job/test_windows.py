"""Windows that are kept from one reading to the next are those that are read anew."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from model_exporter.job.cohorts import cohorts_of
from model_exporter.job.config import ModelConfig, load
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.store import Store
from model_exporter.job.windows import WindowReader, windows_of

SECOND = 1_000_000
HOUR = 3_600 * SECOND
START = 472_000 * HOUR
COLUMNS = {
    "predictions": ("prediction_id", "timestamp", "prediction", "score", "country"),
    "labels": ("prediction_id", "label_timestamp", "label"),
}
PASSES = [7 * SECOND, 40 * SECOND, HOUR // 3, HOUR, 5 * HOUR, 30 * HOUR]
MODELS: dict[str, dict[str, Any]] = {
    "binary": {"task": "binary"},
    "regression": {"task": "regression"},
    "label time": {"task": "binary", "windows_by": "label_timestamp", "cohorts": []},
    "retention": {"task": "binary", "retention": "26h"},
}


def configured(directory: Path, model: dict[str, Any]) -> ModelConfig:
    sources = {name: {"type": "parquet", "path": f"{name}.parquet"} for name in COLUMNS}
    more = {"windows": ["30m", "1d"], "cohorts": ["2h", "1d"], "segments": ["country"]}
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [{"name": "m", **sources, **more, **model}]}))
    return load(path).models[0]


def batch(source: str, rows: list[tuple[Any, ...]]) -> Batch:
    columns = zip(*rows, strict=True)
    arrays = {n: pa.array(c) for n, c in zip(COLUMNS[source], columns, strict=True)}
    return Batch("file", pa.table(arrays), Cursor(1, "x"))


def records(rng: random.Random, now: int, known: list[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Return some predictions, and labels of known ones: first labels and corrections."""
    new = [f"id{len(known) + i}" for i in range(rng.randint(1, 6))]
    known += new
    predictions = [
        (key, now - rng.randrange(26 * 60) * 60 * SECOND, rng.choice("01"), *_drawn(rng))
        for key in new
    ]
    labels = [(key, now - rng.randrange(HOUR), rng.choice("01")) for key in rng.choices(known, k=6)]
    return {"predictions": predictions, "labels": labels}


def _drawn(rng: random.Random) -> tuple[float, str]:
    return round(rng.random(), 3), rng.choice("AB")


def totals_of(reader: WindowReader) -> dict[Any, Any]:
    """Return all sums of all groups; what adds up to nothing is left out."""
    store = reader.store
    intervals = windows_of(store.model, store.now, maturity=0) | cohorts_of(store.model, store.now)
    return {
        (window.text, group): (
            totals.counts,
            {k: (rows, {e: n for e, n in parts.items() if n}) for k, (rows, parts) in sums},
            {name: steps.tolist() for name, steps in totals.scores.items()},
        )
        for window in reader.read(intervals)
        for group, totals in window.groups.items()
        for sums in (totals.sums.items(),)
    }


@pytest.mark.parametrize("exact_rows", [50_000, 0])
@pytest.mark.parametrize("model", MODELS)
def test_kept_sums_are_those_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, exact_rows: int
) -> None:
    """Whatever came, was corrected, left the windows or was forgotten in between."""
    monkeypatch.setattr("model_exporter.job.windows.EXACT_ROWS", exact_rows)
    rng, now, known = random.Random(model), START, list[str]()
    with Store(tmp_path / "state", configured(tmp_path, MODELS[model])) as store:
        kept = WindowReader(store)
        for _ in range(12):
            now += rng.choice(PASSES)
            store.advance(now)
            for source, rows in records(rng, now, known).items():
                store.ingest(source, [batch(source, rows)])
            found = totals_of(kept)
            assert found == totals_of(WindowReader(store))
