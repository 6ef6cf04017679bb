"""`type: prometheus`: what two replicas counted gives what the log of all their predictions gives.

A real Prometheus holds the counters of real sidecars, scraped at instants of the test's own.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import numpy as np
import pytest
import trustme
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tests.job.prometheus_server import backfilled, started
from tests.job.web_server import Request, WebServer

from model_exporter import Baseline, ModelMonitor
from model_exporter.cli import main
from model_exporter.demo.processes import Processes, fetch
from model_exporter.errors import ConfigError
from model_exporter.job.check import check_sources
from model_exporter.job.config import load
from model_exporter.job.counter_runner import CounterRunner
from model_exporter.job.once import once
from model_exporter.job.runner import Stopped
from model_exporter.job.service import Service
from model_exporter.job.sources.web import Backoff

START = 1_767_225_600
"""2026-01-01, in seconds."""
SCRAPES = 150
SCRAPE_SECONDS = 60
ROWS = 4
"""Predictions of one replica between two scrapes."""
RESTARTED = 70
"""The scrape after which the second replica begins again at zero."""
SCRAPED = 30
END = START + (SCRAPES - 1) * SCRAPE_SECONDS
FEATURES = {"numeric": ["age"], "categorical": ["country"]}
COUNTED = (
    "model_window_predictions",
    *("model_drift_psi", "model_drift_js_distance", "model_drift_ks", "model_drift_chi2"),
    *("model_drift_detected", "model_drift_psi_critical", "model_drift_rows"),
    *("model_drift_minimum_rows", "model_drift_wasserstein", "model_drift_chi2_p_value"),
    *("model_missing_ratio", "model_unseen_ratio", "model_out_of_range_ratio"),
)
Row = dict[str, Any]


def reference(seed: int = 0) -> Baseline:
    rng = np.random.default_rng(seed)
    table = {
        "age": rng.normal(40, 10, 2_000),
        "country": rng.choice(["de", "fr", "es"], 2_000),
        "prediction": rng.integers(0, 2, 2_000),
        "score": rng.random(2_000),
    }
    # No values: on bins both sides compute the same.
    return Baseline.from_table(table, task="binary", features=FEATURES, score="score", max_values=0)


def drawn(rng: np.random.Generator) -> Row:
    """Return one prediction: drifted, at times with a feature missing, unseen or out of range."""
    score = float(rng.beta(2, 3))
    return {
        "age": None if rng.random() < 0.1 else float(rng.normal(48, 14)),
        "country": str(rng.choice(["de", "fr", "xx"], p=[0.7, 0.2, 0.1])),
        "prediction": int(score > 0.5),
        "score": score,
    }


class Replica:
    """One process of the model server: a sidecar, and what it serves."""

    def __init__(self, baseline: Baseline, version: str) -> None:
        self._monitor = ModelMonitor("churn", version=version, task="binary", baseline=baseline)

    def predict(self, row: Row) -> None:
        with self._monitor.track() as call:
            call.features({"age": row["age"], "country": row["country"]})
            call.output({"prediction": row["prediction"], "score": row["score"]})

    def samples(self) -> Iterator[tuple[str, str, dict[str, str], float]]:
        """Yield family, name, labels and value of each sample."""
        text = generate_latest(self._monitor.registry).decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    yield family.name, sample.name, sample.labels, sample.value

    def close(self) -> None:
        self._monitor.close()


def played(baseline: Baseline) -> tuple[str, list[Row]]:
    """Return what Prometheus would have scraped, and every prediction there was."""
    rng = np.random.default_rng(1)
    versions = {"a:1": "1", "b:1": "2"}
    replicas = {at: Replica(baseline, version) for at, version in versions.items()}
    series: dict[tuple[str, str], list[str]] = {}
    log: list[Row] = []
    for scrape in range(SCRAPES):
        now = START + scrape * SCRAPE_SECONDS
        for instance, process in replicas.items():
            for family, name, labels, value in process.samples():
                places = {**labels, "instance": instance, "cluster": "eu"}
                written = ",".join(f'{k}="{v}"' for k, v in places.items())
                kept = series.setdefault((family, f"{name}{{{written}}}"), [])
                kept.append(f"{name}{{{written}}} {value} {now}")
        if scrape == RESTARTED:
            replicas["b:1"].close()
            replicas["b:1"] = Replica(baseline, "2")
        for at, process in replicas.items() if scrape < SCRAPES - 1 else ():
            for i in range(ROWS):
                row = drawn(rng)
                process.predict(row)
                seconds = now + (i + 1) * SCRAPE_SECONDS / (ROWS + 1)
                place = {"prediction_id": f"{at}-{scrape}-{i}", "timestamp": seconds}
                log.append({**row, **place, "model_version": versions[at]})
    for process in replicas.values():
        process.close()
    lines: list[str] = []
    for (family, _), points in sorted(series.items()):
        if (declared := f"# TYPE {family} unknown") not in lines[-1:] and declared not in lines:
            lines.append(declared)
        lines += points
    return "\n".join([*lines, "# EOF\n"]), log


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]
) -> Iterator[tuple[Path, str]]:
    """Play the history; yield a directory with its log and baseline, and Prometheus's address."""
    directory = tmp_path_factory.mktemp("counters")
    baseline = reference()
    baseline.save(directory / "churn.baseline.json")
    history, log = played(baseline)
    (directory / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    backfilled(require_tool("promtool"), directory, history)
    with Processes(directory) as processes:
        yield directory, started(processes, require_tool("prometheus"), directory)


def configured(directory: Path, name: str = "exporter.yml", **keys: Any) -> Path:
    model = {
        "name": "churn",
        "task": "binary",
        "baseline": "churn.baseline.json",
        "windows": ["1h", "6h"],
        **keys,
    }
    path = directory / name
    path.write_text(yaml.safe_dump({"models": [model], "state": f"state-{name}"}))
    return path


def counted(url: str, **keys: Any) -> dict[str, Any]:
    return {"type": "prometheus", "url": url, **keys}


def values(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the samples of a text by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def evaluated(path: Path, now: float = END) -> dict[Any, float]:
    text, failures = once(load(path), now=round(now * 1_000_000))
    assert failures == []
    return values(text)


def test_counters_say_what_the_log_says(world: tuple[Path, str]) -> None:
    """Over the whole history, restart included, every number is the same, to the last bit."""
    directory, url = world
    log = {"type": "jsonl", "path": "log.jsonl"}
    from_counters = evaluated(configured(directory, predictions=counted(url)))
    from_log = evaluated(configured(directory, "log.yml", predictions=log, features=FEATURES))
    wanted = {
        place: value
        for place, value in from_log.items()
        if place[0] in COUNTED and ("window", "6h") in place[1]
    }
    assert {name for name, _ in wanted} == set(COUNTED)
    assert {place: from_counters.get(place) for place in wanted} == wanted


def test_a_window_within_the_history_is_as_good_as_the_scrapes(world: tuple[Path, str]) -> None:
    """Its ends lie between scrapes: one of 60 may be off at each of them."""
    directory, url = world
    found = evaluated(configured(directory, predictions=counted(url)), now=END - 1_234)
    labels = {"model_name": "churn", "window": "1h", "segment": "", "segment_value": ""}
    for version, replicas in {"1": 1, "2": 1, "all": 2}.items():
        place = tuple(sorted({**labels, "model_version": version}.items()))
        rows = found["model_window_predictions", place]
        assert rows == pytest.approx(60 * ROWS * replicas, abs=2 * ROWS * replicas)


def test_match_chooses_the_targets(world: tuple[Path, str]) -> None:
    directory, url = world
    path = configured(directory, predictions=counted(url, match={"instance": "a:1"}))
    found = {dict(labels).get("model_version") for name, labels in evaluated(path) if "psi" in name}
    assert found == {"1", "all"}


def test_nothing_at_all_is_no_healthy_zero(world: tuple[Path, str]) -> None:
    directory, url = world
    path = configured(directory, predictions=counted(url, match={"cluster": "us"}))
    text, failures = once(load(path), now=END * 1_000_000)
    assert "no process has served 'churn' in the last 6h" in failures[0]
    assert {name: v for (name, _), v in values(text).items() if "source_up" in name} == {
        "model_source_up": 0
    }
    assert "model_window_predictions" not in text


def test_another_baseline_puts_the_source_down(
    world: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its checksum while the model serves, by its bins when it has stopped."""
    _, url = world
    reference(seed=1).save(tmp_path / "churn.baseline.json")
    path = configured(tmp_path, predictions=counted(url))
    for now, problem in ((END, "give both the same file"), (END + 1_000, "in other bins than")):
        text, failures = once(load(path), now=now * 1_000_000)
        assert problem in failures[0], now
        assert "model_drift" not in text
    # Which one a model serves today may be otherwise tomorrow: it is told, and not refused.
    assert main(["check-config", str(path)]) in (0, 1)
    capsys.readouterr()


def test_while_the_server_fails_the_last_answers_stay(
    world: tuple[Path, str], tmp_path: Path
) -> None:
    """And whatever it answers, the source is up again with the first good answer."""
    directory, url = world
    good = CounterRunner(load(configured(directory, predictions=counted(url))).models[0])
    with good:
        wanted = good.turn(END * 1_000_000)
    assert good.failures == []
    bad: dict[str, Callable[[Request], None]] = {
        "500": lambda request: request.answer(status=500),
        "401": lambda request: request.answer(status=401),
        "html": lambda request: request.answer("<html>login</html>"),
        "error": lambda request: request.answer('{"status": "error", "error": "x"}'),
        "no vector": lambda request: request.answer('{"status": "success", "data": {}}'),
        "nan": lambda request: request.answer(vector("NaN")),
        "partial": lambda request: request.answer(vector("1", warnings=["store is down"])),
        "elsewhere": lambda request: request.answer(
            status=302, Location="http://169.254.169.254/latest/meta-data"
        ),
    }
    relay = Relay(url)
    with WebServer(relay) as server:
        address = server.url.removesuffix("/records")
        path = configured(directory, "relayed.yml", predictions=counted(address))
        backoff = Backoff(clock=lambda: 0.0, uniform=lambda *_: 0.0)
        with CounterRunner(load(path).models[0], backoff=backoff) as runner:
            runner.turn(END * 1_000_000)
            for name, respond in bad.items():
                server.respond = respond
                later = runner.turn((END + 3_600) * 1_000_000)
                assert len(runner.failures) == 1, name
                assert later.values["model_source_up"] == {("churn", "predictions"): 0}, name
                for family in ("model_drift_psi", "model_window_predictions"):
                    assert later.values[family] == wanted.values[family], name
                server.respond = relay
                healed = runner.turn(END * 1_000_000)
                assert runner.failures == [], name
                assert healed.values["model_source_up"] == {("churn", "predictions"): 1}, name


class Relay:
    """Answers what another server answers."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, request: Request) -> None:
        request.answer(fetch(self._url + request.path, seconds=10))


def vector(value: str, **more: Any) -> str:
    result = [{"metric": {"model_version": "1"}, "value": [END, value]}]
    return json.dumps({"status": "success", "data": {"result": result}, **more})


def test_a_long_window_is_not_asked_for_at_each_turn(world: tuple[Path, str]) -> None:
    directory, url = world
    with WebServer(Relay(url)) as server:
        address = server.url.removesuffix("/records")
        path = configured(directory, "relayed.yml", predictions=counted(address))
        with CounterRunner(load(path).models[0]) as runner:
            asked = []
            for seconds in (0, 1, 8, 50):  # the windows have 3,600 and 21,600 s
                server.requests.clear()
                runner.turn((END + seconds) * 1_000_000)
                paths = [request.path for request in server.requests]
                asked.append({w for w in ("3600000ms", "21600000ms") for p in paths if w in p})
                asked[-1] -= {"21600000ms"} if sum("21600000ms" in p for p in paths) == 1 else set()
    assert asked == [{"3600000ms", "21600000ms"}, set(), {"3600000ms"}, {"3600000ms", "21600000ms"}]


def test_serve(world: tuple[Path, str]) -> None:
    """The service takes such a model beside others, serves it, and ends while it waits."""
    directory, url = world
    with WebServer(Relay(url)) as server:
        address = server.url.removesuffix("/records")
        path = configured(directory, "served.yml", predictions=counted(address))
        document = yaml.safe_load(path.read_text())
        document |= {"listen": "127.0.0.1:0", "poll_interval": "10ms"}
        log = {"type": "jsonl", "path": "log.jsonl"}
        document["models"].append({"name": "logged", "task": "binary", "predictions": log})
        path.write_text(yaml.safe_dump(document))
        service = Service(path, clock=lambda: float(END))
        service.start()
        try:
            until(service.ready, "both models are evaluated")
            found = values(fetch(f"http://127.0.0.1:{service.port}/metrics"))
            names = {dict(labels).get("model_name") for name, labels in found if "window_" in name}
            assert names == {"churn", "logged"}
            assert any(name == "model_drift_psi" for name, _ in found)
            server.respond = lambda request: request.server.released.wait(30)
            server.requests.clear()
            until(lambda: bool(server.requests), "the model waits for an answer")
        finally:
            service.stop()
    assert not any(thread.name == "model-exporter-churn" for thread in threading.enumerate())


def test_a_server_that_hangs_does_not_hold_up_the_end(world: tuple[Path, str]) -> None:
    directory, _ = world
    with WebServer(lambda request: request.server.released.wait(30)) as server:
        address = server.url.removesuffix("/records")
        path = configured(directory, "hung.yml", predictions=counted(address))
        runner = CounterRunner(load(path).models[0])
        stopper = threading.Timer(0.2, runner.stop)
        stopper.start()
        with pytest.raises(Stopped):
            runner.turn(END * 1_000_000)
        stopper.join()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"labels": {"type": "jsonl", "path": "l.jsonl"}}, "labels: counters say how many"),
        ({"segments": ["country"]}, "segments: counters say how many"),
        ({"maturity": "auto"}, "maturity: counters say how many"),
        ({"expectations": {"f1": {"min": 0.5}}}, "expectations: counters say how many"),
        ({"windws": ["1d"]}, "did you mean 'windows'"),
        ({"baseline": None}, "bin of a baseline"),
        ({"predictions": counted("http://p", match={"model_name": "x"})}, "no label to match"),
        ({"predictions": counted("http://p", match={"a b": "x"})}, "no label to match"),
        ({"predictions": counted("http://u:p@p")}, "credentials are not written here"),
        ({"predictions": counted("http://p", path="x")}, "unknown key"),
        ({"predictions": counted("http://p", ca_file="missing.pem")}, "no such file"),
        ({"features": {"numeric": ["country"]}}, "categorical in the baseline"),
    ],
)
def test_refused(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    reference().save(tmp_path / "churn.baseline.json")
    path = configured(tmp_path, **{"predictions": counted("http://p:9090"), **keys})
    if keys.get("baseline", 0) is None:
        document = yaml.safe_load(path.read_text())
        del document["models"][0]["baseline"]
        path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=message):
        load(path)


