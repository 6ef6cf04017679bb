"""A source that fails: told at once, the others unaffected, and nothing lost once it heals."""

import json
from pathlib import Path

import yaml
from tests.job.web_server import WebServer

from model_exporter.cli import main
from model_exporter.job.config import load
from model_exporter.job.runner import Runner
from model_exporter.job.service import Service

HEADER = "prediction_id,timestamp,model_version,prediction\n"
NOW = 1_800_000_000_000_000


def health(runner: Runner) -> dict[str, tuple[float, float]]:
    """Return whether each source is up, and how many rows it gave so far."""
    values = runner.turn(NOW).values
    return {
        name: (values["model_source_up"][model, name], rows)
        for (model, name), rows in values["model_source_rows_total"].items()
    }


def test_a_column_is_renamed_and_renamed_back(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text(HEADER + "a,2026-01-01,v1,1.5\n")
    (tmp_path / "labels.csv").write_text("prediction_id,label,label_timestamp\na,1,2026-01-02\n")
    model = {
        "name": "m",
        "task": "regression",
        "predictions": {"type": "csv", "path": "[0-9].csv"},
        "labels": {"type": "csv", "path": "labels.csv"},
        "windows": ["5000d"],
    }
    config = tmp_path / "exporter.yml"
    config.write_text(yaml.safe_dump({"models": [model]}))
    with Runner(load(config).models[0], tmp_path / "state") as runner:
        assert health(runner) == {"predictions": (1, 1), "labels": (1, 1)}
        (tmp_path / "2.csv").write_text(
            HEADER.replace("prediction_id", "uid") + "b,2026-01-01,v1,2\n"
        )
        (tmp_path / "3.csv").write_text(HEADER + "c,2026-01-01,v1,1.5\n")
        assert health(runner) == {"predictions": (0, 2), "labels": (1, 1)}  # the third is read
        assert "no column 'prediction_id'" in runner.failures[0]
        (tmp_path / "2.csv").write_text(HEADER + "b,2026-01-01,v1,2\n")
        assert health(runner) == {"predictions": (1, 3), "labels": (1, 1)}


def test_an_api_that_fails_and_heals(tmp_path: Path, monkeypatch) -> None:
    """At start, between and after: predictions are served all the time, labels once they come."""
    monkeypatch.setattr("model_exporter.job.sources.web.FIRST_WAIT_SECONDS", 0)
    (tmp_path / "1.csv").write_text(HEADER + "a,2026-01-01,v1,1.5\nb,2026-01-01,v1,2.5\n")
    rows = [{"prediction_id": "a", "label": 1, "label_timestamp": "2026-01-02"}]
    with WebServer(lambda request: request.answer(status=500)) as server:
        model = {
            "name": "m",
            "task": "regression",
            "predictions": {"type": "csv", "path": "1.csv"},
            "labels": {"type": "http", "url": server.url},
            "windows": ["5000d"],
        }
        config = tmp_path / "exporter.yml"
        config.write_text(yaml.safe_dump({"listen": "127.0.0.1:0", "models": [model]}))
        assert main(["check-config", str(config)]) == 1
        Service(config)  # is not refused
        with Runner(load(config).models[0], tmp_path / "state") as runner:
            assert health(runner) == {"predictions": (1, 2), "labels": (0, 0)}
            server.respond = lambda request: request.answer(json.dumps(rows))
            assert health(runner) == {"predictions": (1, 2), "labels": (1, 1)}
            renamed = [{"prediction_id": "b", "outcome": 2, "label_timestamp": "2026-01-02"}]
            server.respond = lambda request: request.answer(json.dumps(renamed))
            assert health(runner) == {"predictions": (1, 2), "labels": (0, 1)}
            assert "no column 'label'" in runner.failures[0]
            rows.append({"prediction_id": "b", "label": 2, "label_timestamp": "2026-01-02"})
            server.respond = lambda request: request.answer(json.dumps(rows))
            assert health(runner) == {"predictions": (1, 2), "labels": (1, 3)}
            labeled = runner.turn(NOW).values["model_window_labeled_predictions"]
            assert labeled["m", "all", "5000d", "", ""] == 2
