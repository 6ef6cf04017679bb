"""What a script logs itself is counted and logged like predictions, but is no call."""

import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_exporter import Baseline, ConfigError, DeliveryError, ModelMonitor, SchemaError
from model_exporter.demo.processes import Processes, answers, fetch, free_port
from model_exporter.records import Task
from model_exporter.sidecar.logged import task_of

Reader = Callable[..., Any]
SNIPPET = """
from model_exporter import ModelMonitor

monitor = ModelMonitor("example")
predictions = [0, 1, 1, 0, 1]
true_labels = [0, 1, 0, 0, 1]
monitor.log_predictions(predictions)
monitor.log_true_labels(true_labels)
accuracy = monitor.calculate_metric("accuracy")
print(f"Model accuracy: {accuracy:.2f}")
drift_score = monitor.detect_data_drift(new_data=predictions)
print(f"Data drift score: {drift_score:.2f}")
if accuracy < 0.8:
    monitor.send_alert("Model accuracy dropped below 80%")
"""


def test_the_shortest_script() -> None:
    """It runs as it stands, without scipy, which the base installation lacks."""
    without = "import sys; sys.modules['scipy'] = None\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", without + SNIPPET],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Model accuracy: 0.80\nData drift score: 0.00\n"


@pytest.mark.parametrize(
    ("output", "task"),
    [
        ([0, 1, 1], Task.BINARY),
        ([True, False], Task.BINARY),
        ([0.0, 1.0], Task.BINARY),
        ([1, None, float("nan")], Task.BINARY),
        ({"prediction": ["no", "yes"], "score": [0.1, 0.9]}, Task.BINARY),
        (["no", "yes"], Task.MULTICLASS),
        ([0, 1, 2], Task.MULTICLASS),
        ({"prediction": [1], "scores": {"0": [0.2], "1": [0.8]}}, Task.MULTICLASS),
        ([], Task.MULTICLASS),
        ([12.5, 3.0], Task.REGRESSION),
        ([0.5, -0.1], Task.REGRESSION),
        ([0.2, 0.8], None),
        (list(range(60)), None),
    ],
)
def test_the_task_is_told_by_predictions_or_asked_for(output: Any, task: Task | None) -> None:
    if task is None:
        with pytest.raises(ConfigError, match="task='binary'"):
            task_of(output)
    else:
        assert task_of(output) is task


def test_without_a_task_a_function_is_refused_when_it_is_monitored() -> None:
    with ModelMonitor("m") as monitor:
        with pytest.raises(ConfigError, match="say what the model predicts"):
            monitor(lambda row: 1)
        with pytest.raises(ConfigError, match="say what the model predicts"):
            monitor.calculate_metric("accuracy")


def test_logged_rows_count_in_all_but_calls(
    make: Callable[..., ModelMonitor], reader: Reader, baselines: dict[str, Baseline]
) -> None:
    """Rows, classes, bins of features: as a batch. Requests, latency, batch size: none."""
    monitor = make(baseline=baselines["binary"])
    classes = [0, 1, 1]
    rows = {"age": [30, None, 40], "country": ["de", "fr", "de"]}
    monitor.log_predictions(classes, scores=[0.1, 0.8, 0.9], features=rows)
    read = reader(monitor)
    assert read("model_predictions_total") == 3
    assert read("model_predicted_class_total", predicted_class="1") == 2
    assert read("model_feature_values_total", feature="age") == 3
    assert read("model_feature_missing_total", feature="age") == 1
    assert read("model_prediction_score_count") == 3
    assert read("model_last_prediction_timestamp_seconds") > 0
    assert read("model_prediction_requests_total") == 0
    assert read("model_prediction_latency_seconds_count") == 0


def test_logged_rows_go_to_the_log_with_their_ids(tmp_path: Path) -> None:
    with ModelMonitor("m", task="binary", log=tmp_path, strict=True) as monitor:
        monitor.log_predictions([1, 0], scores=[0.8, 0.3], ids=["a", 7])
        monitor.log_predictions([1])
    (path,) = tmp_path.glob("*.jsonl")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [row["prediction"] for row in rows] == ["1", "0", "1"]
    assert [row["prediction_id"] for row in rows[:2]] == ["a", "7"]
    assert len(rows[2]["prediction_id"]) == 36


