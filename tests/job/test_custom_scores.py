"""Scores that a user declares: what they get, and that nothing they do goes further."""

import logging
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.job.measuring import NOW, Served, serve

from model_exporter.errors import ConfigError
from model_exporter.job import labeled_rows
from model_exporter.job.collector import SnapshotCollector
from model_exporter.job.config import load
from model_exporter.job.runner import Runner

HERE = "tests.job.user_scores"


def declared(*names: str) -> dict[str, str]:
    return {name: f"{HERE}:{name}" for name in names}


def test_binary(tmp_path: Path) -> None:
    """Labels and predictions are 1 for the positive class; an absent score is NaN."""
    predicted, label = ["yes", "no", "yes", "no", "yes"], ["yes", "yes", "no", "no"]
    served = serve(
        tmp_path,
        {
            "task": "binary",
            "positive_label": "yes",
            "classes": ["yes", "no"],
            "scores": declared("agreement", "difference", "mean_of_scores", "interval"),
        },
        {"prediction": predicted, "score": ["0.9", "", "0.6", "0.3", "0.1"]},
        {"label": label},
    )
    assert served.get("model_custom_score", score="agreement") == 0.5
    assert served.get("model_custom_score_lower", score="agreement") is None
    assert served.get("model_custom_score", score="difference") == 1
    assert served.get("model_custom_score", score="mean_of_scores") == pytest.approx(0.6)
    assert served.estimate("model_custom_score", score="interval") == (0, 4, 1e9)


def test_multiclass_and_regression(tmp_path: Path) -> None:
    for task, predicted, label, expected in (
        ("multiclass", ["ant", "bee", "ant"], ["ant", "ant", "ant"], 2 / 3),
        ("regression", [1.5, 2.5, 3.0], [1.5, 2.0, 3.0], 2 / 3),
    ):
        (tmp_path / task).mkdir()
        scores = {"agreement": f"{HERE}:Nested.agreement"}
        if task == "regression":
            scores |= declared("difference")
        model = {"task": task, "scores": scores}
        served = serve(tmp_path / task, model, {"prediction": predicted}, {"label": label})
        assert served.get("model_custom_score", score="agreement") == pytest.approx(expected)
        if task == "regression":
            assert served.get("model_custom_score", score="difference") == 0.5


def test_versions_and_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each version has its own; a large window gives a sample, the same whenever it is asked."""
    monkeypatch.setattr(labeled_rows, "MAX_ROWS", 100)
    versions = ["1"] * 1_000 + ["2"] * 90
    model = {"task": "regression", "scores": declared("interval", "agreement")}
    rng = np.random.default_rng(0)
    columns = {"prediction": rng.integers(0, 2, 1_090), "model_version": versions}
    labels = {"label": np.zeros(1_090)}
    served = serve(tmp_path, model, columns, labels)
    assert served.get("model_custom_score", score="interval", model_version="2") == 90
    rows = served.get("model_custom_score", score="interval", model_version="1")
    assert 50 < rows < 150
    again = serve(tmp_path, model | {"windows": ["30d", "60d"]}, columns, labels)
    one, other = (
        again.estimate("model_custom_score", score="agreement", window=w, model_version="1")
        for w in ("30d", "60d")
    )
    assert one == other


def test_failures_stay_inside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What raises or gives no number is counted, named in the log without values, and absent."""
    bad = ("fails", "writes", "gives_text", "gives_two")
    model = {
        "task": "regression",
        "scores": declared(*bad, "undefined", "agreement"),
    }
    served = serve(tmp_path, model, {"prediction": [77.5]}, {"label": [77.5]})
    assert served.get("model_custom_score", score="agreement") == 1
    for name in (*bad, "undefined"):
        assert served.get("model_custom_score", score=name) is None
    assert "ValueError at" in caplog.text
    assert "secret" not in caplog.text

    config = load(tmp_path / "exporter.yml")
    collector = SnapshotCollector()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    caplog.set_level(logging.ERROR)
    with Runner(config.models[0], config.state) as runner:
        for _ in range(2):  # the second has the same rows, and calls nothing again
            collector.show([runner.turn(NOW)])
            found = Served(generate_latest(registry).decode())
            for name in bad:  # once for the version, once for all
                assert found.get("model_custom_score_errors_total", score=name) == 2
            for name in ("undefined", "agreement"):
                assert found.get("model_custom_score_errors_total", score=name) == 0


REFUSED = {
    "no function": (HERE, "expected package.module:function"),
    "no module": ("no_such_module:score", "ModuleNotFoundError"),
    "no such function": (f"{HERE}:agrement", "has no attribute 'agrement'"),
    "not a function": (f"{HERE}:LIMIT", "is a int, not a function"),
    "code": ("__import__('os'):getcwd()", "cannot import"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_imported_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    text, message = REFUSED[case]
    model = {"task": "regression", "scores": {"mine": text}}
    with pytest.raises(ConfigError, match=message) as refused:
        serve(tmp_path, model, {"prediction": [1]}, {"label": [1]})
    line = (tmp_path / "exporter.yml").read_text().splitlines().index(f"    mine: {text}") + 1
    place = f"{tmp_path / 'exporter.yml'}:{line}: models[m].scores.mine: "
    assert str(refused.value).startswith(place)
