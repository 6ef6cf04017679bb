"""Written by us, read back by TensorBoard's own reader."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.job.test_order import LABEL, NOW, PREDICTION, configure, deliver, records
from tests.tracking.conftest import required

from model_exporter import Baseline
from model_exporter.catalogue import BY_NAME
from model_exporter.cli import main
from model_exporter.errors import ConfigError, DeliveryError
from model_exporter.records import Task
from model_exporter.tracking import baseline_record
from model_exporter.tracking.tensorboard import baseline_points, write
from model_exporter.tracking.windows import Point, point

MICROSECONDS = 1_000_000


def scalars(directory: Path) -> dict[str, list[tuple[float, int, float]]]:
    """Return time, step and value of the scalars of a run, by tag."""
    required("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    reader.Reload()
    return {
        tag: [(event.wall_time, event.step, event.value) for event in reader.Scalars(tag)]
        for tag in reader.Tags()["scalars"]
    }


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    required("tensorboardX")
    directory = tmp_path_factory.mktemp("windows")
    path = configure(directory)
    predictions, labels = records(seed=5)
    deliver(directory, "predictions", PREDICTION, predictions, 1)
    deliver(directory, "labels", LABEL, labels, 1)
    return path


def iso(micros: int) -> str:
    return datetime.fromtimestamp(micros // MICROSECONDS, UTC).isoformat()


def test_what_once_says_is_drawn(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every series of a window: its value at single precision, at the time of the evaluation."""
    log = tmp_path / "log"
    at = NOW // MICROSECONDS * MICROSECONDS
    arguments = ["once", "--config", str(config), "--now", iso(at), "--tensorboard", str(log)]
    assert main(arguments) == 0
    expected: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(capsys.readouterr().out):
        for sample in family.samples:
            if sample.name in BY_NAME:
                labels = tuple(sample.labels[name] for name in BY_NAME[sample.name].labels)
                task = {sample.labels.get("model_name", ""): Task.BINARY}
                made = point(sample.name, labels, sample.value, at=at, tasks=task)
                if made:
                    expected.setdefault(made.run, {})[made.tag] = made.value
    assert len(expected) > 1, "versions are runs"
    for run, values in expected.items():
        found = scalars(log / run)
        assert found.keys() == values.keys()
        for tag, value in values.items():
            ((time, step, drawn),) = found[tag]
            assert (time, step) == (at / MICROSECONDS, at // MICROSECONDS)
            assert drawn == pytest.approx(value, rel=1e-6), tag
    assert any(tag.startswith("accuracy_lower/") for tag in found)


def test_the_past_is_a_curve(config: Path, tmp_path: Path) -> None:
    """`backfill` draws a point a step."""
    hour = 3_600 * MICROSECONDS
    last = NOW // hour * hour
    arguments = [
        *("backfill", "--config", str(config), "-o", str(tmp_path / "past.om"), "--step=1h"),
        *("--from", iso(last - 3 * hour), "--to", iso(last), "--tensorboard", str(tmp_path)),
    ]
    assert main(arguments) == 0
    (run,) = {path.parent for path in tmp_path.rglob("events.*") if path.parent.name == "all"}
    found = scalars(run)
    tag = "window_predictions/1d"
    assert [step for _, step, _ in found[tag]] == [
        (last - i * hour) // MICROSECONDS for i in (3, 2, 1, 0)
    ]


def test_a_baseline_stands_beside_its_windows(baseline: Baseline, tmp_path: Path) -> None:
    required("tensorboardX")
    at = 1_700_000_000 * MICROSECONDS
    write(tmp_path, baseline_points(baseline, at=at))
    found = scalars(tmp_path / "churn" / "3")
    metrics = baseline_record(baseline).metrics
    assert len(found) == len(metrics)
    ((time, step, value),) = found["accuracy/baseline"]
    assert (time, step) == (1.7e9, 1_700_000_000)
    assert value == pytest.approx(metrics["accuracy"], rel=1e-6)
    assert "class_f1_lower/baseline/1" in found


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    required("tensorboardX")
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError, match="cannot write TensorBoard's events"):
        write(tmp_path / "file", [Point("churn/3", "accuracy/7d", 0.5, 0)])


def test_without_the_writer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    points: list[Any] = []
    with pytest.raises(ConfigError, match=r"pip install 'model-exporter\[tensorboard\]'"):
        write(tmp_path, points)
