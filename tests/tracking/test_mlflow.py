"""Written by us, read back by MLflow's own client, from its own store."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.tracking.conftest import required

from model_exporter import Baseline, ModelMonitor
from model_exporter.cli import main
from model_exporter.errors import BaselineError, ConfigError, DeliveryError, ModelExporterError
from model_exporter.job.config import load
from model_exporter.tracking import Record, baseline_record, gate_record
from model_exporter.tracking.mlflow import log
from model_exporter.tracking.source import load_baseline

CONFIG = """
models:
  - name: churn
    task: binary
    baseline: {uri}
    predictions:
      type: jsonl
      path: predictions/*.jsonl
      columns: {{id: id, timestamp: time, prediction: prediction}}
"""


def test_a_run_holds_what_the_baseline_says(client: Any, baseline: Baseline) -> None:
    record = baseline_record(baseline)
    run_id = log(record)
    run = client.get_run(run_id)
    assert run.data.metrics == dict(record.metrics)
    assert run.data.params == {
        "model_exporter.baseline_task": "binary",
        "model_exporter.baseline_rows": "200",
        "model_exporter.baseline_positive_label": "1",
    }
    assert run.data.tags["model_exporter.baseline_checksum"] == baseline.checksum
    assert (run.info.run_name, run.info.status) == ("baseline churn 3", "FINISHED")
    assert load_baseline(f"runs:/{run_id}/baseline.json").checksum == baseline.checksum
    assert load_baseline(f"runs:/{run_id}").checksum == baseline.checksum


def test_a_run_that_trains_keeps_running(client: Any, baseline: Baseline) -> None:
    """The active run is the one that is meant; and a step is an epoch."""
    import mlflow

    with mlflow.start_run() as run:
        for epoch in (0, 1):
            assert log(baseline_record(baseline), step=epoch) == run.info.run_id
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
    history = client.get_metric_history(run.info.run_id, "accuracy")
    assert [metric.step for metric in history] == [0, 1]


def test_more_metrics_than_a_request_takes(client: Any) -> None:
    record = Record("many", {f"class_f1/{i}": i / 2_001 for i in range(2_001)})
    assert client.get_run(log(record)).data.metrics == record.metrics


def test_a_version_is_tagged_and_called_champion(
    client: Any, version: str, baseline: Baseline
) -> None:
    """And is what a monitor and the job then read."""
    name, number = version.split("/")
    run_id = log(baseline_record(baseline), model_version=version, alias="champion")
    found = client.get_model_version_by_alias(name, "champion")
    assert (str(found.version), found.run_id) == (number, run_id)
    assert found.tags == {
        "model_exporter.baseline": f"runs:/{run_id}/baseline.json",
        "model_exporter.baseline_checksum": baseline.checksum,
    }
    with ModelMonitor("churn", version="3", baseline=f"models:/{name}@champion") as monitor:
        assert monitor.registry.get_sample_value(
            "model_info",
            {"model_name": "churn", "model_version": "3", "task": "binary",
             "baseline": baseline.checksum},
        ) == 1  # fmt: skip
    assert load_baseline(f"models:/{version}").checksum == baseline.checksum


def test_the_job_reads_it(client: Any, version: str, baseline: Baseline, tmp_path: Path) -> None:
    log(baseline_record(baseline), model_version=version)
    path = tmp_path / "exporter.yml"
    path.write_text(CONFIG.format(uri=f"models:/{version}"))
    (model,) = load(path).models
    assert {b.checksum for b in model.baselines.values()} == {baseline.checksum}
    path.write_text(CONFIG.format(uri="models:/nobody@champion"))
    with pytest.raises(ConfigError, match=r"exporter\.yml:5.*nobody.*not found"):
        load(path)


def test_a_baseline_logged_by_hand_is_found(
    client: Any, version: str, baseline: Baseline, tmp_path: Path
) -> None:
    """As an artifact of the version's run, with no tag that says so; or beside the model."""
    baseline.save(tmp_path / "baseline.json")
    run_id = client.get_model_version(*version.split("/")).run_id
    client.log_artifact(run_id, str(tmp_path / "baseline.json"))
    assert load_baseline(f"models:/{version}").checksum == baseline.checksum
    client.log_artifact(run_id, str(tmp_path / "baseline.json"), "model")
    assert load_baseline(f"models:/{version}/baseline.json").checksum == baseline.checksum


def test_a_gate_that_fails_gives_no_alias(client: Any, version: str) -> None:
    name = version.split("/")[0]
    report = {"decision": "fail", "rows": 900, "findings": []}
    run_id = log(gate_record(report), model_version=version, alias="champion")
    found = client.get_model_version(*version.split("/"))
    assert found.aliases == []
    assert found.tags["model_exporter.gate_decision"] == "fail"
    assert found.tags["model_exporter.gate"] == f"runs:/{run_id}/gate.json"
    log(gate_record({**report, "decision": "pass"}), model_version=version, alias="champion")
    found = client.get_model_version_by_alias(name, "champion")
    assert found.tags["model_exporter.gate_decision"] == "pass"


def test_the_gate_command_gives_the_alias_to_what_passes(
    client: Any, version: str, table: dict, tmp_path: Path, baseline: Baseline
) -> None:
    """Against the baseline in the registry; a refused candidate leaves the alias where it is."""
    log(baseline_record(baseline), model_version=version)
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    wrong = [{**row, "prediction": 1 - row["prediction"]} for row in rows]
    name = version.split("/")[0]
    for given, status, aliases in ((wrong, 1, []), (rows * 9, 0, ["champion"])):
        path = tmp_path / "evaluation.jsonl"
        path.write_text("\n".join(map(json.dumps, given)))
        options = "--task binary --candidate prediction=prediction,score=score"
        command = f"gate {path} {options} --margin accuracy=0.2 --baseline models:/{version}"
        target = f"--mlflow-model-version {version} --mlflow-alias champion"
        assert main(f"{command} {target}".split()) == status
        found = client.get_model_version(*version.split("/"))
        assert found.aliases == aliases
        assert found.tags["model_exporter.gate_decision"] == ["pass", "fail"][status]
    found = client.get_model_version_by_alias(name, "champion")
    assert f"{name}/{found.version}" == version


def test_the_command(
    client: Any, version: str, table: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`baseline` writes the file, the run, the version and the alias."""
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    (tmp_path / "holdout.jsonl").write_text("\n".join(map(json.dumps, rows)))
    output = tmp_path / "churn.baseline.json"
    status = main(
        ["baseline", str(tmp_path / "holdout.jsonl"), "-o", str(output), "--task=binary",
         "--numeric=age", "--score=score", "--label=label",
         "--mlflow-model-version", version, "--mlflow-alias=champion"]
    )  # fmt: skip
    assert status == 0
    uri = f"models:/{version.split('/')[0]}@champion"
    assert load_baseline(uri).checksum == Baseline.load(output).checksum
    run_id = client.get_model_version(*version.split("/")).run_id
    assert f"MLflow run {run_id}: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("runs:/0123/baseline.json", "Run with id=0123 not found"),
        ("models:/nobody@champion", "nobody not found"),
        ("models:/{name}@nobody", "alias nobody not found"),
        ("models:/{name}/99", "version=99"),
        ("models:/{name}/latest", "expected an alias or the number of a version"),
        ("models:/{name}/1", "'baseline.json'"),
        ("runs:/{run}", "'baseline.json'"),
    ],
)
def test_what_is_not_there(client: Any, version: str, uri: str, says: str) -> None:
    """The message names the address, what is missing, and what to write."""
    name, number = version.split("/")
    uri = uri.format(name=name, run=client.get_model_version(name, number).run_id)
    with pytest.raises(BaselineError, match=says) as caught:
        load_baseline(uri)
    assert str(caught.value).startswith(f"{uri}: ")
    assert "models:/churn@champion" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_version_without_a_run(client: Any, tmp_path: Path) -> None:
    client.create_registered_model("orphan")
    client.create_model_version("orphan", (tmp_path / "model").as_uri())
    with pytest.raises(BaselineError, match=r"version 1 of orphan has no baseline.*orphan/1`"):
        load_baseline("models:/orphan/1")


def test_an_artifact_that_was_changed_or_replaced(
    client: Any, version: str, baseline: Baseline, table: dict
) -> None:
    """One byte, or a whole other baseline under the same name: neither is taken for it."""
    run_id = log(baseline_record(baseline), model_version=version)
    other = Baseline.from_table({**table, "age": table["age"][::-1]}, task="binary")
    client.log_text(run_id, other.to_text(), "baseline.json")
    with pytest.raises(BaselineError, match=rf"{baseline.checksum}.*was replaced"):
        load_baseline(f"models:/{version}")
    client.log_text(run_id, baseline.to_text().replace("200", "201", 1), "baseline.json")
    with pytest.raises(BaselineError, match=rf"^runs:/{run_id}: the checksum does not match"):
        load_baseline(f"runs:/{run_id}")
    client.log_text(run_id, "{", "baseline.json")
    with pytest.raises(BaselineError, match=rf"^models:/{version}: not a baseline"):
        load_baseline(f"models:/{version}")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"run_id": "0123"}, "run 0123: .*Run with id=0123 not found"),
        ({"model_version": "nobody/1"}, "model version nobody/1: .*not found"),
    ],
)
def test_nowhere_to_write_to(client: Any, baseline: Baseline, options: dict, says: str) -> None:
    with pytest.raises(DeliveryError, match=says):
        log(baseline_record(baseline), **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model_version": "churn"}, "expected NAME/VERSION"),
        ({"model_version": "churn/champion"}, "expected NAME/VERSION"),
        ({"alias": "champion"}, "of which version"),
    ],
)
def test_what_is_refused_at_once(options: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        log(Record("refused", {}), **options)


def test_a_store_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    required("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"nonsense://{tmp_path}")
    with pytest.raises(BaselineError, match="MLFLOW_TRACKING_URI"):
        load_baseline("models:/churn@champion")
    with pytest.raises(DeliveryError, match=r"tracking store: .*MLFLOW_TRACKING_URI"):
        log(Record("nowhere", {}))


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says where it is asked, and keeps the password."""
    required("mlflow")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:geh@eim@127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for ask in (
        lambda: load_baseline("models:/churn@champion"),
        lambda: log(Record("nowhere", {"accuracy": 1.0}), run_id="0123"),
    ):
        with pytest.raises(ModelExporterError, match=f"http://127.0.0.1:{port}/api") as caught:
            ask()
        assert "eim" not in str(caught.value)


def test_without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra, at the monitor and at the command."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError, match=r"pip install 'model-exporter\[mlflow\]'"):
        ModelMonitor("churn", baseline="models:/churn@champion")
    with pytest.raises(ConfigError, match=r"pip install 'model-exporter\[mlflow\]'"):
        log(Record("nowhere", {}))


def test_our_command_does_not_report_on_its_user() -> None:
    """MLflow has telemetry; it is off in our processes, and we never turn it on in others'."""
    program = (
        "import os, sys\n"
        "os.environ.pop('MLFLOW_DISABLE_TELEMETRY', None)\n"
        "sys.argv = ['model-exporter', 'catalogue']\n"
        "import model_exporter.tracking.mlflow, model_exporter.tracking.source\n"
        "assert 'MLFLOW_DISABLE_TELEMETRY' not in os.environ and 'mlflow' not in sys.modules\n"
        "from model_exporter.cli import main\n"
        "main()\n"
        "assert os.environ['MLFLOW_DISABLE_TELEMETRY'] == 'true'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
