"""The examples of docs/tracking.md run, in their order."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.tracking.test_tensorboard import scalars

from model_exporter.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[list[str]]:
    text = "".join(blocks("console")).replace("\\\n", "")
    return [shlex.split(line.removeprefix("$ ")) for line in text.splitlines()]


def test_the_examples_run(
    client: Any, table: dict[str, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block sees the names of those before it; the last commands see the monitor's log."""
    monkeypatch.chdir(tmp_path)
    run = client.create_run(os.environ["MLFLOW_EXPERIMENT_ID"]).info
    client.create_registered_model("churn")
    for _ in range(3):
        client.create_model_version("churn", f"runs:/{run.run_id}/model", run.run_id)
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    lines = [json.dumps({**row, "balance": row["age"] * 2}) for row in rows]
    Path("holdout.jsonl").write_text("\n".join(lines))
    Path("gate.json").write_text('{"decision": "pass", "rows": 900, "findings": []}')

    train, log, monitor, gate = blocks("python")
    baseline, once, backfill, tensorboard = commands()
    assert tensorboard[0] == "tensorboard"
    names: dict[str, Any] = {}
    exec(compile(train, "training", "exec"), names)
    assert len(scalars(Path("logs/training"))["roc_auc"]) == 3
    assert main([part.replace("parquet", "jsonl") for part in baseline[1:]]) == 0
    for block in (log, monitor, gate):
        exec(compile(block, str(tmp_path), "exec"), names)
    tags = client.get_model_version_by_alias("churn", "champion").tags
    assert tags.keys() == {
        *("model_exporter.baseline", "model_exporter.baseline_checksum"),
        *("model_exporter.gate", "model_exporter.gate_decision"),
    }
    names["monitor"].close()

    (config,) = blocks("yaml")
    Path("exporter.yml").write_text(config.replace("parquet", "jsonl"))
    Path("predictions").mkdir()
    row = {"prediction_id": "1", "timestamp": "2026-01-30T00:00:00Z", "prediction": "1"}
    Path("predictions/1.jsonl").write_text(json.dumps({**row, "model_version": "3"}) + "\n")
    assert main([*once[1:], "--now", "2026-01-30T01:00:00Z"]) == 0
    assert main(backfill[1:]) == 0
    assert scalars(Path("logs/churn/3"))["window_predictions/7d"][-1][2] == 1
