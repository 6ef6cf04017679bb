"""`POST /v1/alerts` of a running job, with a service on loopback that it calls."""

import base64
import http.client
import json
import logging
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.job.web_server import WebServer

from model_exporter.demo.processes import Processes, answers, fetch, free_port
from model_exporter.errors import StateError
from model_exporter.job.retraining import delivery, retrainer
from model_exporter.job.retraining.journal import Journal
from model_exporter.job.retraining.outbox import Outbox
from model_exporter.job.retraining.sending import End, send
from model_exporter.job.retraining.template import Call
from model_exporter.job.service import Service
from model_exporter.job.sources.address import Credentials
from model_exporter.job.sources.web import Adapter

TOKEN = "c4n4ry-T0k3n"
SECRET = "s3rv1ce-T0k3n"
ALERT = {
    "status": "firing",
    "labels": {"alertname": "Quality", "model_name": "churn", "model_version": "3"},
    "fingerprint": "f00d",
    "startsAt": "2026-01-31T12:00:00Z",
}
OTHER = ALERT | {"fingerprint": "beef"}
WAIT_SECONDS = 60
TURNS = 2
"""Kills at random; with --runslow, 40."""


def configure(directory: Path, url: str, *, port: int = 0, **rules: Any) -> Path:
    (directory / "webhook").write_text(f"{TOKEN}\n")
    (directory / "service").write_text(f"{SECRET}\n")
    model = {
        "name": "churn",
        "task": "binary",
        "predictions": {"type": "push"},
        "labels": {"type": "push"},
        "retraining": {
            "alerts": ["Quality"],
            **rules,
            "request": {"type": "url", "url": url, "token_file": "service"},
        },
    }
    config = {
        "listen": f"127.0.0.1:{port}",
        "poll_interval": "50ms",
        "alerts": {"token_file": "webhook"},
        "models": [model],
    }
    path = directory / "exporter.yml"
    path.write_text(json.dumps(config))
    return path


def webhook(*alerts: Any) -> bytes:
    return json.dumps({"version": "4", "alerts": alerts}).encode()


def post(
    port: int, body: bytes, *, to: str = "/v1/alerts", token: str = TOKEN, **headers: str
) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {token}", **named}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", to, body, sent)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return found


def outcomes(directory: Path) -> list[str]:
    path = directory / "state" / "retraining.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]
    assert [line["entry"] for line in found] == list(range(1, len(found) + 1))
    assert all(line["reason"] for line in found)
    return [line["outcome"] for line in found]


def counted(port: int, outcome: str, model: str = "churn") -> float | None:
    text = fetch(f"http://127.0.0.1:{port}/metrics")
    for family in text_string_to_metric_families(text):
        for found in family.samples:
            labels = {"model_name": model, "outcome": outcome}
            if found.name == "model_retraining_requests_total" and found.labels == labels:
                return found.value
    return None


@pytest.fixture
def receiver() -> Iterator[WebServer]:
    with WebServer(lambda asked: asked.answer(status=201)) as server:
        yield server


@pytest.fixture
def start() -> Iterator[Callable[[Path], Service]]:
    with ExitStack() as stack:

        def start(path: Path) -> Service:
            service = Service(path)
            stack.callback(service.stop)
            service.start()
            return service

        yield start


def test_one_call_however_often_it_is_delivered(
    tmp_path: Path, receiver: WebServer, start: Callable[[Path], Service]
) -> None:
    """With every decision in the journal and in the counters, which outlive a restart."""
    path = configure(tmp_path, receiver.url)
    service = start(path)
    elsewhere = {**ALERT, "labels": {"alertname": "Quality", "model_name": "other"}}
    wrong = {**OTHER, "labels": {"alertname": "Wrong", "model_name": "churn"}}
    assert post(service.port, webhook(ALERT, ALERT)) == (
        202,
        {"alerts": 2, "outcomes": {"duplicate": 1, "requested": 1}},
    )
    for _ in range(5):
        status, answer = post(service.port, webhook(ALERT, OTHER, wrong, elsewhere))
        assert status == 202
        assert answer["outcomes"] == {"cooldown": 1, "duplicate": 1, "not_configured": 2}
    resolved = ALERT | {"status": "resolved"}
    assert post(service.port, webhook(resolved))[1]["outcomes"] == {"resolved": 1}
    until(lambda: counted(service.port, "accepted") == 1 and counted(service.port, "resolved"))
    expected = ["requested", "duplicate", *(["duplicate", "cooldown", *["not_configured"] * 2] * 5)]
    assert sorted(outcomes(tmp_path)) == sorted([*expected, "resolved", "accepted"])
    assert counted(service.port, "duplicate") == 6
    assert counted(service.port, "not_configured", model="") == 5
    service.stop()
    service = start(path)
    assert post(service.port, webhook(ALERT))[1]["outcomes"] == {"duplicate": 1}
    until(lambda: counted(service.port, "duplicate") == 7)
    (request,) = receiver.requests
    assert json.loads(request.body)["alertname"] == "Quality"
    assert request.headers["Authorization"] == f"Bearer {SECRET}"


