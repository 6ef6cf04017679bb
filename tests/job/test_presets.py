"""Logs of serving systems: records built of the field names that they document."""

import base64
import datetime
import json
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from model_exporter.errors import ConfigError, SourceError
from model_exporter.job.config import load
from model_exporter.job.runner import Runner
from model_exporter.job.sources import READERS, FileSource
from model_exporter.job.sources.presets import PRESETS, opener

TIME = "2026-01-01T12:00:00Z"


def packed(body: object) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def kserve_blob(kind: str, body: object, **changes: object) -> dict:
    return {
        "url": {"Scheme": "s3", "Host": "logs"},
        "bytes": packed(body),
        "contentType": "application/json",
        "reqType": f"org.kubeflow.serving.inference.{kind}",
        "id": "r1",
        "sourceUri": {"Host": "localhost:9081"},
        "inferenceService": "churn",
        "namespace": "default",
        "component": "predictor",
        "endpoint": "canary",
        "metadata": {},
        "occurrenceTime": TIME,
        **changes,
    }


V2 = {
    "model_name": "churn",
    "outputs": [
        {"name": "label", "shape": [2, 1], "datatype": "INT64", "data": [1, 0]},
        {"name": "probability", "shape": [2, 2], "datatype": "FP64", "data": [0.1, 0.9, 0.7, 0.3]},
    ],
}
CAPTURE = {
    "captureData": {
        "endpointInput": {
            "observedContentType": "text/csv", "mode": "INPUT", "encoding": "CSV", "data": "31,DE",
        },
        "endpointOutput": {
            "observedContentType": "text/csv", "mode": "OUTPUT", "encoding": "CSV", "data": "1,0.9",
        },
    },
    "eventMetadata": {"eventId": "e1", "inferenceId": "mine", "inferenceTime": TIME},
    "eventVersion": "0",
}  # fmt: skip
TRUTH = {
    "groundTruthData": {"data": "1", "encoding": "CSV"},
    "eventMetadata": {"eventId": "mine"},
    "eventVersion": "0",
}
DATABRICKS = {
    "databricks_request_id": "d1",
    "client_request_id": None,
    "request_time": TIME,
    "status_code": 200,
    "sampling_fraction": 1.0,
    "request": json.dumps({"dataframe_split": {"columns": ["age"], "data": [[31], [42]]}}),
    "response": json.dumps({"predictions": [1, 0]}),
    "served_entity_id": "v7",
}

