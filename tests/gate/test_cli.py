"""The command: its exit statuses, by the lines of docs/gate.md, in a repository of its own."""

import json
import re
import shlex
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from tests.gate.cases import TASKS, baseline, equal, labelled, take, worse
from tests.job.web_server import WebServer

from model_exporter.cli import main

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "gate.md").read_text("utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", DOCS, flags=re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return found


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a git repository, and work in it."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(table: dict[str, np.ndarray], path: str = "evaluation.parquet") -> None:
    """Save the rows with all columns that docs/gate.md speaks of."""
    rng = np.random.default_rng(5)
    found = pd.DataFrame(table)
    found["candidate_score"] = found["score"]
    for name in ("seconds", "candidate_seconds"):
        found[name] = rng.lognormal(-4, 0.5, len(found))
    found.to_parquet(path)


def documented() -> list[str]:
    (command,) = block("console", "--margin accuracy=0.01").replace("\\\n", "").splitlines()
    return shlex.split(command.removeprefix("$ model-exporter "))


CASES = {"equal": (equal, 0), "worse": (worse, 1)}


@pytest.mark.parametrize("kind", CASES)
def test_a_table_by_its_documented_line(kind: str, repository: Path, capsys) -> None:
    """Passes an equal candidate, blocks one that is worse by 3 points; writes all reports."""
    make, status = CASES[kind]
    save(make("car_loan", labelled("car_loan"), 0))
    assert main(documented()) == status
    decision = ["pass", "fail"][status]
    assert capsys.readouterr().out.startswith(f"{decision}: candidate against the champion")
    assert json.loads(Path("gate.json").read_text())["decision"] == decision
    assert decision in Path("gate.md").read_text()
    assert ("<failure" in Path("gate.xml").read_text()) == (status == 1)


def test_30_rows_cannot_tell(repository: Path, capsys) -> None:
    save(take(worse("car_loan", labelled("car_loan"), 0), 30, 0))
    assert main(documented()) == 2
    assert "are needed" in capsys.readouterr().out


def test_the_documented_file(repository: Path, capsys) -> None:
    """Every criterion at once, and the equal candidate passes them."""
    Path("gate.yml").write_text(block("yaml", "business: {value"))
    baseline("car_loan").save("loan.baseline.json")
    table = equal("car_loan", labelled("car_loan"), 0)
    table["prediction"] = table["champion"]
    save(table)
    assert main(["gate", "--config", "gate.yml", "--json", "gate.json"]) == 0
    findings = json.loads(Path("gate.json").read_text())["findings"]
    criteria = {"quality", "segments", "calibration", "drift", "latency", "business", "data"}
    assert {finding["criterion"] for finding in findings} == criteria
    assert {finding["subject"] for finding in findings} >= {"accuracy", "roc_auc", "p99", "value"}


REFUSED = {
    "no option": ["gate", "evaluation.parquet"],
    "no task": ["gate", "evaluation.parquet", "--candidate", "prediction=candidate"],
    "no such option": ["gate", "--nonsense"],
    "no such task": ["gate", "evaluation.parquet", "--task", "ranking"],
    "no such file": [*documented()[:1], "missing.parquet", *documented()[2:]],
    "no such column": [*documented()[:5], "nothing", *documented()[6:]],
    "no such score": [*documented(), "--margin", "acuracy=0.01"],
    "margin of nothing": [*documented(), "--margin", "accuracy=0"],
    "margin that is no number": [*documented(), "--margin", "accuracy=x"],
    "no pairs": [*documented(), "--margin", "accuracy"],
    "damaged table": [*documented()[:1], "damaged.parquet", *documented()[2:]],
    "no place for the report": [*documented(), "--junit", "missing/gate.xml", "--json", "no/x"],
    "no such configuration": ["gate", "--config", "missing.yml"],
    "both": [*documented(), "--config", "gate.yml"],
    "no such key": ["gate", "--config", "wrong.yml"],
    "no such version": ["gate", "--config", "live.yml"],
}


@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_no_decision(arguments: list[str], repository: Path, capsys) -> None:
    """Status 3 and one line; no report that could be taken for an answer."""
    save(take(equal("car_loan", labelled("car_loan"), 0), 50, 0))
    Path("wrong.yml").write_text("task: binary\ncandidate: {}\nscore: {accuracy: 0.01}\n")
    Path("damaged.parquet").write_bytes(b"PAR1 and no more")
    live_configuration(candidate="9")
    try:
        status = main(arguments)
    except SystemExit as left:
        status = int(left.code or 0)
    assert status == 3
    assert capsys.readouterr().err.count("\n") <= 20
    assert not Path("gate.json").exists()


def live_configuration(*, shadow: bool = True, spoilt: float = 0.0, **live: object) -> None:
    """Write the log of two versions of one model, its labels, and both configurations."""
    rng, rows = np.random.default_rng(3), 3000
    score = rng.beta(2, 2, rows)
    label = (rng.random(rows) < score).astype(int)
    times = pd.date_range("2026-01-01", periods=rows, freq="1min", tz="UTC")
    frames = []
    for version in ("3", "4"):
        own = np.clip(score + rng.normal(0, 0.02, rows), 0, 1)
        prediction = (own >= 0.5).astype(int)
        if version == "4":
            prediction = np.where(rng.random(rows) < spoilt, 1 - prediction, prediction)
        frame = pd.DataFrame({"id": np.arange(rows).astype(str), "timestamp": times})
        frame = frame.assign(model_version=version, prediction=prediction, score=own)
        frame["country"] = rng.choice(["DE", "FR"], rows)
        keep = np.arange(rows) % 2 == int(version) % 2
        frames.append(frame if shadow else frame[keep])
    pd.concat(frames).to_parquet("predictions.parquet")
    labels = pd.DataFrame({"prediction_id": np.arange(rows).astype(str), "label": label})
    labels.assign(label_timestamp=times).to_parquet("labels.parquet")
    columns = {"id": "id", "version": "model_version", "score": "score"}
    model = {
        "name": "churn",
        "task": "binary",
        "predictions": {"type": "parquet", "path": "predictions.parquet", "columns": columns},
        "labels": {"type": "parquet", "path": "labels.parquet"},
        "segments": ["country"],
        "windows": ["7d"],
        "shadow": shadow,
    }
    Path("exporter.yml").write_text(yaml.safe_dump({"models": [model]}))
    asked = yaml.safe_load(block("yaml", "live: {config"))
    asked["live"] |= live
    asked["scores"] = {"accuracy": 0.03, "roc_auc": 0.03}
    del asked["drift"]
    Path("live.yml").write_text(
        yaml.safe_dump({**asked, "segments": {"scores": {"accuracy": 0.03}}})
    )


NOW = ["--now", "2026-01-05T00:00:00Z"]


def test_a_crash_is_no_verdict(repository: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python ends with status 1 then, which would mean that the candidate failed."""
    save(take(equal("car_loan", labelled("car_loan"), 0), 50, 0))
    monkeypatch.setattr("model_exporter.gate.run.judge_table", lambda *_: 1 / 0)
    assert main(documented()) == 3
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_champion_in_a_table_of_its_own(repository: Path, capsys) -> None:
    """By the candidate's names, and row by row where the ids are the same."""
    table = equal("car_loan", labelled("car_loan"), 0)
    save({**table, "prediction": table["candidate"]}, "new.parquet")
    save({**table, "prediction": table["champion"]}, "old.parquet")
    options = ["--task", "binary", "--candidate", "prediction=prediction,score=score"]
    options += ["--margin", "accuracy=0.01,roc_auc=0.01", "--champion-table", "old.parquet"]
    assert main(["gate", "new.parquet", *options, "--id", "prediction_id"]) == 0
    assert "row by row" in capsys.readouterr().out
    assert main(["gate", "new.parquet", *options]) == 0
    assert "as two samples" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["seattle_weather", "bike_2011"])
def test_other_tasks(name: str, repository: Path, capsys) -> None:
    """Classes with a probability each, and values: by options, one that is equal passes."""
    table = equal(name, labelled(name), 0)
    pd.DataFrame(table).to_parquet("evaluation.parquet")
    classes = [column.removeprefix("score_") for column in table if column.startswith("score_")]
    scores = "".join(f",score.{name}=score_{name}" for name in classes)
    margins = "accuracy=0.02,f1=0.1,log_loss=0.05" if classes else "mae=0.3,rmse=0.5,r2=0.01"
    options = ["--task", TASKS[name], "--margin", margins, "--json", "gate.json"]
    options += ["--candidate", f"prediction=candidate{scores}"]
    options += ["--champion", f"prediction=champion{scores}"]
    assert main(["gate", "evaluation.parquet", *options]) == 0
    findings = json.loads(Path("gate.json").read_text())["findings"]
    found = {finding["subject"] for finding in findings if finding["criterion"] == "quality"}
    assert found == {pair.partition("=")[0] for pair in margins.split(",")}


@pytest.mark.parametrize("shadow", [True, False], ids=["shadow", "canary"])
def test_live_windows(shadow: bool, repository: Path, capsys) -> None:
    """An equal version passes, a spoilt one fails, in shadow row by row."""
    live_configuration(shadow=shadow)
    equal_status = main(["gate", "--config", "live.yml", *NOW])
    said = capsys.readouterr().out
    assert ("row by row" in said) == shadow
    # 1,500 rows a side show less than 3,000 pairs: 3 points are too little for them.
    assert equal_status == (0 if shadow else 2)
    live_configuration(shadow=shadow, spoilt=0.4)
    assert main(["gate", "--config", "live.yml", "--json", "gate.json", *NOW]) == 1
    failed = [
        finding["subject"]
        for finding in json.loads(Path("gate.json").read_text())["findings"]
        if finding["decision"] == "fail"
    ]
    assert {"accuracy", "country=DE: accuracy", "country=FR: accuracy"} <= set(failed)


def test_live_from_what_is_served(repository: Path, capsys) -> None:
    """Of a job, and of the model servers, whose histograms add up; each as it is scraped."""
    live_configuration()
    configured = yaml.safe_load(Path("exporter.yml").read_text())
    configured["models"][0]["comparison"] = {"champion": "3", "challengers": ["4"]}
    Path("job.yml").write_text(yaml.safe_dump(configured))
    assert main(["once", "--config", "job.yml", *NOW]) == 0
    job = capsys.readouterr().out
    servers = [served_latency({"3": 0.004, "4": slow}) for slow in (0.005, 0.005)]
    asked = yaml.safe_load(Path("live.yml").read_text())
    del asked["live"]["config"]
    asked |= {"task": "binary", "latency": {"statistic": "p50", "margin": 0.02}}
    with ExitStack() as stack:
        urls = [
            stack.enter_context(WebServer(lambda request, text=text: request.answer(text))).url
            for text in (job, *servers)
        ]
        asked["live"]["metrics"] = urls
        Path("served.yml").write_text(yaml.safe_dump(asked))
        assert main(["gate", "--config", "served.yml", "--json", "gate.json"]) == 0
    findings = json.loads(Path("gate.json").read_text())["findings"]
    (latency,) = [f for f in findings if f["criterion"] == "latency"]
    assert latency["rows"] == 2 * 500
    assert 0 < latency["difference"] < 0.01
    assert main(["gate", "--config", "served.yml"]) == 3
    assert "no metrics" in capsys.readouterr().err


def served_latency(seconds: dict[str, float]) -> str:
    registry = CollectorRegistry()
    histogram = Histogram(
        "model_prediction_latency_seconds", "x", ["model_name", "model_version"],
        buckets=np.geomspace(0.001, 1, 30).tolist(), registry=registry,
    )  # fmt: skip
    for version, typical in seconds.items():
        for value in np.random.default_rng(0).lognormal(np.log(typical), 0.3, 500):
            histogram.labels("churn", version).observe(value)
    return generate_latest(registry).decode()


def test_live_is_what_a_job_would_say(repository: Path, capsys) -> None:
    """The decision rests on the differences that the job serves, to the last digit."""
    live_configuration()
    main(["gate", "--config", "live.yml", "--json", "gate.json", *NOW])
    configured = yaml.safe_load(Path("exporter.yml").read_text())
    configured["models"][0]["comparison"] = {"champion": "3", "challengers": ["4"]}
    Path("job.yml").write_text(yaml.safe_dump({**configured, "state": "job"}))
    capsys.readouterr()
    assert main(["once", "--config", "job.yml", *NOW]) == 0
    served = capsys.readouterr().out
    (line,) = re.findall(r'model_version_difference\{.*score="accuracy".*\} (.*)', served)
    findings = json.loads(Path("gate.json").read_text())["findings"]
    (found,) = [f for f in findings if f["subject"] == "accuracy"]
    assert found["difference"] == float(line)
