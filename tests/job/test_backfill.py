"""The past as OpenMetrics: what `once` says at each step, in the real Prometheus at its time."""

import json
import random
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.job.test_order import LABEL, NOW, PREDICTION, configure, deliver, records

from model_exporter.cli import main
from model_exporter.demo.processes import Processes, answers, free_port
from model_exporter.job.config import load
from model_exporter.job.once import once

HOUR = 3_600_000_000
STEPS = 7
FIRST = (NOW - 20 * 24 * HOUR) // HOUR * HOUR + 1_500_000
"""A second and a half past the hour, so that times with fractions are seen to survive."""
DELAY = "model_label_delay_seconds"
ABOUT_THE_RUN = {"model_source_up", "model_source_invalid", "model_exporter_build_info"}

Samples = dict[tuple[str, frozenset], float]


def iso(micros: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 10**6)) + ".5Z"


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("backfill")
    path = configure(directory)
    predictions, labels = records(seed=5)
    random.Random(1).shuffle(labels)
    deliver(directory, "predictions", PREDICTION, predictions, 2)
    deliver(directory, "labels", LABEL, labels, 2)
    return path


@pytest.fixture(scope="module")
def written(config: Path) -> str:
    output = config.with_name("history.om")
    span = ["--from", iso(FIRST), "--to", iso(FIRST + (STEPS - 1) * HOUR), "--step", "1h"]
    assert main(["backfill", "--config", str(config), *span, "-o", str(output)]) == 0
    return output.read_text()


@pytest.fixture(scope="module")
def expected(config: Path) -> dict[int, Samples]:
    """Return what `once` says as of some of the instants, each on its own."""
    found = {}
    for step in (0, 1, STEPS - 1):
        text, _ = once(load(config), now=FIRST + step * HOUR)
        found[step] = {
            (s.name, frozenset(s.labels.items())): s.value
            for family in parse_text(text)
            if family.name not in ABOUT_THE_RUN
            for s in family.samples
        }
    return found


def test_every_step_is_what_once_says(written: str, expected: dict[int, Samples]) -> None:
    """Nothing more, nothing less."""
    lines = written.splitlines()
    for step, samples in expected.items():
        at = f" {(FIRST + step * HOUR) / 1e6:.9f}"
        chosen = [line for line in lines if line.startswith("#") or line.endswith(at)]
        found = {
            (s.name, frozenset(s.labels.items())): s.value
            for family in parse_openmetrics("\n".join(chosen) + "\n")
            for s in family.samples
        }
        assert found == samples


def test_the_text_is_in_the_order_of_openmetrics(written: str) -> None:
    """To which a strict parser holds it: families and series whole, their times ascending.

    It loses points of a histogram with several, so histograms are left to promtool here.
    """
    lines = [line for line in written.splitlines(keepends=True) if DELAY not in line]
    assert sum(DELAY in line for line in written.splitlines()) > 2 * STEPS
    found = [s for family in parse_openmetrics("".join(lines)) for s in family.samples]
    times = {round(float(sample.timestamp) * 1e6) for sample in found}
    assert times == {FIRST + step * HOUR for step in range(STEPS)}
    assert len(found) == sum(not line.startswith("#") for line in lines)


def test_the_state_of_the_job_is_not_touched(tmp_path: Path, config: Path) -> None:
    """Nor is there any need that it be free, or be there at all."""
    state = config.parent / "state"
    before = {path: path.read_bytes() for path in state.glob("*")} if state.exists() else {}
    output = tmp_path / "h.om"
    span = ["--from", iso(FIRST), "--to", iso(FIRST)]
    assert main(["backfill", "--config", str(config), *span, "-o", str(output)]) == 0
    after = {path: path.read_bytes() for path in state.glob("*")} if state.exists() else {}
    assert after == before
    assert output.read_text().count("# EOF") == 1


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (["--from", iso(FIRST + HOUR), "--to", iso(FIRST)], "exchange them"),
        (["--from", iso(FIRST), "--to", iso(FIRST), "--step", "0s"], "expected a duration"),
        (["--from", iso(FIRST), "--to", iso(FIRST), "--step", "often"], "expected a duration"),
    ],
)
def test_refused(config: Path, tmp_path: Path, capsys, span: list[str], said: str) -> None:
    """In one line, before anything is read."""
    output = tmp_path / "h.om"
    assert main(["backfill", "--config", str(config), *span, "-o", str(output)]) == 2
    assert said in capsys.readouterr().err
    assert not output.exists()


def test_prometheus_answers_with_it(
    written: str, expected: dict[int, Samples], config: Path, tmp_path: Path, require_tool
) -> None:
    """Blocks made by the real promtool; every series at its time, and none where it was not."""
    promtool, prometheus = require_tool("promtool"), require_tool("prometheus")
    data = tmp_path / "data"
    history = config.with_name("history.om")
    made = subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", str(history), str(data)],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert len(list(data.glob("*/meta.json"))) >= (STEPS - 1) // 2
    (tmp_path / "prometheus.yml").write_text("{}\n")
    port = free_port()
    with Processes(tmp_path) as processes:
        command = [
            prometheus,
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        child = processes.start("prometheus", command)
        url = f"http://127.0.0.1:{port}"
        processes.wait_for("prometheus", child, answers(f"{url}/-/ready"), 60)
        for step, samples in expected.items():
            assert answer(url, FIRST + step * HOUR) == {
                (name, frozenset((k, v) for k, v in labels if v)): value
                for (name, labels), value in samples.items()
            }
        assert answer(url, FIRST - HOUR) == {}


def answer(url: str, now: int) -> Samples:
    query = urllib.parse.urlencode({"query": '{__name__=~"model_.+"}', "time": now / 1e6})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=30) as response:
        result = json.load(response)["data"]["result"]
    found = {}
    for series in result:
        labels = {k: v for k, v in series["metric"].items() if k != "__name__"}
        found[series["metric"]["__name__"], frozenset(labels.items())] = float(series["value"][1])
    return found