LOGS = {
    "kserve, V1": (
        "kserve",
        [kserve_blob("request", {"instances": [[1], [2]]}),
         kserve_blob("response", {"predictions": [1, 0]})],
        [{"prediction_id": "r1-0", "prediction": "1", "timestamp": TIME, "model_version": "canary"},
         {"prediction_id": "r1-1", "prediction": "0", "model_name": "churn"}],
    ),
    "kserve, V2": (
        "kserve",
        [kserve_blob("response", V2)],
        [{"prediction": "1", "outputs.probability": "[0.1, 0.9]"}, {"prediction": "0"}],
    ),
    "kserve, probabilities": (
        "kserve",
        [kserve_blob("response", {"predictions": [[0.2, 0.7, 0.1]]})],
        [{"prediction_id": "r1", "prediction": "1", "scores.0": "0.2", "scores.1": "0.7"}],
    ),
    "kserve, events": (
        "kserve",
        [{"specversion": "1.0", "id": "r1", "source": "http://localhost:9081/", "time": TIME,
          "type": "org.kubeflow.serving.inference.response", "inferenceservicename": "churn",
          "component": "predictor", "endpoint": "", "data": {"predictions": [3.5]}}],
        [{"prediction_id": "r1", "prediction": "3.5", "model_version": "predictor"}],
    ),
    "seldon": (
        "seldon",
        [{"_id": "r1-item-0", "_source": {
            "request": {"instance": [31, 2], "elements": {"age": 31}, "ce-time": TIME},
            "response": {"instance": 1}, "ServingEngine": "seldon", "@timestamp": TIME}}],
        [{"prediction_id": "r1-item-0", "prediction": "1", "features.age": "31",
          "timestamp": TIME}],
    ),
    "seldon, feedback": (
        "seldon",
        [{"_id": "r1", "_source": {"feedback": {"truth": [1]}, "@timestamp": TIME}}],
        [{"prediction_id": "r1", "label": "1", "label_timestamp": TIME}],
    ),
    "sagemaker": (
        "sagemaker",
        [CAPTURE],
        [{"prediction_id": "mine", "prediction": "1", "outputs.1": "0.9", "features.0": "31",
          "features.1": "DE", "timestamp": TIME}],
    ),
    "sagemaker, ground truth": (
        "sagemaker",
        [TRUTH],
        [{"prediction_id": "mine", "label": "1", "label_timestamp": "2026-01-02T03:00:00Z"}],
    ),
    "sagemaker, base 64": (
        "sagemaker",
        [{**CAPTURE, "captureData": {"endpointOutput": {
            "mode": "OUTPUT", "encoding": "BASE64",
            "data": packed({"predictions": [{"score": 0.9, "predicted_label": 1}] * 2})}}}],
        [{"prediction_id": "mine-0", "outputs.predicted_label": "1", "score": "0.9"},
         {"prediction_id": "mine-1"}],
    ),
    "azureml": (
        "azureml",
        [{"specversion": "1.0", "id": "x", "type": "azureml.inference.outputs", "time": TIME,
          "data": [{"label": 1, "p": 0.9}, {"label": 0, "p": 0.2}], "correlationid": "c1",
          "xrequestid": "x1", "modelversion": "default", "contentrange": "bytes 0-99/100"},
         {"type": "azureml.inference.inputs", "time": TIME, "data": [{"age": 3}],
          "correlationid": "c1"},
         {"type": "azureml.inference.outputs", "time": TIME, "data": "https://blob/x",
          "datainblob": "true", "correlationid": "c2"}],
        [{"prediction_id": "c1-0", "prediction": "1", "outputs.p": "0.9"},
         {"prediction_id": "c1-1", "prediction": "0"},
         {"prediction_id": "c2", "prediction": None}],
    ),
    "databricks": (
        "databricks",
        [DATABRICKS, {**DATABRICKS, "status_code": 500, "response": None}],
        [{"prediction_id": "d1-0", "prediction": "1", "features.age": "31", "model_version": "v7"},
         {"prediction_id": "d1-1", "prediction": "0", "features.age": "42"}],
    ),
    "databricks, records": (
        "databricks",
        [{**DATABRICKS, "client_request_id": "mine",
          "request": json.dumps({"dataframe_records": [{"age": 31}]}),
          "response": json.dumps({"predictions": [{"prediction": "yes", "p": 0.9}]})}],
        [{"prediction_id": "mine", "prediction": "yes", "outputs.p": "0.9",
          "features.age": "31"}],
    ),
    "vertex": (
        "vertex",
        [{"endpoint": "1", "deployed_model_id": "7", "logging_time": TIME, "request_id": 5,
          "request_payload": ['{"age": 31}', '{"age": 42}'],
          "response_payload": ["[0.1, 0.9]", "[0.8, 0.2]"]},
         {"endpoint": "1", "deployed_model_id": "7", "logging_time": TIME, "request_id": 6,
          "request_payload": json.dumps({"instances": [[31]]}),
          "response_payload": json.dumps({"predictions": ["yes"]})}],
        [{"prediction_id": "5-0", "prediction": "1", "scores.1": "0.9", "features.age": "31"},
         {"prediction_id": "5-1", "prediction": "0", "features.age": "42"},
         {"prediction_id": "6", "prediction": "yes", "features.0": "31"}],
    ),
}  # fmt: skip


def records(directory: Path, preset: str, path: Path) -> list[dict]:
    kind = path.suffix.lstrip(".")
    source = opener(PRESETS[preset], lambda: FileSource(str(path), READERS[kind]))()
    return [row for batch in source.read({}, final=True) for row in batch.table.to_pylist()]


@pytest.mark.parametrize("kind", ["jsonl", "json"])
@pytest.mark.parametrize("log", LOGS)
def test_exploded(tmp_path: Path, log: str, kind: str) -> None:
    """Each prediction is a record of our own names; what is no prediction is none."""
    preset, rows, expected = LOGS[log]
    path = tmp_path / "2026" / "01" / "02" / "03" / f"log.{kind}"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows)))
    found = records(tmp_path, preset, path)
    assert len(found) == len(expected)
    for record, wanted in zip(found, expected, strict=True):
        assert {name: record[name] for name in wanted} == wanted


