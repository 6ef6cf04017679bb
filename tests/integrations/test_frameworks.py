"""KServe, BentoML and Ray Serve run the examples of docs/serving.md as servers, and are scraped."""

import json
import tempfile
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.integrations.servers import eventually, frameworks_python, served
from tests.integrations.test_serving import ask, example, free_port

ROUND, WRONG = 20, 3
"""Requests sent at once, until every process has answered some; and requests that fail."""
LOG = 'log="predictions/"'
RAY_DRIVER = """
import sys

import ray
from ray import serve

ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=80 * 2**20,
         _temp_dir=sys.argv[2], _node_ip_address="127.0.0.1")
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})

from churn import churn

serve.run(churn, blocking=True)
"""
"""`serve run churn:churn` on a port and in a directory of ours."""


class Case(NamedTuple):
    """How to ask a server for predictions, and what its page and the log say then.

    Attributes
    ----------
    classes
        How often each is predicted in the answer to a good request.
    ids
        What the id of a request has behind it in the log, for each row.
    own
        A metric of the framework's own, on the same page.
    processes
        How many share their counts; 0 if one, which shares nothing.
    """

    path: str
    good: Any
    bad: Any
    error_type: str
    classes: dict[str, int]
    ids: list[str]
    own: str = ""
    processes: int = 2


