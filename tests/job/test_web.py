"""The job's port under a web configuration file: TLS, users, headers, rate; pushes by token."""

import base64
import http.client
import json
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme

from model_exporter.cli import main
from model_exporter.errors import ConfigError
from model_exporter.job.config import load
from model_exporter.job.service import Service

NOW = 1_700_000_000
TOKEN = "t0ken-of-pushes"
PASSWORD = "horse-battery"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
ALICE = "Basic " + base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
MALLORY = "Basic " + base64.b64encode(b"mallory:guess").decode()
BEARER = f"Bearer {TOKEN}"
USERS = {"basic_auth_users": {"alice": HASH}}
RECORD = {"prediction_id": "a", "timestamp": NOW - 60, "prediction": 1}
TLS = {"cert_file": "server.pem", "key_file": "server.key"}


@pytest.fixture
def trust(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "server.key")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return authority


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    started: list[Service] = []

    def of(web: dict[str, Any], *, token: bool = True) -> Service:
        service = Service(configure(tmp_path, web, token=token), clock=lambda: float(NOW))
        started.append(service)
        service.start()
        return service

    yield of
    for service in started:
        service.stop()


def configure(
    directory: Path, web: dict[str, Any], *, token: bool = True, listen: str = "127.0.0.1:0"
) -> Path:
    (directory / "token").write_text(TOKEN)
    (directory / "web.yml").write_text(json.dumps(web))
    push = {"type": "push", **({"token_file": "token"} if token else {})}
    model = {"name": "churn", "task": "binary", "predictions": push}
    config = {"listen": listen, "poll_interval": "1h", "models": [model], "web_config": "web.yml"}
    path = directory / "exporter.yml"
    path.write_text(json.dumps(config))
    return path