def test_from_parquet(tmp_path: Path) -> None:
    """Timestamps, structs and lists of a table are read as those of JSON are."""
    row = {
        **DATABRICKS,
        "request_time": datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC),
        "request_metadata": {"model_version": "9"},
        "served_entity_id": None,
    }
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "log.parquet")
    first, _ = records(tmp_path, "databricks", tmp_path / "log.parquet")
    assert first["timestamp"] == "2026-01-01T12:00:00+00:00"
    assert first["model_version"] == "9"


def test_kserve_tables_have_no_time(tmp_path: Path) -> None:
    row = {k: str(v) for k, v in kserve_blob("response", {"predictions": [1]}).items()}
    del row["occurrenceTime"]
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "log.parquet")
    with pytest.raises(SourceError, match="have its logger write JSON"):
        records(tmp_path, "kserve", tmp_path / "log.parquet")


TABLES = {
    "none": ("prediction_id,timestamp,prediction", "prediction_id,label,label_timestamp"),
    "bentoml": ("request_id,timestamp,prediction", "request_id,label,timestamp"),
    "evidently": ("id,datetime,prediction", "id,target,datetime"),
    "nannyml": ("identifier,timestamp,y_pred", "identifier,y_true,timestamp"),
}


@pytest.mark.parametrize("preset", TABLES)
def test_tables(tmp_path: Path, preset: str) -> None:
    """A preset of columns alone: predictions and labels are joined."""
    predictions, labels = TABLES[preset]
    values = {"target": "2.5", "y_true": "2.5", "label": "2.5"}
    (tmp_path / "p.csv").write_text(f"{predictions}\na,2026-01-01,1.5\n")
    row = ",".join(
        values.get(name, "2026-01-01" if "time" in name else "a") for name in labels.split(",")
    )
    (tmp_path / "l.csv").write_text(f"{labels}\n{row}\n")
    assert mae(tmp_path, "csv", "p.csv", "l.csv", preset) == 1


def test_joined(tmp_path: Path) -> None:
    """A capture and its ground truth, from the first file to the score."""
    directory = tmp_path / "2026" / "01" / "02" / "03"
    directory.mkdir(parents=True)
    (directory / "capture.jsonl").write_text(json.dumps(CAPTURE) + "\n")
    truth = {**TRUTH, "groundTruthData": {"data": "4", "encoding": "CSV"}}
    (directory / "truth.jsonl").write_text(json.dumps(truth) + "\n")
    paths = [f"*/*/*/*/{name}.jsonl" for name in ("capture", "truth")]
    assert mae(tmp_path, "jsonl", *paths, "sagemaker") == 3


def mae(directory: Path, kind: str, predictions: str, labels: str, preset: str) -> float:
    model = {
        "name": "m",
        "task": "regression",
        "predictions": {"type": kind, "path": predictions, "preset": preset},
        "labels": {"type": kind, "path": labels, "preset": preset},
        "windows": ["5000d"],
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [model]}))
    with Runner(load(path).models[0], directory / "state") as runner:
        values = runner.turn(1_800_000_000_000_000, final=True).values["model_mae"]
    assert runner.failures == []
    return values["m", "all", "5000d", "", ""]


VALUES = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.just(TIME),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["predictions", "outputs", "data", "shape", "encoding", "instances"]),
            inner,
        )
    ),
    max_leaves=10,
)
FIELDS = sorted({name for _, rows, _ in LOGS.values() for row in rows for name in row})


@settings(deadline=None, max_examples=300)
@given(
    preset=st.sampled_from([name for name, preset in PRESETS.items() if preset.explode]),
    rows=st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=3),
)
def test_any_record(tmp_path_factory, preset: str, rows: list[dict]) -> None:
    """Whatever stands in a log, it gives records or an error of the source."""
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with suppress(SourceError):
        records(path.parent, preset, path)


def test_unknown(tmp_path: Path) -> None:
    path = tmp_path / "exporter.yml"
    source = {"type": "csv", "path": "x.csv", "preset": "kserv"}
    model = {"name": "m", "task": "regression", "predictions": source}
    path.write_text(yaml.safe_dump({"models": [model]}))
    with pytest.raises(ConfigError, match="did you mean 'kserve'"):
        load(path)
