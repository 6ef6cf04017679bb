"""The service: endpoints, reload, sources that fail and heal."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from model_exporter.catalogue import FAMILIES, Side
from model_exporter.errors import ConfigError
from model_exporter.job.service import Service

MEASURES = {
    "binary": {
        "thresholds": [0.3, 0.7],
        "value": {"tp": 12, "fp": -3},
        "scores": {"rows": "tests.job.user_scores:interval"},
    }
}
"""What a model is asked to serve beyond its scores."""
QUANTILES = {"quantiles": {0.1: "p10", 0.9: "p90"}, "group": "country"}


class Setting:
    """A configuration with one model of each task, its files, and a running service."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "exporter.yml"
        self.models = [self.model(task) for task in ("binary", "multiclass", "regression")]
        self.write()

    def model(self, task: str) -> dict:
        directory = self.directory / task
        directory.mkdir()
        now = time.time() - 60
        outcomes = {
            "binary": [(0, 0.2), (1, 0.7)],
            "multiclass": [("ant", None), ("bee", None)],
            "regression": [(1.5, None), (2.5, None)],
        }[task]
        with (directory / "predictions.jsonl").open("w") as file:
            for i in range(40):
                prediction, score = outcomes[i % 2]
                row = {
                    "prediction_id": f"p{i}",
                    "timestamp": now + i / 1000,
                    "model_version": "v2" if task == "multiclass" and i % 4 == 3 else "v1",
                    "prediction": prediction,
                    "age": 20 + i,
                    "country": "DE" if i % 3 else "FR",
                }
                if task == "regression":
                    row |= {"p10": prediction - 1, "p90": prediction + 1}
                if score is not None:
                    row["score"] = score
                if task == "multiclass":
                    row["scores"] = {"ant": 0.6, "bee": 0.4}
                file.write(json.dumps(row) + "\n")
        with (directory / "labels.jsonl").open("w") as file:
            for i in range(30):
                label = outcomes[i % 3 == 0][0]
                row = {"prediction_id": f"p{i}", "label": label, "label_timestamp": now + 20}
                row["amount"] = 10.0 * i
                file.write(json.dumps(row) + "\n")
        rows = [
            json.loads(line) for line in (directory / "predictions.jsonl").read_text().splitlines()
        ]
        from model_exporter.baseline import Baseline

        for row in rows:
            row["label"] = row["prediction"]
            row |= {f"p_{c}": p for c, p in row.pop("scores", {}).items()}
        Baseline.from_table(
            rows,
            task=task,
            features={"numeric": ["age"], "categorical": ["country"]},
            score="score" if task == "binary" else None,
            scores={"ant": "p_ant", "bee": "p_bee"} if task == "multiclass" else None,
            label="label",
        ).save(directory / "baseline.json")
        score = {"binary": "accuracy", "multiclass": "f1", "regression": "mae"}[task]
        return {
            **MEASURES.get(task, {}),
            "name": task,
            "task": task,
            "baseline": f"{task}/baseline.json",
            "predictions": {
                "type": "jsonl",
                "path": f"{task}/predictions.jsonl",
                "columns": QUANTILES if task == "regression" else {},
            },
            "labels": {
                "type": "jsonl",
                "path": f"{task}/labels.jsonl",
                "columns": {"business": {"revenue_eur": "amount"}},
            },
            "drift": {"minimum_rows": 20},
            "features": {"numeric": ["age"], "categorical": ["country"]},
            "segments": ["country"],
            "windows": ["1h"],
            "cohorts": ["1h", "1d"],
            "expectations": {score: {"min": 0.5}},
            "objectives": {
                "availability": 0.999,
                "latency": {"seconds": 0.25, "ratio": 0.99},
                "label_coverage": 0.8,
                "label_delay": "3d",
                "input_age": "6h",
            },
            "comparison": {"champion": "v1"},
            "retraining": {
                "alerts": ["Quality"],
                "request": {"type": "url", "url": "http://127.0.0.1:9/"},
            },
        }

    def write(self) -> None:
        config = {"listen": "127.0.0.1:0", "poll_interval": "20ms", "models": self.models}
        config["alerts"] = {"token_file": "token"}
        (self.directory / "token").write_text("s3cret")
        self.path.write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def setting(tmp_path_factory) -> Setting:
    return Setting(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def service(setting: Setting):
    service = Service(setting.path)
    service.start()
    yield service
    service.stop()


def fetch(service: Service, path: str, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{service.port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(condition, *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def families(service: Service) -> dict:
    _, text = fetch(service, "/metrics")
    return {family.name: family for family in text_string_to_metric_families(text)}


def sample(service: Service, name: str, **labels: str) -> float | None:
    for family in families(service).values():
        for found in family.samples:
            if found.name == name and found.labels.items() >= labels.items():
                return found.value
    return None


def test_endpoints(service: Service) -> None:
    assert fetch(service, "/-/healthy")[0] == 200
    until(lambda: fetch(service, "/-/ready")[0] == 200)
    assert fetch(service, "/")[0] == 200
    assert fetch(service, "/nothing")[0] == 404
    assert fetch(service, "/-/reload")[0] == 405
    assert fetch(service, "/metrics", "HEAD") == (200, "")


def test_serves_the_catalogue_and_nothing_else(service: Service) -> None:
    """Every family of the job is served with its labels and its type, and no other family."""
    until(lambda: fetch(service, "/-/ready")[0] == 200)
    alert = {"status": "firing", "fingerprint": "f00d", "startsAt": "2026-01-31T12:00:00Z"}
    alert["labels"] = {"alertname": "Quality", "model_name": "binary"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}/v1/alerts",
        json.dumps({"version": "4", "alerts": [alert]}).encode(),
        {"Authorization": "Bearer s3cret", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()
    until(lambda: sample(service, "model_retraining_last_request_timestamp_seconds"))
    served = families(service)
    promised = {f.name.removesuffix("_total"): f for f in FAMILIES if f.side is Side.JOB}
    assert served.keys() == promised.keys()
    for name, family in promised.items():
        assert served[name].type == family.kind
        assert served[name].documentation == family.help
        for found in served[name].samples:
            assert found.labels.keys() - {"le"} == set(family.labels), name
            assert found.value == found.value, f"{name} is NaN"


def test_a_scrape_computes_nothing(service: Service, monkeypatch) -> None:
    """It gets the text of the last evaluation, in the format that it accepts."""
    until(lambda: fetch(service, "/-/ready")[0] == 200)

    def collect(_: object) -> None:
        raise AssertionError("collected at a scrape")

    with service._publishing, monkeypatch.context() as patch:  # no evaluation ends meanwhile
        patch.setattr("model_exporter.job.collector.SnapshotCollector.collect", collect)
        for accept, kind in (
            ("text/plain;version=0.0.4", "text/plain"),
            ("application/openmetrics-text;version=1.0.0,*/*", "application/openmetrics-text"),
        ):
            request = urllib.request.Request(
                f"http://127.0.0.1:{service.port}/metrics", headers={"Accept": accept}
            )
            with urllib.request.urlopen(request, timeout=10) as response:
                text = response.read().decode()
                assert response.headers.get_content_type() == kind
            assert "model_window_predictions" in text
            assert text.endswith("# EOF\n") == (kind != "text/plain")


def test_broken_reload_keeps_the_old(service: Service, setting: Setting) -> None:
    until(lambda: fetch(service, "/-/ready")[0] == 200)
    good = setting.path.read_text()
    setting.path.write_text(good.replace("poll_interval", "pol_interval"))
    status, text = fetch(service, "/-/reload", "POST")
    assert status == 500
    assert "did you mean 'poll_interval'" in text
    assert sample(service, "model_exporter_config_last_reload_successful") == 0
    assert sample(service, "model_window_predictions", model_name="binary") == 40
    setting.path.write_text(good)
    assert fetch(service, "/-/reload", "POST")[0] == 200
    assert sample(service, "model_exporter_config_last_reload_successful") == 1


def test_new_labels_arrive(service: Service, setting: Setting) -> None:
    until(lambda: fetch(service, "/-/ready")[0] == 200)
    row = {"prediction_id": "p35", "label": 1.0, "label_timestamp": time.time() - 1}
    labels = {"model_name": "regression", "model_version": "v1", "segment": ""}
    with (setting.directory / "regression" / "labels.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    until(lambda: sample(service, "model_window_labeled_predictions", **labels) == 31)


def test_source_down_and_up_again(service: Service, setting: Setting) -> None:
    """The failing source says so; the other is read, values stay, and nothing is lost."""
    until(lambda: fetch(service, "/-/ready")[0] == 200)
    path = setting.directory / "binary" / "labels.jsonl"
    content = path.read_text()
    path.unlink()
    down = {"model_name": "binary", "source": "labels"}
    until(lambda: sample(service, "model_source_up", **down) == 0)
    assert sample(service, "model_source_up", model_name="binary", source="predictions") == 1
    assert sample(service, "model_source_up", model_name="regression", source="labels") == 1
    assert sample(service, "model_accuracy_ratio", model_name="binary") is not None
    path.write_text(content)
    until(lambda: sample(service, "model_source_up", **down) == 1)


def test_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("models: []\n")
    with pytest.raises(ConfigError):
        Service(tmp_path / "bad.yml")
