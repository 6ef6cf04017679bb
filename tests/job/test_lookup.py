"""Where ids tell how old they are, late labels are looked for among the rows of their time."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from model_exporter.job import merging
from model_exporter.job.columns import UUIDS_ARE_NUMBERS
from model_exporter.job.config import load
from model_exporter.job.sources import Batch, Cursor
from model_exporter.job.store import Store

pytestmark = pytest.mark.skipif(
    not UUIDS_ARE_NUMBERS, reason="DuckDB before 2.0 names what it scanned otherwise"
)
START = 1_700_000_000_000
ROWS, BATCH = 600_000, 200_000


def _uuid7(i: int) -> str:
    time = f"{START + i:012x}"
    return f"{time[:8]}-{time[8:]}-7{i % 4096:03x}-8000-{i:012x}"


IDS: dict[str, Callable[[int], str]] = {
    "numbers": lambda i: str(10_000_000 + i),
    "UUIDs of version 7": _uuid7,
}


@pytest.fixture(params=IDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    model = {"name": "m", "task": "binary", "windows": ["1d"]}
    model |= {
        name: {"type": "jsonl", "path": f"{name}.jsonl"} for name in ("predictions", "labels")
    }
    path = tmp_path / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [model]}), "utf-8")
    of = IDS[request.param]
    with Store(tmp_path / "state", load(path).models[0]) as store:
        store.advance((START + ROWS) * 1_000)
        for first in range(0, ROWS, BATCH):
            places = range(first, first + BATCH)
            table = pa.table(
                {
                    "prediction_id": [of(i) for i in places],
                    "timestamp": pa.array(
                        [(START + i) * 1_000 for i in places], pa.timestamp("us")
                    ),
                    "prediction": ["1"] * BATCH,
                }
            )
            store.ingest("predictions", [Batch("all", table, Cursor(first + BATCH))])
        yield store


@pytest.mark.parametrize("first", [0, ROWS - 1_000], ids=["the oldest", "the newest"])
def test_rows_of_another_time_are_passed_over(store: Store, first: int) -> None:
    times = f"ts >= {(START + first) * 1_000} AND ts < {(START + first + 1_000) * 1_000}"
    store.query(f"CREATE TEMP TABLE wanted AS SELECT key FROM prediction WHERE {times}")
    near = merging.near("prediction", "wanted")
    assert store.query(f"SELECT count(*) FROM ({near})") == [(1_000,)]
    plan = store.query(f"EXPLAIN (ANALYZE, FORMAT JSON) {near}")[0][1]
    scanned = sum(
        operator["rows_scanned"]
        for operator in _operators(json.loads(plan))
        if operator.get("extra_info", {}).get("Table", "").endswith(".prediction")
    )
    assert 1_000 <= scanned <= ROWS / 2


def _operators(plan: Any) -> Iterator[dict[str, Any]]:
    if isinstance(plan, list):
        for part in plan:
            yield from _operators(part)
    elif isinstance(plan, dict):
        yield plan
        for part in plan.values():
            yield from _operators(part)