def test_another_number_of_features_is_an_error_of_the_log_only(
    make: Callable[..., ModelMonitor], reader: Reader
) -> None:
    with ModelMonitor("m", task="binary") as monitor:
        monitor.log_predictions([1, 0], features={"age": [1]})
        assert reader(monitor)("model_predictions_total") == 2


@pytest.fixture(scope="module")
def alertmanager(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]
) -> Iterator[str]:
    """Return the address of an Alertmanager that keeps what it is sent."""
    debian = shutil.which("prometheus-alertmanager")
    program = debian or require_tool("alertmanager")
    directory = tmp_path_factory.mktemp("alertmanager")
    path = directory / "alertmanager.yml"
    path.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    address = f"http://127.0.0.1:{free_port()}"
    with Processes(directory) as processes:
        child = processes.start(
            "alertmanager",
            [
                program,
                f"--config.file={path}",
                f"--storage.path={directory / 'data'}",
                f"--web.listen-address={address.removeprefix('http://')}",
                "--cluster.listen-address=",
            ],
        )
        processes.wait_for("alertmanager", child, answers(f"{address}/-/ready"), 30)
        yield address


def test_alertmanager_takes_the_alert(alertmanager: str) -> None:
    """With the labels of the model; sent again it is the same one."""
    monitor = ModelMonitor("churn", version="3", alertmanager=alertmanager)
    for message in ("fell to 0.71", "fell to 0.70"):
        assert monitor.send_alert(message, labels={"team": "risk"}, check=True)
    deadline = time.monotonic() + 10
    while not (alerts := json.loads(fetch(f"{alertmanager}/api/v2/alerts"))):
        assert time.monotonic() < deadline
    (alert,) = alerts
    assert alert["labels"] == {
        "alertname": "ModelAlert",
        "model_name": "churn",
        "model_version": "3",
        "severity": "warning",
        "team": "risk",
    }
    assert alert["annotations"] == {"summary": "fell to 0.70"}


def test_an_alertmanager_that_refuses_says_why(alertmanager: str) -> None:
    monitor = ModelMonitor("m", alertmanager=f"{alertmanager}/nowhere")
    with pytest.raises(DeliveryError, match="answered 404"):
        monitor.send_alert("down", check=True)


def test_a_lost_alert_is_told_but_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "model_exporter")
    monitor = ModelMonitor("m", alertmanager=f"http://user:secret@127.0.0.1:{free_port()}")
    assert monitor.send_alert("down") is False
    assert "cannot be reached" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"message": ""}, "message=''"),
        ({"message": "x", "labels": {"a-b": "c"}}, "labels='a-b'"),
        ({"message": "x", "seconds": 0}, "seconds=0"),
    ],
)
def test_a_wrong_alert_is_refused(arguments: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        ModelMonitor("m").send_alert(**arguments)


def test_the_card_of_a_notebook(baselines: dict[str, Baseline]) -> None:
    """Before and after labels; every text is escaped."""
    monitor = ModelMonitor("<churn>")
    assert "none yet" in monitor._repr_html_()
    monitor.log_predictions([0, 1, 1])
    assert "accuracy" not in monitor._repr_html_()
    monitor.log_true_labels([0, 1, 0])
    card = monitor._repr_html_()
    assert "&lt;churn&gt;" in card
    assert "<churn>" not in card
    assert "0.667" in card
    with ModelMonitor("m", baseline=baselines["binary"]) as other:
        other(lambda row: 1)({"age": 30, "country": "de"})
        assert "drift of" in other._repr_html_()


def test_memory_is_bounded() -> None:
    monitor = ModelMonitor("m", evaluation_rows=10)
    for _ in range(5):
        monitor.log_predictions([1, 0, 1, 0])
    with pytest.raises(SchemaError, match="10 predictions wait"):
        monitor.log_true_labels([1] * 11)
    monitor.log_true_labels([1, 0] * 5)
    assert monitor.calculate_metric("accuracy").rows == 10
