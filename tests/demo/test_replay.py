"""The replay tells all of the data, in order, labels after their predictions."""

import csv
from collections import Counter
from datetime import datetime

import pytest

from model_exporter.demo.datasets import DATASETS
from model_exporter.demo.replay import LABEL_LAG, Replay, create_label_file

SECONDS = 90.0
STARTED = 1_700_000_000.0
TICK = 0.25


@pytest.fixture(params=DATASETS, ids=lambda d: d.model)
def played(request, tmp_path):
    """Rows asked with the second of asking, labels told, and the data set."""
    path = tmp_path / "labels.csv"
    create_label_file(path)
    asked = []
    with path.open("a") as file:
        replay = Replay(request.param, seconds=SECONDS, started=STARTED, labels=file)
        for i in range(int(SECONDS / TICK) + 1):
            message = replay.requests(i * TICK)
            if message:
                asked += [(key, i * TICK) for key in message["columns"]["prediction_id"]]
                assert set(message["columns"]) == {"prediction_id", *request.param.inputs}
            replay.tell_labels(i * TICK)
    with path.open() as file:
        return request.param, asked, list(csv.DictReader(file))


def test_every_row_once_and_in_order(played):
    """All predictions of the log are asked for again, in its order."""
    dataset, asked, _ = played
    assert [key for key, _ in asked] == dataset.read("predictions")["prediction_id"]


def test_labels_follow_their_predictions(played):
    """No label is older than the tick in which its prediction was asked for."""
    _, asked, labels = played
    seconds = dict(asked)
    known = [row for row in labels if row["prediction_id"] in seconds]
    assert known
    for row in known:
        told = datetime.fromisoformat(row["label_timestamp"]).timestamp() - STARTED
        assert told > seconds[row["prediction_id"]]
        assert told <= SECONDS + LABEL_LAG


def test_trouble_is_kept(played):
    """Repeats, corrections and orphans of the data come too."""
    _, asked, labels = played
    ids = Counter(row["prediction_id"] for row in labels)
    assert max(ids.values()) > 1
    assert set(ids) - {key for key, _ in asked}
    rows = Counter(tuple(row.values()) for row in labels)
    assert max(rows.values()) > 1, "an exact repeat stays exact"