def ask(
    service: Service,
    path: str = "/metrics",
    *,
    authorization: str = "",
    body: Any = None,
    context: ssl.SSLContext | None = None,
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Return status, body and headers."""
    place = ("127.0.0.1", service.port)
    connection = http.client.HTTPConnection(*place, timeout=30)
    if context is not None:
        connection = http.client.HTTPSConnection(*place, timeout=30, context=context)
    headers = {"Authorization": authorization} if authorization else {}
    sent = None if body is None else json.dumps(body).encode()
    if sent is not None:
        headers["Content-Type"] = "application/json"
    with closing(connection):
        connection.request("GET" if sent is None else "POST", path, sent, headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers


def client(trust: trustme.CA, *, name: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    trust.configure_trust(context)
    if name is not None:
        trust.issue_cert(name).configure_cert(context)
    return context


def test_tls(start: Callable[..., Service], trust: trustme.CA) -> None:
    """Scrapes and pushes go over HTTPS, large ones too; plain HTTP gets nothing."""
    service = start({"tls_server_config": {**TLS, "min_version": "TLS13"}})
    context = client(trust)
    status, body, _ = ask(service, context=context)
    assert (status, b"model_exporter_build_info" in body) == (200, True)
    records = [{**RECORD, "prediction_id": f"{i}" * 50} for i in range(20_000)]
    status, body, _ = ask(
        service, "/v1/predictions", authorization=BEARER, body=records, context=context
    )
    assert (status, json.loads(body)) == (202, {"accepted": 20_000})
    status, body, _ = ask(service, "/v1/predictions", body=records, context=context)
    assert status == 401  # and the answer arrives, though nobody read the body
    with pytest.raises((OSError, http.client.BadStatusLine)):
        ask(service)
    assert ask(service, "/-/healthy", context=context)[0] == 200


def test_client_certificates(start: Callable[..., Service], trust: trustme.CA) -> None:
    tls = {
        **TLS,
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": "ca.pem",
        "client_allowed_sans": ["prometheus.local"],
    }
    service = start({"tls_server_config": tls})
    assert ask(service, context=client(trust, name="prometheus.local"))[0] == 200
    for wrong in (None, "other.local"):
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(service, context=client(trust, name=wrong))


@pytest.mark.parametrize("path", ["/metrics", "/-/ready", "/", "/nowhere", "/v1/predictions"])
def test_users(start: Callable[..., Service], path: str) -> None:
    """Nothing at all is said to who has no password; the second time it is not hashed."""
    service = start(USERS)
    for wrong in ("", "Basic !!", f"Bearer {PASSWORD}", BEARER):
        status, body, headers = ask(service, path, authorization=wrong)
        assert (status, body) == (401, b"a user and the password are needed\n")
        assert headers["WWW-Authenticate"] == 'Basic realm="metrics", charset="UTF-8"'
    assert ask(service, path, authorization=ALICE)[0] != 401
    assert ask(service, path, authorization=MALLORY)[0] in (401, 429)
    assert ask(service, path, authorization=ALICE)[0] not in (401, 429)


def test_reloading_takes_a_user(start: Callable[..., Service]) -> None:
    service = start(USERS)
    assert ask(service, "/-/reload", authorization=BEARER, body={})[0] == 401
    assert ask(service, "/-/reload", authorization=ALICE, body={})[0] == 200


@pytest.mark.parametrize(
    ("token", "users", "authorization", "status"),
    [
        (True, True, BEARER, 202),
        (True, True, "Bearer wrong", 401),
        (True, True, ALICE, 401),  # a user who may read the metrics need not be let write
        (True, True, "", 401),
        (True, False, BEARER, 202),
        (True, False, ALICE, 401),
        (False, True, ALICE, 202),
        (False, True, BEARER, 401),  # any token would do: none is configured
        (False, True, MALLORY, 401),
        (False, True, "", 401),
        (False, False, "", 202),
    ],
)
def test_who_may_push(
    start: Callable[..., Service], token: bool, users: bool, authorization: str, status: int
) -> None:
    """A source with a token takes that, one without a user; and neither opens the other's door."""
    service = start(USERS if users else {}, token=token)
    found, *_ = ask(service, "/v1/predictions", authorization=authorization, body=[RECORD])
    assert found == status


def test_headers_are_on_every_answer(start: Callable[..., Service]) -> None:
    headers = {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=1"}
    service = start({**USERS, "http_server_config": {"headers": headers}})
    for path, authorization in (("/metrics", ALICE), ("/metrics", ""), ("/nowhere", ALICE)):
        found = ask(service, path, authorization=authorization)[2]
        assert {name: found[name] for name in headers} == headers


def test_the_rate_limit_holds_for_all(start: Callable[..., Service]) -> None:
    """However many ask at once, as many as the burst get an answer."""
    service = start({"rate_limit": {"interval": "1h", "burst": 5}})
    answers: list[int] = []
    askers = [threading.Thread(target=lambda: answers.append(ask(service)[0])) for _ in range(20)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert sorted(answers) == [200] * 5 + [429] * 15


def test_passwords_are_hashed_one_at_a_time(start: Callable[..., Service]) -> None:
    """Guesses by many at once are sent away; who was in before stays in."""
    costly = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(11)).decode()
    service = start({"basic_auth_users": {"alice": costly}})
    assert ask(service, authorization=ALICE)[0] == 200
    answers: list[int] = []
    askers = [
        threading.Thread(target=lambda: answers.append(ask(service, authorization=MALLORY)[0]))
        for _ in range(30)
    ]
    for asker in askers:
        asker.start()
    assert ask(service, authorization=ALICE)[0] == 200
    for asker in askers:
        asker.join()
    assert set(answers) == {401, 429}
    assert answers.count(429) > answers.count(401)


def test_who_listens_to_others_needs_a_token_or_users(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="or users in `web_config`"):
        load(configure(tmp_path, {}, token=False, listen="0.0.0.0:0"))
    assert load(configure(tmp_path, USERS, token=False, listen="0.0.0.0:0"))


def test_users_stay_while_they_are_all_that_guards_a_source(
    start: Callable[..., Service], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As at the start: a file without them is refused while the job runs, and they stay."""
    service = start(USERS, token=False)
    service._listen = ("0.0.0.0", service.port)  # as if others reached it
    (tmp_path / "web.yml").write_text("{}")
    deadline = time.monotonic() + 30
    while "the old web configuration stays" not in caplog.text:
        assert ask(service, "/v1/predictions", body=[RECORD])[0] == 401
        assert time.monotonic() < deadline
    assert "`push` without `token_file`" in caplog.text
    assert ask(service, "/v1/predictions", body=[RECORD])[0] == 401
    assert ask(service, "/v1/predictions", authorization=ALICE, body=[RECORD])[0] == 202


def test_a_web_configuration_that_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At start, in one line; one given on the command line goes before that of the file."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    path = configure(tmp_path, {"tls_server_config": TLS})
    assert main(["check-config", str(path)]) == 2
    assert "No such file" in capsys.readouterr().err
    bad = tmp_path / "other.yml"
    bad.write_text('{"tls": {}}')
    assert main(["serve", "--config", str(path), "--web.config.file", str(bad)]) == 2
    assert "other.yml: tls: is not known here" in capsys.readouterr().err
