"""Records pushed over HTTP: kept once answered, refused with the record and the field named."""

import gzip
import http.client
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_exporter import ModelMonitor
from model_exporter.cli import main
from model_exporter.errors import ConfigError
from model_exporter.job import door
from model_exporter.job.config import load
from model_exporter.job.once import once
from model_exporter.job.service import Service
from model_exporter.job.sources.spool import Spool, SpoolFullError
from model_exporter.sidecar.clock import Clock

NOW = 1_700_000_000_000_000
CLOCK = Clock(lambda: 0, lambda: (NOW - 10_000_000) * 1000)
TOKEN = "s3cret-t0ken"
GOOD = {"prediction_id": "a", "timestamp": 1_699_999_000, "prediction": 1}
LABEL = {"prediction_id": "a", "label": 1, "label_timestamp": 1_699_999_500}


def model(name: str = "churn", **more: Any) -> dict[str, Any]:
    push = {"type": "push", "token_file": "token"}
    return {"name": name, "task": "binary", "predictions": push, "labels": push, **more}


def configure(
    directory: Path, *models: dict[str, Any], listen: str = "127.0.0.1:0", poll: str = "1h"
) -> Path:
    (directory / "token").write_text(f"{TOKEN}\n")
    path = directory / "exporter.yml"
    config = {"listen": listen, "poll_interval": poll, "models": models or (model(),)}
    path.write_text(json.dumps(config))
    return path


@pytest.fixture
def start() -> Iterator[Callable[[Path], Service]]:
    started: list[Service] = []

    def start(path: Path) -> Service:
        service = Service(path, clock=lambda: NOW / 1e6)
        started.append(service)
        service.start()
        return service

    yield start
    for service in started:
        service.stop()


def push(
    port: int,
    body: Any,
    *,
    to: str = "/v1/predictions",
    method: str = "POST",
    **headers: str,
) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
    """Push records, or bytes as they are; return status, body and headers of the answer."""
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, to, body=data, headers=sent)
        response = connection.getresponse()
        text = response.read()
        known = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if known else {}, response.headers
    finally:
        connection.close()


def evaluated(path: Path) -> str:
    text, failures = once(load(path), now=NOW)
    assert failures == []
    return text


def count(text: str, family: str) -> float:
    found = [line for line in text.splitlines() if line.startswith(family) and 'segment=""' in line]
    return max((float(line.rpartition(" ")[2]) for line in found), default=0)