V1 = Case(
    path="/v1/models/churn:predict",
    good={"instances": [[62, 1], [31, 2], [63, 3]]},
    bad={"instances": [3]},
    error_type="TypeError",
    classes={"0": 1, "1": 2},
    ids=["-1", "-2", "-3"],
    own="request_predict_seconds_count",
)
V2 = V1._replace(
    path="/v2/models/churn/infer",
    good={"inputs": [{"name": "x", "shape": [3, 1], "datatype": "FP64", "data": [62, 31, 63]}]},
    bad={"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [3]}]},
    error_type="IndexError",
)
PLAIN = Case("/predict", {"age": 62}, {"years": 62}, "KeyError", {"1": 1}, [""])
V2_PREDICT = """\
    def predict(self, payload, headers=None):
        old = [int(age > 40) for age in payload.inputs[0].as_numpy()[:, 0]]
        output = kserve.InferOutput("old", [len(old)], "INT32", data=old)
        return kserve.InferResponse(payload.id or "none", "churn", [output])
"""


@contextmanager
def kserve(directory: Path, *, workers: int, code: str) -> Iterator[str]:
    (directory / "churn.py").write_text(code)
    port = free_port()
    options = [f"--http_port={port}", f"--workers={workers}", "--enable_grpc=false"]
    command = [str(frameworks_python()), "churn.py", *options]
    url = f"http://127.0.0.1:{port}"
    with served(command, url, directory=directory, env={}):
        yield url


@contextmanager
def bentoml(directory: Path) -> Iterator[str]:
    (directory / "churn.py").write_text(example("BentoML"))
    port = free_port()
    program = str(frameworks_python().parent / "bentoml")
    command = [program, "serve", "churn:Churn", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    env = {"BENTOML_HOME": str(directory / "home")}
    with served(command, f"{url}/metrics", directory=directory, env=env):
        yield url


@contextmanager
def ray_serve(directory: Path) -> Iterator[str]:
    code = example("Ray Serve", {'"/run/churn"': f'"{directory}/shards", {LOG}'})
    (directory / "churn.py").write_text(code.replace("predictions/", f"{directory}/predictions"))
    (directory / "driver.py").write_text(RAY_DRIVER)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="ray") as short:  # as paths of sockets have to be
        command = [str(frameworks_python()), "driver.py", str(port), short]
        with served(command, f"{url}/metrics", directory=directory, env={}):
            yield url


def scrape(url: str) -> dict[str, float]:
    """Return a page's values by sample name and, of our model's, the values of further labels."""
    _, body = ask(f"{url}/metrics")
    text = body.decode()
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(types) == len(set(types)), "a family is on the page twice"
    found = {}
    for family in text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            further = dict(labels)
            if name.startswith("model_"):
                model = further.pop("model_name"), further.pop("model_version")
                assert model == ("churn", "3")
            found[" ".join([name, *further.values()]) if name.startswith("model_") else name] = (
                value
            )
    return found


def predict(url: str, case: Case, id: str) -> None:
    headers, body = ask(url + case.path, case.good, **{"X-Request-Id": id})
    assert headers.get("X-Prediction-Id", id) == id
    assert b"1" in body


def fail(url: str, case: Case) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        ask(url + case.path, case.bad)
    with raised.value as answer:
        assert answer.code == 500


def send(url: str, case: Case) -> int:
    """Send rounds of requests until each process has answered some; return how many were sent."""
    sent = 0
    with ThreadPoolExecutor(8) as pool:

        def all_answered() -> bool:
            nonlocal sent
            ids = [f"r{i}" for i in range(sent, sent + ROUND)]
            list(pool.map(lambda id: predict(url, case, id), ids))
            sent += ROUND
            return scrape(url).get("model_exporter_shards", 0) >= case.processes

        eventually(all_answered, lambda: f"{sent} requests, all to the same process")
        list(pool.map(lambda _: fail(url, case), range(WRONG)))
    return sent


def logged_ids(directory: Path) -> list[str]:
    """Return the ids in the log, also of files that are still being written."""
    lines: list[str] = []
    for file in (directory / "predictions").glob("*.jsonl*"):
        with suppress(FileNotFoundError):  # it has just been finished, under another name
            lines += file.read_text().splitlines(keepends=True)
    return sorted(json.loads(line)["prediction_id"] for line in lines if line.endswith("\n"))


def check(url: str, case: Case, directory: Path) -> None:
    """Every request is counted once, whichever process answers the scrape; and is in the log."""
    first = scrape(url)
    assert first["model_prediction_requests_total"] == 0
    sent = send(url, case)
    asked, rows = sent + WRONG, len(case.ids) * sent
    readings = [first]

    def all_counted() -> bool:
        readings.append(scrape(url))
        return readings[-1]["model_prediction_requests_total"] >= asked

    eventually(all_counted, lambda: f"{asked} requests, counted {readings[-1]}")
    readings += [scrape(url) for _ in range(10)]
    counts = [reading["model_prediction_requests_total"] for reading in readings]
    assert counts == sorted(counts)
    for page in readings[-10:]:
        assert page["model_prediction_requests_total"] == asked
        assert page["model_prediction_latency_seconds_count"] == asked
        assert page[f"model_prediction_errors_total {case.error_type}"] == WRONG
        assert page["model_predictions_total"] == rows
        for name, count in case.classes.items():
            assert page[f"model_predicted_class_total {name}"] == count * sent
        assert page.get("model_exporter_shards", 0) == case.processes
        faults = ("internal_errors_total", "dropped_total", "shards_skipped", "shards_degraded")
        troubles = tuple(f"model_exporter_{fault}" for fault in faults)
        assert not [name for name, n in page.items() if name.startswith(troubles) and n]
        assert not case.own or case.own in page
    ids = sorted(f"r{i}{row}" for i in range(sent) for row in case.ids)
    eventually(lambda: logged_ids(directory) == ids, lambda: f"logged: {logged_ids(directory)}")


@pytest.mark.parametrize("workers", [1, 2])
def test_kserve(tmp_path: Path, workers: int) -> None:
    shared = {LOG: f'{LOG}, multiprocess_dir="shards"'} if workers > 1 else {}
    case = V1._replace(processes=0 if workers == 1 else workers)
    with kserve(tmp_path, workers=workers, code=example("KServe", shared)) as url:
        check(url, case, tmp_path)


def test_kserve_version_2(tmp_path: Path) -> None:
    """Of the other protocol, the requests and responses are objects of KServe."""
    head, _, tail = example("KServe").partition("    def predict")
    code = head + V2_PREDICT + tail[tail.index("\n\n\n") :]
    with kserve(tmp_path, workers=1, code=code) as url:
        check(url, V2._replace(processes=0), tmp_path)


def test_bentoml(tmp_path: Path) -> None:
    own = "bentoml_service_request_total"
    wrapped = PLAIN._replace(good={"features": PLAIN.good}, bad={"features": PLAIN.bad}, own=own)
    with bentoml(tmp_path) as url:
        check(url, wrapped, tmp_path)


def test_ray_serve(tmp_path: Path) -> None:
    with ray_serve(tmp_path) as url:
        check(url, PLAIN, tmp_path)
