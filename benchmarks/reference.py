"""What every case of the hot path gets alike: the function, its rows, the reference data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from model_exporter import Baseline

FEATURES = [f"feature_{i}" for i in range(10)]
ROWS = 256
"""Distinct rows that the calls cycle through."""
BURST = 4_096
"""Calls between two folds: 270 a second with a scrape every 15 s. They fit the buffer, so the fold
comes with the scrape; `hot_path.py` shows the other extreme at its end, a loop without rest."""
Call = Callable[[Any], Any]


def predict(row: Any) -> float:
    return 0.25


def make_table() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=2_000) for name in FEATURES}
    table["prediction"] = rng.random(2_000)
    return table


def make_baseline() -> Baseline:
    return Baseline.from_table(make_table(), task="regression", features={"numeric": FEATURES})


def make_rows(kind: str) -> list[Any]:
    """Return the same rows as lists, dicts or numpy arrays."""
    values = np.random.default_rng(1).uniform(-1.5, 1.5, size=(ROWS, len(FEATURES)))
    if kind == "numpy":
        return [np.array(row) for row in values]
    lists = values.tolist()
    if kind == "dict":
        return [dict(zip(FEATURES, row, strict=True)) for row in lists]
    return lists