FORMS = {
    "list": (lambda rows: json.dumps(rows).encode(), {}),
    "object": (lambda rows: json.dumps({"records": rows}).encode(), {}),
    "lines": (
        lambda rows: "\n".join(map(json.dumps, rows)).encode(),
        {"Content_Type": "application/x-ndjson; charset=utf-8"},
    ),
    "gzip": (
        lambda rows: gzip.compress("".join(f"{json.dumps(r)}\n" for r in rows).encode()),
        {"Content_Type": "application/x-ndjson", "Content_Encoding": "gzip"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_pushed_counts(tmp_path: Path, start: Callable[[Path], Service], form: str) -> None:
    """In every form, as often as it comes; only columns of the configuration reach the disk."""
    encode, headers = FORMS[form]
    path = configure(tmp_path, model(windows=["1d"]))
    service = start(path)
    rows = [GOOD | {"prediction_id": i, "secret": "canary"} for i in range(3)]
    for _ in range(2):
        status, answer, _ = push(service.port, encode(rows), **headers)
        assert (status, answer) == (202, {"accepted": 3})
    status, answer, _ = push(service.port, [LABEL | {"prediction_id": 1.0}], to="/v1/labels")
    assert (status, answer) == (202, {"accepted": 1})
    service.stop()
    written = b"".join(
        f.read_bytes() for f in tmp_path.rglob("*") if "state" in str(f) and f.is_file()
    )
    assert b"canary" not in written
    text = evaluated(path)
    assert count(text, "model_window_predictions") == 3
    assert count(text, "model_window_labeled_predictions") == 1
    assert list(tmp_path.rglob("*.pushed/*/*")) == []


BAD = {
    "no id": ({"prediction_id": ""}, "prediction_id"),
    "null id": ({"prediction_id": None}, "prediction_id"),
    "time": ({"timestamp": "soon"}, "timestamp"),
    "time beyond time": ({"timestamp": 1e300}, "timestamp"),
    "class": ({"prediction": "maybe"}, "prediction"),
    "no prediction": ({"prediction": None}, "prediction"),
    "surrogate": ({"prediction_id": "\ud800"}, "prediction_id"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_refuses_the_push(
    tmp_path: Path, start: Callable[[Path], Service], case: str
) -> None:
    """The answer names it and its field; nothing of the batch is kept."""
    change, field = BAD[case]
    path = configure(tmp_path)
    service = start(path)
    status, answer, _ = push(service.port, [GOOD, GOOD | {"prediction_id": "b"} | change])
    assert (status, answer["record"], answer["field"]) == (400, 1, field)
    service.stop()
    assert count(evaluated(path), "model_window_predictions") == 0


def test_lenient_keeps_the_others(tmp_path: Path, start: Callable[[Path], Service]) -> None:
    """What a sidecar asks for: an odd row is counted as invalid, in the answer and the ledger."""
    path = configure(tmp_path)
    service = start(path)
    rows = [GOOD, GOOD | {"prediction_id": "b", "prediction": None}, GOOD | {"timestamp": 1e300}]
    status, answer, _ = push(service.port, rows, Prefer="respond-async, handling=lenient")
    assert (status, answer) == (202, {"accepted": 3, "invalid": 2})
    status, answer, _ = push(
        service.port,
        [LABEL | {"label": "maybe"}],
        to="/v1/labels",
        Prefer="handling=lenient",
    )
    assert answer == {"accepted": 1, "invalid": 1}
    service.stop()
    text = evaluated(path)
    assert count(text, "model_window_predictions") == 1
    assert 'outcome="invalid"} 1.0' in text


REFUSED = {
    "not json": (b"{", {}, 400),
    "nan": (b'[{"prediction_id": NaN}]', {}, 400),
    "no list": (b'{"rows": []}', {}, 400),
    "no object": (b"[1]", {}, 400),
    "deep": (b"[" * 50_000 + b"]" * 50_000, {}, 400),
    "deep record": (b'[{"a":' + b'{"a":' * 900 + b"1" + b"}" * 901 + b"]", {}, 400),
    "long number": (b"[" + b"1" * 5000 + b"]", {}, 400),
    "other columns": (b'[{"id": 1}]', {}, 400),
    "not utf-8": (b'[{"prediction_id": "\xff"}]', {}, 400),
    "not gzip": (b"[]", {"Content_Encoding": "gzip"}, 400),
    "half gzip": (gzip.compress(b"[]" * 99)[:-9], {"Content_Encoding": "gzip"}, 400),
    "two gzips": (gzip.compress(b"[]") * 2, {"Content_Encoding": "gzip"}, 400),
    "bomb": (gzip.compress(bytes(1 << 26)), {"Content_Encoding": "gzip"}, 413),
    "containers": (b"[" + b"{}," * 600_000 + b"[]" * 600_000, {}, 413),
    "records": (b"\n" * 200_000, {"Content_Type": "application/x-ndjson"}, 413),
    "large": (bytes((16 << 20) + 1), {}, 413),
    "type": (b"[]", {"Content_Type": "text/csv"}, 415),
    "encoding": (b"[]", {"Content_Encoding": "br"}, 415),
    "chunked": (b"garbage", {"Transfer_Encoding": "chunked"}, 411),
    "no token": (b"[]", {"Authorization": ""}, 401),
    "wrong token": (b"[]", {"Authorization": f"Bearer {TOKEN}x"}, 401),
    "wrong token, large": (bytes(15 << 20), {"Authorization": "Bearer x"}, 401),
    "no bearer": (b"[]", {"Authorization": f"Basic {TOKEN}"}, 401),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(configure(tmp_path_factory.mktemp("push")))
    service.start()
    yield service
    service.stop()


@pytest.mark.parametrize("case", REFUSED)
def test_refused(service: Service, case: str) -> None:
    """Each with its status and a reason, also where the body was not read; no secret is told."""
    body, headers, expected = REFUSED[case]
    status, answer, _ = push(service.port, body, **headers)
    assert status == expected
    assert answer["error"]
    assert TOKEN not in str(answer)


def test_other_methods_and_paths(service: Service) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        status, _, headers = push(service.port, b"", method=method)
        assert status == 405
        assert "POST" in headers["Allow"]
    assert push(service.port, [], to="/v1/nothing")[0] == 404
    assert push(service.port, [])[:2] == (202, {"accepted": 0})


def test_the_model_is_named(tmp_path: Path, start: Callable[[Path], Service]) -> None:
    """By the query, else by each record, else it is the only one that the token opens."""
    (tmp_path / "other").write_text("another-token")
    third = {"type": "push", "token_file": "other"}
    path = configure(tmp_path, model("a"), model("b"), model("c", predictions=third, labels=third))
    service = start(path)
    mixed = [GOOD | {"model_name": name} for name in "aab"]
    assert push(service.port, mixed)[:2] == (202, {"accepted": 3})
    assert push(service.port, [GOOD], to="/v1/predictions?model=b")[0] == 202
    assert push(service.port, [GOOD], Authorization="Bearer another-token")[0] == 202
    for records, to in (
        ([GOOD | {"model_name": "c"}], "/v1/predictions"),
        ([GOOD], "/v1/predictions"),
        ([GOOD], "/v1/predictions?model=c"),
    ):
        status, answer, _ = push(service.port, records, to=to)
        assert status == 404
        assert "here: a, b;" in answer["error"]


def test_full_means_later(
    tmp_path: Path, start: Callable[[Path], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room on the disk, or in memory: the client is told to come again, nothing is kept."""
    path = configure(tmp_path)
    service = start(path)

    def full(*_: object) -> None:
        raise SpoolFullError("full")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "append", full)
        status, _, headers = push(service.port, [GOOD])
        assert (status, headers["Retry-After"]) == (503, "5")
    with monkeypatch.context() as patch:
        patch.setattr(door, "WAIT_SECONDS", 0.01)
        patch.setattr(service._door._slots, "acquire", lambda timeout: False)
        status, _, headers = push(service.port, [GOOD])
        assert (status, headers["Retry-After"]) == (429, "5")
    service._door.close()
    assert push(service.port, [GOOD])[0] == 503


def test_the_token_can_be_changed(tmp_path: Path, start: Callable[[Path], Service]) -> None:
    """It is read anew; a file that holds none lets nobody in."""
    service = start(configure(tmp_path))
    (tmp_path / "token").write_text("new")
    assert push(service.port, [GOOD])[0] == 401
    assert push(service.port, [GOOD], Authorization="Bearer new")[0] == 202
    (tmp_path / "token").write_text("")
    assert push(service.port, [GOOD], Authorization="Bearer ")[0] == 401
    (tmp_path / "token").unlink()
    assert push(service.port, [GOOD], Authorization="Bearer new")[0] == 401


def test_reload_keeps_the_door(tmp_path: Path, start: Callable[[Path], Service]) -> None:
    """What was pushed before counts; a configuration that would let anyone in is refused."""
    path = configure(tmp_path)
    service = start(path)
    assert push(service.port, [GOOD])[0] == 202
    service.reload()
    assert push(service.port, [GOOD | {"prediction_id": "b"}])[0] == 202
    service._listen = ("0.0.0.0", 0)  # as if bound so; the file says loopback
    path.write_text(path.read_text().replace('"token_file": "token"', '"columns": {}'))
    with pytest.raises(ConfigError, match="token_file"):
        service.reload()
    service.stop()
    assert count(evaluated(configure(tmp_path)), "model_window_predictions") == 2


@pytest.mark.parametrize("listen", ["0.0.0.0:9920", ":9920", "exporter.example:1", "[::]:9920"])
def test_no_token_is_for_loopback_only(
    tmp_path: Path, listen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anyone could push otherwise; a token file without token is refused, too."""
    open_to_all = {"type": "push"}
    path = configure(tmp_path, model(predictions=open_to_all), listen=listen)
    assert main(["check-config", str(path)]) == 2
    assert "token_file" in capsys.readouterr().err
    for local in ("127.0.0.1:0", "localhost:0", "[::1]:0"):
        path = configure(tmp_path, model(predictions=open_to_all), listen=local)
        assert main(["check-config", str(path)]) == 0
    path = configure(tmp_path, listen=listen)
    (tmp_path / "token").write_text("two lines\nare none")
    assert main(["check-config", str(path)]) == 2
    assert "two lines" not in capsys.readouterr().err


@pytest.mark.parametrize("push", [{"path": "x"}, {"spool_bytes": 1}, {"spool_bytes": 1e8 + 0.5}])
def test_keys_of_push(tmp_path: Path, push: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(push))):
        load(configure(tmp_path, model(predictions={"type": "push", **push})))


def test_values_in_any_form_do_no_harm(tmp_path: Path, start: Callable[[Path], Service]) -> None:
    """Whatever JSON a field holds, the push is answered and the evaluation goes on."""
    numeric = {"numeric": ["age"], "categorical": ["country"]}
    path = configure(tmp_path, model(features=numeric, segments=["country"]), poll="20ms")
    service = start(path)
    odd = [
        *(
            None,
            True,
            0,
            -1,
            1e308,
            1e-320,
            2**70,
            "1e999",
            "infinity",
            "-infinity",
            "nan",
            "",
            " ",
        ),
        *("\x00", "é" * 99, [], [1], {}, {"a": {"b": 1}}, "294247-01-10", "9999999999999999999"),
        *(
            "nan",
            "",
            " ",
            "epoch",
            "0001-01-01 BC",
            1e16,
            1e19,
            -1e19,
            "'; DROP TABLE label; --",
            "true",
        ),
    ]
    rng = random.Random(1)
    for i in range(60):
        row = {"prediction_id": i, **GOOD}
        for field in ("prediction_id", "timestamp", "prediction", "score", "age", "country"):
            if rng.random() < 0.5:
                row[field] = rng.choice(odd)
        assert push(service.port, [row], Prefer="handling=lenient")[0] in (202, 400)
    for value in odd:
        row = LABEL | {rng.choice(list(LABEL)): value}
        push(service.port, [row], to="/v1/labels", Prefer="handling=lenient")
    service.stop()
    evaluated(path)


def test_the_sidecar_pushes(
    tmp_path: Path, start: Callable[[Path], Service], make_monitor: Callable[..., ModelMonitor]
) -> None:
    """End to end: its log over HTTP gives what its log as files gives, odd rows included."""
    from model_exporter.baseline import Baseline

    table = {"age": [20.0, 30.0, 40.0, 50.0], "prediction": [0, 1, 0, 1]}
    Baseline.from_table(table, task="binary", features={"numeric": ["age"]}).save(
        tmp_path / "baseline.json"
    )
    more = {"baseline": "baseline.json", "features": {"numeric": ["age"]}, "segments": ["country"]}
    (tmp_path / "pushed").mkdir()
    (tmp_path / "filed").mkdir()
    texts = []
    for way in ("pushed", "filed"):
        directory = tmp_path / way
        (directory / "log").mkdir()
        (directory / "baseline.json").write_bytes((tmp_path / "baseline.json").read_bytes())
        source = {"type": "jsonl", "path": "log/*.jsonl"}
        one = model(**more) if way == "pushed" else model(predictions=source, **more)
        path = configure(directory, one)
        service = start(path)
        log: dict[str, Any] = {"log": directory / "log"}
        if way == "pushed":
            log = {
                "log": f"http://127.0.0.1:{service.port}/v1/predictions",
                "log_token_file": directory / "token",
            }
        monitor = make_monitor(
            "churn",
            version="3",
            task="binary",
            baseline=tmp_path / "baseline.json",
            segments=["country"],
            **log,
        )
        predict = monitor(prediction_id=lambda row: row["id"])(lambda row: row["answer"])
        for i in range(50):
            answer = {"prediction": i % 2, "score": i / 50} if i != 7 else object()
            predict({"id": f"r{i}", "age": 20.0 + i, "country": "DE", "answer": answer})
        monitor.close()
        labels = [LABEL | {"prediction_id": f"r{i}", "label": i % 3 == 0} for i in range(40)]
        assert push(service.port, labels, to="/v1/labels")[0] == 202
        service.stop()
        texts.append(evaluated(path))
    assert texts[0] == texts[1]
    assert count(texts[0], "model_window_labeled_predictions") >= 39


@pytest.fixture
def make_monitor() -> Iterator[Callable[..., ModelMonitor]]:
    from prometheus_client import CollectorRegistry

    made: list[ModelMonitor] = []

    def make(*arguments: Any, **options: Any) -> ModelMonitor:
        monitor = ModelMonitor(*arguments, registry=CollectorRegistry(), clock=CLOCK, **options)
        made.append(monitor)
        return monitor

    yield make
    for monitor in made:
        monitor.close()
