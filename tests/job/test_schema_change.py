"""A source whose columns change: told at once, its cursor unmoved, nothing lost once it heals."""

from pathlib import Path

import yaml

from model_exporter.job.config import load
from model_exporter.job.runner import Runner

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