def test_who_may_not_send(
    tmp_path: Path, receiver: WebServer, start: Callable[[Path], Service]
) -> None:
    """Nothing is decided; attempts without the token are counted, and in no log."""
    service = start(configure(tmp_path, receiver.url))
    port, good = service.port, webhook(ALERT)
    large = webhook({**ALERT, "annotations": {"a": "x" * (2 << 20)}})
    assert post(port, large)[0] == 413
    for token in ("", "x", TOKEN + "x", TOKEN[:-1], "\xe9"):
        assert post(port, good, token=token)[0] == 401
    assert post(port, large, token="x")[0] == 401
    assert post(port, good, Authorization=f"Basic {TOKEN}")[0] == 401
    assert post(port, good, Content_Type="text/plain")[0] == 415
    assert post(port, good, Content_Encoding="gzip")[0] == 415
    bad = webhook(ALERT, {**ALERT, "startsAt": "now"})
    assert post(port, bad) == (
        400,
        {"error": "expected a time as of RFC 3339", "record": 1, "field": "startsAt"},
    )
    assert post(port, good)[1]["outcomes"] == {"requested": 1}
    until(lambda: counted(port, "accepted") == 1 and counted(port, "unauthorized", "") == 7)
    assert outcomes(tmp_path) == ["requested", "accepted"]
    assert len(receiver.requests) == 1
    (tmp_path / "webhook").write_text("")
    assert post(port, good, token="")[0] == 401