def test_labels_are_no_counters(tmp_path: Path) -> None:
    labels = {"type": "prometheus", "url": "http://p:9090"}
    path = configured(tmp_path, predictions={"type": "jsonl", "path": "p"}, labels=labels)
    reference().save(tmp_path / "churn.baseline.json")
    with pytest.raises(ConfigError, match="'prometheus' is not one of"):
        load(path)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"not within a minute: {what}"
        time.sleep(0.05)


def test_scraped_replicas(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    """Predictions of two real processes' servers are all there, those before a restart too."""
    baseline = reference()
    baseline.save(tmp_path / "churn.baseline.json")
    rng = np.random.default_rng(2)

    def server(port: int = 0) -> tuple[ModelMonitor, int]:
        monitor = ModelMonitor("churn", version="1", task="binary", baseline=baseline)
        return monitor, monitor.start_metrics_server(port).port

    def predict(monitor: ModelMonitor, count: int) -> None:
        for _ in range(count):
            row = drawn(rng)
            with monitor.track() as call:
                call.features(row)
                call.output(row)

    monitors, ports = zip(*(server() for _ in range(2)), strict=True)
    first, second = monitors
    jobs = [{
        "job_name": "churn",
        "scrape_interval": "100ms",
        "scrape_timeout": "100ms",
        "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}],
    }]  # fmt: skip
    with Processes(tmp_path) as processes:
        prometheus = require_tool("prometheus")
        url = started(processes, prometheus, tmp_path, configuration={"scrape_configs": jobs})
        path = configured(tmp_path, predictions=counted(url), windows=["1h"])

        def asked(query: str) -> float:
            found = json.loads(fetch(f"{url}/api/v1/query?query={query}"))["data"]["result"]
            return float(found[0]["value"][1]) if found else 0.0

        def total() -> float:
            return asked("sum(model_predictions_total)")

        until(lambda: asked("count(model_predictions_total)") == 2, "both are scraped")
        predict(first, 500)
        predict(second, 300)
        until(lambda: total() == 800, "all are scraped")
        second.close()
        second, _ = server(ports[1])
        until(lambda: total() == 500, "the second begins again")
        predict(second, 200)
        until(lambda: total() == 700, "all are scraped again")
        samples = "min(count_over_time(model_predictions_total[1h]))"
        until(lambda: asked(samples) >= SCRAPED, "scraped so often that one more matters little")
        rows = {
            dict(labels)["model_version"]: value
            for (name, labels), value in evaluated(path, time.time()).items()
            if name == "model_window_predictions"
        }
        first.close()
        second.close()
    assert rows == {"1": rows["1"], "all": rows["1"]}
    # Reckoned to the end of the window: by as much as one scrape more, or a little over.
    assert 1_000 <= rows["1"] <= 1_000 * (1 + 1.2 / (SCRAPED - 1))


def test_tls_and_users(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    """Of a server with a certificate of one's own, and with a password."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "server.key")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    web = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"horse-battery", bcrypt.gensalt(4)).decode()
    tls = {"cert_file": "server.pem", "key_file": "server.key"}
    web.write_text(json.dumps({"tls_server_config": tls, "basic_auth_users": {"job": hashed}}))
    reference().save(tmp_path / "churn.baseline.json")
    password = tmp_path / "password"
    with Processes(tmp_path) as processes:
        address = started(processes, require_tool("prometheus"), tmp_path, web=web)
        url = address.replace("http://", "https://")
        keys = {"username": "job", "password_file": "password", "ca_file": "ca.pem"}
        for secret, with_ca, problem in (
            ("horse-battery", True, "no process has served"),
            ("staple-battery", True, "answered 401"),
            ("horse-battery", False, "TLS certificate"),
        ):
            password.write_text(secret)
            given = keys if with_ca else {k: v for k, v in keys.items() if k != "ca_file"}
            path = configured(tmp_path, predictions=counted(url, **given))
            _, failures = once(load(path), now=END * 1_000_000)
            assert problem in failures[0], (secret, with_ca)


def test_a_server_that_does_not_answer_is_told_by_the_check(tmp_path: Path) -> None:
    reference().save(tmp_path / "churn.baseline.json")
    path = configured(tmp_path, predictions=counted("http://127.0.0.1:9"))
    (problem,) = check_sources(load(path))
    assert "models[churn].predictions: http://127.0.0.1:9: cannot connect" in problem
