"""Whatever happens to the store's files, the next run's output is that of an uninterrupted one."""

import random
import shutil
from pathlib import Path

import pytest
from tests.job import test_order
from tests.job.test_order import LABEL, PREDICTION, configure, deliver, evaluate, records

from model_exporter.job.config import load
from model_exporter.job.once import once

CUTS = 40
"""With --runslow, 1,000."""


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    """Make a configuration, its sources, and the state after two of three deliveries."""
    directory = tmp_path_factory.mktemp("state")
    path = configure(directory)
    predictions, labels = records(seed=1)
    deliver(directory, "predictions", PREDICTION, predictions, 3)
    deliver(directory, "labels", LABEL, labels, 3)
    late = directory / "labels" / "002.csv"
    late.rename(directory / "late.csv")
    evaluate(path)
    (directory / "late.csv").rename(late)
    return path


@pytest.fixture(scope="module")
def reference(state: Path, tmp_path_factory) -> str:
    directory = tmp_path_factory.mktemp("reference")
    shutil.copytree(state.parent, directory, dirs_exist_ok=True)
    shutil.rmtree(directory / "state")
    return evaluate(directory / state.name)


def test_cuts_at_arbitrary_bytes(
    state: Path, reference: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Truncated, overwritten in the middle, or emptied: the file itself and its log."""
    rng = random.Random(0)
    cuts = 1_000 if request.config.getoption("--runslow") else CUTS
    aside = 0
    for case in range(cuts):
        directory = tmp_path / str(case)
        shutil.copytree(state.parent, directory)
        files = sorted((directory / "state").iterdir())
        file = rng.choice(files)
        data = file.read_bytes()
        place = rng.randrange(len(data) + 1)
        if rng.random() < 0.3 and place < len(data):
            noise = rng.randbytes(min(rng.randrange(1, 5_000), len(data) - place))
            file.write_bytes(data[:place] + noise + data[place + len(noise) :])
        else:
            file.write_bytes(data[:place])
        text, failures = once(load(directory / state.name), now=test_order.NOW)
        assert failures == []
        assert text == reference, f"case {case}: {file.name} of {len(data)} bytes at {place}"
        aside += bool(list((directory / "state").glob("*.damaged")))
        shutil.rmtree(directory)
    assert aside  # or nothing was damaged at all
