"""What the README shows is run here."""

import json
import re
import urllib.request
from pathlib import Path

import pytest

from model_exporter.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return found


class Model:
    """Stands for the reader's model."""

    def predict_proba(self, rows: list[list]) -> "Model":
        return self

    def __getitem__(self, place: tuple[int, int]) -> float:
        return 0.7


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the README's commands are typed, with the table it fits the baseline on."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"age": 20 + i, "balance": i * 1.5, "country": "DE", "score": i % 10 / 10,
         "prediction": int(i % 10 >= 5), "label": i % 2}
        for i in range(100)
    ]  # fmt: skip
    Path("holdout.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command = block("console", "model-exporter baseline").replace("\\\n", "")
    arguments = command.replace("holdout.parquet", "holdout.jsonl").split()
    assert main(arguments[arguments.index("baseline") :]) == 0
    return tmp_path


def test_the_decorator_and_the_job(directory: Path, capsys: pytest.CaptureFixture) -> None:
    """The decorated function is scraped; its log and a late label become an accuracy."""
    names: dict = {"model": Model()}
    program = block("python", "ModelMonitor").replace("9919", "0")
    exec(program.replace("monitor.start_", "server = monitor.start_"), names)
    features = {"age": 31, "balance": 12.5, "country": "DE"}
    assert names["predict"](features) == {"prediction": 1, "score": 0.7}
    url = f"http://127.0.0.1:{names['server'].port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        assert b"model_predictions_total{" in response.read()
    names["monitor"].close()

    (log,) = Path("predictions").glob("*.jsonl")
    logged = json.loads(log.read_text())
    Path("labels").mkdir()
    Path("labels/1.csv").write_text(
        f"prediction_id,label,label_timestamp\n{logged['prediction_id']},1,{logged['timestamp']}\n"
    )
    Path("exporter.yml").write_text(block("yaml", "expectations"))
    capsys.readouterr()
    assert main(["check-config", "exporter.yml"]) == 0
    capsys.readouterr()
    assert main(["once", "--config", "exporter.yml"]) == 0
    out = capsys.readouterr().out
    assert re.search(r'model_accuracy_ratio\{.*model_version="3",segment="".*\} 1\.0', out)
    assert re.search(r'model_drift_psi\{feature="age",.*subject="feature"', out)


def test_linked_files_exist() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
