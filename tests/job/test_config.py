"""Bad configuration: one clear line that names file, key and remedy, and exit status 2."""

from pathlib import Path

import pytest

from model_exporter.baseline import Baseline
from model_exporter.cli import main
from model_exporter.job.config import load
from model_exporter.records import Task

GOOD = """\
listen: 127.0.0.1:9920
state: ./state
poll_interval: 30s
models:
  - name: churn
    task: binary
    positive_label: 1
    baseline: churn.baseline.json
    predictions:
      type: csv
      path: predictions.csv
      columns: {id: prediction_id, timestamp: timestamp, version: model_version, score: score}
    labels:
      type: csv
      path: labels/*.csv
      columns: {id: prediction_id, label: label, timestamp: label_timestamp}
    features: {numeric: [age], categorical: [country]}
    segments: [country]
    windows: [1d, 7d]
    maturity: 0s
    expectations: {accuracy: {min: 0.9}}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "labels").mkdir()
    (tmp_path / "predictions.csv").write_text(
        "prediction_id,timestamp,model_version,prediction,score,age,country\n"
        "a,2026-01-01T00:00:00Z,v1,1,0.9,31,DE\n"
    )
    (tmp_path / "labels" / "1.csv").write_text(
        "prediction_id,label,label_timestamp\na,1,2026-01-02T00:00:00Z\n"
    )
    table = {"age": [1, 2, 3], "country": ["DE", "FR", "DE"], "prediction": [0, 1, 1]}
    features = {"numeric": ["age"], "categorical": ["country"]}
    Baseline.from_table(table, task="binary", features=features).save(
        tmp_path / "churn.baseline.json"
    )
    (tmp_path / "exporter.yml").write_text(GOOD)
    return tmp_path


def test_good(directory: Path, capsys) -> None:
    assert main(["check-config", str(directory / "exporter.yml")]) == 0
    assert "ok" in capsys.readouterr().out
    model = load(directory / "exporter.yml").models[0]
    assert model.task is Task.BINARY
    assert [w.seconds for w in model.windows] == [86_400, 604_800]
    assert [str(f) for f in model.predictions.open().files()] == [
        str(directory / "predictions.csv")
    ]


@pytest.mark.parametrize(
    ("text", "most", "coverage"),
    [
        ("7d", 7 * 86_400, None),
        ("auto", 30 * 86_400, 0.9),
        ("{coverage: 0.75}", 30 * 86_400, 0.75),
        ("{max: 2d}", 2 * 86_400, 0.9),
    ],
)
def test_maturity(directory: Path, text: str, most: int, coverage: float | None) -> None:
    path = directory / "exporter.yml"
    path.write_text(GOOD.replace("maturity: 0s", f"maturity: {text}\n    cohorts: [7d, 1d]"))
    model = load(path).models[0]
    assert (model.maturity.seconds, model.maturity_coverage) == (most, coverage)
    assert [cohort.text for cohort in model.cohorts] == ["1d", "7d"]


BAD = {
    "unknown key": ("windows: [1d", "window: [1d", "models[churn].window", "did you mean 'windows'"),
    "unknown top-level key": ("listen:", "listne:", "listne", "did you mean 'listen'"),
    "unknown column key": ("id: prediction_id, timestamp", "ident: prediction_id, timestamp",
                           "predictions.columns.ident", "unknown key"),
    "duplicate key": ("    task: binary", "    task: binary\n    task: binary", "models[0]", "given twice"),
    "missing key": ("    task: binary\n", "", "models[0]", "'task' is missing"),
    "missing file": ("predictions.csv", "prediction.csv", "models[churn].predictions", "no such file"),
    "missing directory": ("labels/*.csv", "label/*.csv", "models[churn].labels", "no directory"),
    "missing baseline": ("churn.baseline", "chrun.baseline", "models[churn].baseline",
                         "model-exporter baseline"),
    "wrong column": ("score: score", "score: scroe", "models[churn].predictions", "no column 'scroe'"),
    "wrong feature": ("[age]", "[wage]", "models[churn].predictions", "no column 'wage'"),
    "quantiles of classes": ("score: score}", "quantiles: {0.1: score}}",
                             "predictions.columns.quantiles", "regression models"),
    "wrong amount": ("label_timestamp}", "label_timestamp, business: {eur: amuont}}",
                     "models[churn].labels", "no column 'amuont'"),
    "score of no module": ("    maturity: 0s", "    scores: {mine: 'nowhere:score'}",
                           "models[churn].scores.mine", "ModuleNotFoundError"),
    "wrong segment": ("segments: [country]", "segments: [land]", "models[churn]", "no column 'land'"),
    "label of another type": ("label: label", "label: prediction_id", "models[churn].labels",
                              "expected one of the classes 0, 1"),
    "timestamp of another type": ("timestamp: label_timestamp", "timestamp: prediction_id",
                                  "labels.columns.timestamp", "expected a timestamp"),
    "categorical as numeric": ("[age]", "[age, model_version]", "features", "expected a number"),
    "negative window": ("[1d, 7d]", "[-1d]", "models[churn].windows", "negative"),
    "window without unit": ("[1d, 7d]", "[7]", "models[churn].windows", "not a duration"),
    "empty window": ("[1d, 7d]", "[0s]", "models[churn].windows", "no time at all"),
    "repeated window": ("[1d, 7d]", "[1d, 24h]", "models[churn].windows", "the same"),
    "negative maturity": ("maturity: 0s", "maturity: -1d", "models[churn].maturity", "negative"),
    "maturity of no kind": ("maturity: 0s", "maturity: soon", "models[churn].maturity", "not a duration"),
    "coverage as percent": ("maturity: 0s", "maturity: {coverage: 90}", "models[churn].maturity.coverage",
                            "a share between 0 and 1"),
    "unknown key of maturity": ("maturity: 0s", "maturity: {auto: true}", "models[churn].maturity.auto",
                                "known here: coverage, max"),
    "maturity of labels": ("maturity: 0s", "maturity: auto\n    windows_by: label_timestamp",
                           "models[churn].maturity", "remove one"),
    "cohorts of labels": ("maturity: 0s", "cohorts: [1d]\n    windows_by: label_timestamp",
                          "models[churn].cohorts", "remove one"),
    "repeated cohort": ("maturity: 0s", "cohorts: [1d, 24h]", "models[churn].cohorts", "the same"),
    "cohort that is not kept": ("maturity: 0s", "cohorts: [30d]\n    retention: 8d",
                                "models[churn].retention", "the oldest cohort"),
    "shift that is not kept": ("maturity: 0s", "maturity: auto\n    retention: 8d",
                               "models[churn].retention", "the maturity together"),
    "unknown task": ("task: binary", "task: binry", "models[0].task", "did you mean 'binary'"),
    "unknown source": ("type: csv", "type: cvs", "type", "did you mean 'csv'"),
    "unknown key of drift": ("maturity: 0s", "drift: {tolerence: 0.1}", "models[churn].drift.tolerence",
                             "did you mean 'tolerance'"),
    "objective in percent": ("maturity: 0s", "objectives: {availability: 99.9}",
                             "models[churn].objectives.availability", "up to 1, found 99.9"),
    "objective of all": ("maturity: 0s", "objectives: {availability: 1}",
                         "objectives.availability", "no budget"),
    "latency without share": ("maturity: 0s", "objectives: {latency: {seconds: 0.25}}",
                              "models[churn].objectives.latency", "'ratio' is missing"),
    "no latency": ("maturity: 0s", "objectives: {latency: {seconds: 0, ratio: 0.9}}",
                   "objectives.latency.seconds", "seconds above 0"),
    "misspelt objective": ("maturity: 0s", "objectives: {label_delays: 3d}",
                           "objectives.label_delays",
                           "did you mean 'label_delay'"),
    "objective no duration": ("maturity: 0s", "objectives: {input_age: 3}",
                              "objectives.input_age", "is not a duration"),
    "negative tolerance": ("maturity: 0s", "drift: {tolerance: -1}", "models[churn].drift.tolerance",
                           "at least 0, found -1"),
    "no false alarm ever": ("maturity: 0s", "drift: {false_alarms_per_month: 0}",
                            "drift.false_alarms_per_month", "at least 1e-06, found 0"),
    "design effect below 1": ("maturity: 0s", "drift: {design_effect: 0.5}", "drift.design_effect",
                              "at least 1, found 0.5"),
    "unknown score": ("accuracy:", "acuracy:", "expectations.acuracy", "did you mean 'accuracy'"),
    "unknown bound": ("min: 0.9", "mni: 0.9", "expectations.accuracy.mni", "did you mean 'min'"),
    "text for a number": ("min: 0.9", "min: high", "expectations.accuracy.min", "a number"),
    "list for a mapping": ("{accuracy: {min: 0.9}}", "[accuracy]", "expectations", "a mapping"),
    "no port": ("127.0.0.1:9920", "localhost", "listen", "host:port"),
    "alias": ("windows: [1d, 7d]", "windows: &w [1d]\n    segments2: *w", "", "aliases"),
    "not YAML": ("models:", "models: [", "", "not valid YAML"),
    "baseline of another task": ("task: binary\n    positive_label: 1", "task: regression",
                                 "models[churn].baseline", "is of a binary model"),
    "kind unlike the baseline's": ("numeric: [age], categorical: [country]",
                                   "categorical: [age, country]", "features", "categorical here and numeric"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["check-config", "once"])
def test_refused(directory: Path, capsys, name: str, command: str) -> None:
    """One line with file, line, key and remedy; exit status 2; nothing on stdout."""
    old, new, key, remedy = BAD[name]
    path = directory / "exporter.yml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    arguments = (
        [command, str(path)] if command == "check-config" else [command, "--config", str(path)]
    )
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert str(path) in err
    assert key in err
    assert remedy in err


def test_no_configuration(tmp_path: Path, capsys) -> None:
    assert main(["serve", "--config", str(tmp_path / "none.yml")]) == 2
    assert "cannot read the configuration" in capsys.readouterr().err


def test_empty_glob_is_fine(directory: Path) -> None:
    """Labels that have not come yet are no mistake."""
    (directory / "labels" / "1.csv").unlink()
    assert main(["check-config", str(directory / "exporter.yml")]) == 0


def test_state_in_use(directory: Path, capsys) -> None:
    """A second process on the same state directory is refused."""
    import subprocess
    import sys

    hold = (
        "import sys; from pathlib import Path; from model_exporter.job.config import load\n"
        "from model_exporter.job.store import Store\n"
        "c = load(sys.argv[1])\n"
        "with Store(c.state, c.models[0]): print('held', flush=True); sys.stdin.read()"
    )
    path = str(directory / "exporter.yml")
    with subprocess.Popen(
        [sys.executable, "-c", hold, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert main(["once", "--config", path]) == 2
        assert "in use by another process" in capsys.readouterr().err
        process.communicate()
    assert main(["once", "--config", path]) == 0


def test_objectives_are_served_as_written(directory: Path, capsys) -> None:
    """Durations become seconds, and a latency is written as the bound of a bucket is."""
    path = directory / "exporter.yml"
    objectives = (
        "objectives: {availability: 0.999, latency: {seconds: 1, ratio: 0.95},"
        " label_coverage: 0.8, label_delay: 3d, input_age: 90m}"
    )
    path.write_text(GOOD.replace("maturity: 0s", objectives))
    assert main(["once", "--config", str(path), "--now", "2026-01-03T00:00:00Z"]) == 0
    served = [
        line for line in capsys.readouterr().out.splitlines() if line[:16] == "model_objective_"
    ]
    assert sorted(served) == [
        'model_objective_availability_ratio{model_name="churn"} 0.999',
        'model_objective_input_age_seconds{model_name="churn"} 5400.0',
        'model_objective_label_coverage_ratio{model_name="churn"} 0.8',
        'model_objective_label_delay_seconds{model_name="churn"} 259200.0',
        'model_objective_latency_ratio{model_name="churn",seconds="1.0"} 0.95',
    ]


def test_without_objectives_none_is_served(directory: Path, capsys) -> None:
    """The rules' own defaults hold."""
    path = directory / "exporter.yml"
    assert main(["once", "--config", str(path), "--now", "2026-01-03T00:00:00Z"]) == 0
    assert "model_objective_" not in capsys.readouterr().out