def test_the_token_stands_beside_the_users_of_the_port(
    tmp_path: Path, receiver: WebServer, start: Callable[[Path], Service]
) -> None:
    """Whoever may read the metrics may start nothing, and Alertmanager needs no user."""
    path = configure(tmp_path, receiver.url)
    hashed = bcrypt.hashpw(b"horse", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(json.dumps({"basic_auth_users": {"alice": hashed}}))
    path.write_text(json.dumps({**json.loads(path.read_text()), "web_config": "web.yml"}))
    port = start(path).port
    alice = "Basic " + base64.b64encode(b"alice:horse").decode()
    for authorization in (alice, "", "Bearer wrong"):
        body = webhook(ALERT)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Content-Type": "application/json", "Authorization": authorization}
        connection.request("POST", "/v1/alerts", body, headers)
        assert connection.getresponse().status == 401
        connection.close()
    assert post(port, webhook(ALERT))[0] == 202


def test_without_the_section_there_is_no_door(
    tmp_path: Path, receiver: WebServer, start: Callable[[Path], Service]
) -> None:
    path = configure(tmp_path, receiver.url)
    config = json.loads(path.read_text())
    del config["alerts"], config["models"][0]["retraining"]
    path.write_text(json.dumps(config))
    service = start(path)
    assert post(service.port, webhook(ALERT))[0] == 404
    assert not (tmp_path / "state" / "retraining.sqlite").exists()


def test_new_labels_are_waited_for(
    tmp_path: Path, receiver: WebServer, start: Callable[[Path], Service]
) -> None:
    """Until the first evaluation, Alertmanager is asked to come again; then labels count."""
    path = configure(tmp_path, receiver.url, minimum_new_labels=3, cooldown="0s", daily_maximum=9)
    service = start(path)
    until(lambda: post(service.port, webhook(ALERT))[0] == 202)
    assert post(service.port, webhook(ALERT))[1]["outcomes"] == {"too_few_labels": 1}
    now = time.time() - 100
    for name, row in (
        ("predictions", {"timestamp": now, "prediction": 1}),
        ("labels", {"label_timestamp": now + 1, "label": 1}),
    ):
        rows = [{"prediction_id": i, **row} for i in range(3)]
        assert post(service.port, json.dumps(rows).encode(), to=f"/v1/{name}")[0] == 202
    until(lambda: post(service.port, webhook(ALERT))[1]["outcomes"] == {"requested": 1})
    assert post(service.port, webhook(OTHER))[1]["outcomes"] == {"too_few_labels": 1}


def test_a_dry_run_sends_nothing(
    tmp_path: Path, receiver: WebServer, start: Callable[[Path], Service]
) -> None:
    service = start(configure(tmp_path, receiver.url, dry_run=True))
    answer = post(service.port, webhook(ALERT, OTHER))[1]
    assert answer["outcomes"] == {"dry_run": 1, "cooldown": 1}
    until(lambda: counted(service.port, "dry_run") == 1)
    assert "last_request_timestamp_seconds{" not in fetch(
        f"http://127.0.0.1:{service.port}/metrics"
    )
    path = configure(tmp_path, receiver.url)
    urllib.request.urlopen(
        urllib.request.Request(f"http://127.0.0.1:{service.port}/-/reload", method="POST")
    ).close()
    assert json.loads(path.read_text())["models"][0]["retraining"].get("dry_run") is None
    assert post(service.port, webhook(ALERT))[1]["outcomes"] == {"requested": 1}
    until(lambda: receiver.requests)


def test_a_full_disk_decides_nothing(
    tmp_path: Path,
    receiver: WebServer,
    start: Callable[[Path], Service],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """503, so that Alertmanager comes again; half of a webhook is not kept."""
    caplog.set_level(logging.CRITICAL, "model_exporter")
    service = start(configure(tmp_path, receiver.url))

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "record", full)
        assert post(service.port, webhook(ALERT))[0] == 503
    assert post(service.port, webhook(ALERT))[1]["outcomes"] == {"requested": 1}
    until(lambda: counted(service.port, "accepted") == 1)
    assert counted(service.port, "requested") == 1


def test_what_cannot_be_written_down_is_not_sent(
    tmp_path: Path,
    receiver: WebServer,
    start: Callable[[Path], Service],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is sent, and written down, when it can be; meanwhile not too much may wait for that."""
    caplog.set_level(logging.CRITICAL, "model_exporter")
    monkeypatch.setattr(retrainer, "TROUBLE_SECONDS", 0.01)
    monkeypatch.setattr(retrainer, "MAX_UNWRITTEN", 3)
    journal = tmp_path / "state" / "retraining.jsonl"
    journal.mkdir(parents=True)
    service = start(configure(tmp_path, receiver.url))
    assert post(service.port, webhook(*[ALERT] * 4))[0] == 202
    assert post(service.port, webhook(ALERT))[0] == 503
    assert receiver.requests == []
    journal.rmdir()
    until(lambda: counted(service.port, "accepted") == 1)
    assert outcomes(tmp_path) == ["requested", *["duplicate"] * 3, "accepted"]


def test_a_service_in_trouble_is_tried_again(
    tmp_path: Path,
    receiver: WebServer,
    start: Callable[[Path], Service],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one key; each attempt is in the journal."""
    monkeypatch.setattr(delivery, "FIRST_WAIT_SECONDS", 0.01)
    statuses = [500, 503, 429, 200]
    receiver.respond = lambda asked: asked.answer(b"busy", statuses.pop(0))
    service = start(configure(tmp_path, receiver.url))
    post(service.port, webhook(ALERT))
    until(lambda: counted(service.port, "accepted") == 1)
    assert outcomes(tmp_path) == ["requested", *["retrying"] * 3, "accepted"]
    assert len({request.headers["Idempotency-Key"] for request in receiver.requests}) == 1


def test_a_refusal_is_final_until_the_alert_comes_again(
    tmp_path: Path, receiver: WebServer, start: Callable[[Path], Service]
) -> None:
    """Nothing was started, so the episode may be requested again, by the same rules."""
    receiver.respond = lambda asked: asked.answer(f'{{"message": "{SECRET}"}}', 422)
    service = start(configure(tmp_path, receiver.url, cooldown="0s", daily_maximum=2))
    for n in range(2):
        assert post(service.port, webhook(ALERT))[1]["outcomes"] == {"requested": 1}
        until(lambda n=n: counted(service.port, "failed") == n + 1)
    assert post(service.port, webhook(ALERT))[1]["outcomes"] == {"daily_maximum": 1}
    text = (tmp_path / "state" / "retraining.jsonl").read_text()
    assert "answered 422 Unprocessable Entity: {" in text
    assert SECRET not in text


def test_it_gives_up(
    tmp_path: Path, start: Callable[[Path], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody listens, after some attempts."""
    monkeypatch.setattr(delivery, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(delivery, "MAX_ATTEMPTS", 3)
    service = start(configure(tmp_path, f"http://127.0.0.1:{free_port()}/"))
    post(service.port, webhook(ALERT))
    until(lambda: counted(service.port, "failed") == 1)
    assert outcomes(tmp_path) == ["requested", "retrying", "retrying", "failed"]


def test_stopping_does_not_wait_for_a_call(tmp_path: Path, receiver: WebServer) -> None:
    """Nor do scrapes meanwhile; the call's end is unknown, and it is not made again."""
    receiver.respond = lambda _: receiver.released.wait(WAIT_SECONDS)
    path = configure(tmp_path, receiver.url)
    service = Service(path)
    service.start()
    post(service.port, webhook(ALERT))
    until(lambda: receiver.requests)
    assert counted(service.port, "requested") == 1
    service.stop()
    service = Service(path)
    service.start()
    until(lambda: counted(service.port, "unknown") == 1)
    assert post(service.port, webhook(ALERT))[1]["outcomes"] == {"duplicate": 1}
    service.stop()
    assert len(receiver.requests) == 1


def test_two_jobs_do_not_share_a_state(tmp_path: Path) -> None:
    with Outbox(tmp_path), pytest.raises(StateError, match="in use by another process"):
        Outbox(tmp_path)
    (tmp_path / "retraining.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StateError, match="move it away"):
        Outbox(tmp_path)


def call(url: str, seconds: float = 30) -> Call:
    return Call("POST", url, {}, b"{}", Credentials(), seconds)


ANSWERS = {
    200: End.ACCEPTED,
    204: End.ACCEPTED,
    409: End.ACCEPTED,
    400: End.REFUSED,
    401: End.REFUSED,
    404: End.REFUSED,
    429: End.AGAIN,
    500: End.AGAIN,
    503: End.AGAIN,
    301: End.REFUSED,
    302: End.UNKNOWN,
    303: End.UNKNOWN,
    308: End.REFUSED,
    502: End.UNKNOWN,
    504: End.UNKNOWN,
}


@pytest.mark.parametrize("status", ANSWERS)
def test_what_an_answer_says(receiver: WebServer, status: int) -> None:
    receiver.respond = lambda asked: asked.answer(status=status, Retry_After="7")
    result = send(call(receiver.url), Adapter(), known=frozenset({409}))
    assert result.end is ANSWERS[status]
    assert result.retry_after == (7 if result.end is End.AGAIN else 0)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "/records", "//other/"])
def test_redirects_are_not_followed(receiver: WebServer, target: str) -> None:
    """Not to metadata services, and not to the same place either: a POST is not repeated."""
    receiver.respond = lambda asked: asked.answer(status=307, Location=target)
    assert send(call(receiver.url), Adapter()).end is End.REFUSED
    assert len(receiver.requests) == 1


def test_what_broke_off(receiver: WebServer) -> None:
    """Before a connection nothing was sent; after it, nobody knows."""
    nobody = call(f"http://127.0.0.1:{free_port()}/")
    assert send(nobody, Adapter()).end is End.AGAIN
    assert send(call(receiver.url.replace("http:", "https:")), Adapter()).end is End.AGAIN
    receiver.respond = lambda asked: asked.connection.shutdown(socket.SHUT_RDWR)
    assert send(call(receiver.url), Adapter()).end is End.UNKNOWN
    receiver.respond = lambda asked: receiver.released.wait(WAIT_SECONDS)
    result = send(call(receiver.url, seconds=0.2), Adapter())
    assert result.end is End.UNKNOWN
    assert "not known" in result.reason
    receiver.respond = lambda asked: asked.answer(b"x" * (1 << 20), 400)
    assert len(send(call(receiver.url), Adapter()).reason) < 400


def test_the_journal_repeats_and_loses_nothing(tmp_path: Path) -> None:
    """After a crash between writing and forgetting, over a torn line, and over a rotation."""
    lines = [(n, json.dumps({"outcome": "duplicate", "reason": "x" * 50})) for n in range(1, 40)]
    journal = Journal(tmp_path, max_bytes=2_000)
    for n in range(0, 39, 3):
        journal.write(lines[n : n + 3])
        with journal.path.open("ab") as file:
            file.write(b'{"entry": 99')
        journal = Journal(tmp_path, max_bytes=2_000)
        journal.write(lines[max(0, n - 2) : n + 3])
    paths = [journal.path.with_name("retraining.jsonl.1"), journal.path]
    assert all(path.stat().st_size <= 2_000 for path in paths)
    assert journal.path.stat().st_mode & 0o777 == 0o600
    text = "".join(path.read_text() for path in paths).replace('{"entry": 99', "")
    entries = [json.loads(line)["entry"] for line in text.splitlines()]
    assert entries == list(range(entries[0], 40))


class Job:
    """`model-exporter serve` as a process of its own."""

    def __init__(self, path: Path, port: int) -> None:
        command = [sys.executable, "-m", "model_exporter", "serve", "--config", str(path)]
        self._log = path.with_suffix(".log").open("ab")
        self.port = port
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        try:
            until(answers(f"http://127.0.0.1:{port}/-/ready"))
        except BaseException:
            self.end()
            raise

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(60)
        self._log.close()


def test_killed_in_the_middle_of_a_call(tmp_path: Path, receiver: WebServer) -> None:
    """Whether it arrived nobody knows: that is said, and it is not sent again."""
    receiver.respond = lambda _: receiver.released.wait(WAIT_SECONDS)
    port = free_port()
    path = configure(tmp_path, receiver.url, port=port)
    job = Job(path, port)
    try:
        assert post(port, webhook(ALERT))[0] == 202
        until(lambda: receiver.requests)
    finally:
        job.end()
    job = Job(path, port)
    try:
        until(lambda: counted(port, "unknown") == 1)
        assert post(port, webhook(ALERT))[1]["outcomes"] == {"duplicate": 1}
        until(lambda: outcomes(tmp_path) == ["requested", "unknown", "duplicate"])
    finally:
        job.end()
    assert len(receiver.requests) == 1


def test_killed_between_the_decision_and_the_call(tmp_path: Path) -> None:
    """What was decided is sent by the next process."""
    port, service = free_port(), free_port()
    path = configure(tmp_path, f"http://127.0.0.1:{service}/", port=port)
    job = Job(path, port)
    try:
        assert post(port, webhook(ALERT))[0] == 202
        until(lambda: counted(port, "retrying"))
    finally:
        job.end()
    with WebServer(lambda asked: asked.answer(status=201)) as receiver:
        configure(tmp_path, receiver.url, port=port)
        job = Job(path, port)
        try:
            until(lambda: counted(port, "accepted") == 1)
            assert post(port, webhook(ALERT))[1]["outcomes"] == {"duplicate": 1}
        finally:
            job.end()
        assert len(receiver.requests) == 1
    found = outcomes(tmp_path)
    assert found[0] == "requested"
    assert found.count("accepted") == 1


def test_killed_at_any_time(
    tmp_path: Path, receiver: WebServer, request: pytest.FixtureRequest
) -> None:
    """Webhooks and kills at random: at most one call for an episode, and each one has an end."""
    rng = random.Random(0)
    turns = 40 if request.config.getoption("--runslow") else TURNS
    port = free_port()
    path = configure(tmp_path, receiver.url, port=port, cooldown="0s", daily_maximum=100)
    episodes = [ALERT | {"fingerprint": f"{n:x}"} for n in range(3 * turns)]
    for turn in range(turns):
        job = Job(path, port)
        try:
            for alert in episodes[: 3 * turn + 3]:
                assert post(port, webhook(alert, alert))[0] == 202
            time.sleep(rng.uniform(0, 0.02))
        finally:
            job.end()
    job = Job(path, port)
    try:
        until(
            lambda: (counted(port, "accepted") or 0) + (counted(port, "unknown") or 0) == 3 * turns
        )
    finally:
        job.end(signal.SIGTERM)
    keys = [request.headers["Idempotency-Key"] for request in receiver.requests]
    assert len(set(keys)) == len(keys)
    found = outcomes(tmp_path)
    assert found.count("requested") == 3 * turns
    assert found.count("accepted") + found.count("unknown") == 3 * turns
    assert found.count("accepted") <= len(keys) <= 3 * turns


ALERTMANAGER = """\
route:
  receiver: automation
  group_by: [alertname, model_name]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1s
receivers:
  - name: automation
    webhook_configs:
      - url: http://127.0.0.1:{port}/v1/alerts
        send_resolved: true
        http_config:
          authorization:
            credentials_file: {token}
"""


class Alertmanager:
    """A real one, that sends what fires to the job every second."""

    def __init__(self, directory: Path, program: str, port: int) -> None:
        self._directory = directory
        self._program = program
        config = ALERTMANAGER.format(port=port, token=directory / "webhook")
        (directory / "alertmanager.yml").write_text(config)
        self.url = f"http://127.0.0.1:{free_port()}"

    def start(self, processes: Processes, name: str) -> subprocess.Popen[str]:
        command = [
            self._program,
            f"--config.file={self._directory / 'alertmanager.yml'}",
            f"--storage.path={self._directory / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--cluster.listen-address=",
        ]
        child = processes.start(name, command)
        processes.wait_for(name, child, answers(f"{self.url}/-/ready"), 30)
        return child

    def fire(self) -> None:
        """Send the alert as Prometheus does, again and again with one start."""
        labels = {"alertname": "Quality", "model_name": "churn", "severity": "critical"}
        alert = {"labels": labels, "startsAt": "2026-01-31T12:00:00.123456789Z"}
        alert["endsAt"] = "2099-01-01T00:00:00Z"
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts",
            json.dumps([alert]).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()


def test_a_real_alertmanager(
    tmp_path: Path, receiver: WebServer, require_tool: Callable[[str], str]
) -> None:
    """Killed and restarted while the alert fires, as is the job: exactly one call.

    Then a replay by hand, a wrong token, a body that is too large.
    """
    program = shutil.which("prometheus-alertmanager") or require_tool("alertmanager")
    port = free_port()
    path = configure(tmp_path, receiver.url, port=port)
    alertmanager = Alertmanager(tmp_path, program, port)
    job = Job(path, port)
    try:
        with Processes(tmp_path) as processes:
            child = alertmanager.start(processes, "first")
            alertmanager.fire()
            until(lambda: outcomes(tmp_path).count("duplicate") >= 2)
            child.kill()
            child.wait()
            before = len(outcomes(tmp_path))
            child = alertmanager.start(processes, "second")
            alertmanager.fire()
            until(lambda: len(outcomes(tmp_path)) >= before + 2)
            job.end()
            job = Job(path, port)
            alertmanager.fire()
            before = len(outcomes(tmp_path))
            until(lambda: len(outcomes(tmp_path)) >= before + 2)
        with (tmp_path / "state" / "retraining.jsonl").open() as file:
            first = json.loads(file.readline())
        replay = {
            "status": "firing",
            "labels": {"alertname": "Quality", "model_name": "churn", "severity": "critical"},
            "fingerprint": first["fingerprint"],
            "startsAt": "2026-01-31T12:00:00.123456789Z",
        }
        assert post(port, webhook(replay))[1]["outcomes"] == {"duplicate": 1}
        assert post(port, webhook(replay | {"fingerprint": "1"}), token="wrong")[0] == 401
        assert post(port, bytes(2 << 20))[0] == 413
    finally:
        job.end(signal.SIGTERM)
    found = outcomes(tmp_path)
    assert found.count("requested") == found.count("accepted") == 1
    assert set(found) == {"requested", "accepted", "duplicate"}
    assert len(receiver.requests) == 1
