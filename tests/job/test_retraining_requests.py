"""What is sent: as the services document it, with texts of alerts that cannot break out."""

import base64
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.job.web_server import WebServer

from model_exporter.cli import main
from model_exporter.errors import ConfigError
from model_exporter.job.config import load
from model_exporter.job.push_body import PushError
from model_exporter.job.retraining.alert import Alert, alerts
from model_exporter.job.retraining.presets import PRESETS
from model_exporter.job.retraining.sending import End, send
from model_exporter.job.retraining.template import Call, variables_of
from model_exporter.job.sources.web import Adapter

SECRET = "c4n4ry-T0k3n"
ALERT = Alert(
    True,
    {"alertname": "Quality", "model_name": "churn", "model_version": "3", "severity": "critical"},
    "f00d",
    1_700_000_000_123_456,
)
KEY = ALERT.key
PARAMETERS = {"model": "$model_name", "version": "v${model_version}", "price": "5 $$"}
FILLED = {"model": "churn", "version": "v3", "price": "5 $"}
BEARER = f"Bearer {SECRET}"
BASIC = "Basic " + base64.b64encode(f"robot:{SECRET}".encode()).decode()

JSON_CALLS: dict[str, tuple[dict[str, Any], str, dict[str, str], Any]] = {
    "github event": (
        {"type": "github", "repository": "acme/churn", "event": "retrain", "token_file": "secret"},
        "/repos/acme/churn/dispatches",
        {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
        {"event_type": "retrain", "client_payload": FILLED},
    ),
    "github workflow": (
        {
            "type": "github",
            "repository": "acme/churn",
            "token_file": "secret",
            "workflow": "retrain.yml",
            "ref": "v$1",
        },
        "/repos/acme/churn/actions/workflows/retrain.yml/dispatches",
        {"X-GitHub-Api-Version": "2022-11-28"},
        {"ref": "v$1", "inputs": FILLED},
    ),
    "airflow 3": (
        {"type": "airflow", "dag": "retrain churn", "token_file": "secret"},
        "/api/v2/dags/retrain%20churn/dagRuns",
        {},
        {"dag_run_id": f"retraining-{KEY}", "logical_date": None, "conf": FILLED},
    ),
    "airflow 2": (
        {
            "type": "airflow",
            "dag": "retrain",
            "api": "v1",
            "username": "robot",
            "password_file": "secret",
        },
        "/api/v1/dags/retrain/dagRuns",
        {"Authorization": BASIC},
        {"dag_run_id": f"retraining-{KEY}", "conf": FILLED},
    ),
    "argo template": (
        {
            "type": "argo",
            "namespace": "ml",
            "token_file": "secret",
            "template": "retrain-the-churn-model-of-the-north",
        },
        "/api/v1/workflows/ml/submit",
        {},
        {
            "namespace": "ml",
            "resourceKind": "WorkflowTemplate",
            "resourceName": "retrain-the-churn-model-of-the-north",
            "submitOptions": {
                "name": f"retrain-the-churn-model-of-the-{KEY}",
                "parameters": ["model=churn", "version=v3", "price=5 $"],
            },
        },
    ),
    "argo event": (
        {"type": "argo", "namespace": "ml", "event": "retrain", "token_file": "secret"},
        "/api/v1/events/ml/retrain",
        {},
        FILLED,
    ),
}
FORM_CALLS: dict[str, tuple[dict[str, Any], str, dict[str, str], dict[str, str]]] = {
    "gitlab": (
        {"type": "gitlab", "project": "acme/churn", "token_file": "secret"},
        "/api/v4/projects/acme%2Fchurn/trigger/pipeline",
        {"Authorization": ""},
        {"token": SECRET, "ref": "main"} | {f"variables[{k}]": v for k, v in FILLED.items()},
    ),
    "jenkins": (
        {
            "type": "jenkins",
            "job": "ml/retrain",
            "username": "robot",
            "password_file": "secret",
        },
        "/job/ml/job/retrain/buildWithParameters",
        {"Authorization": BASIC},
        FILLED,
    ),
}


def configure(directory: Path, request: dict[str, Any], **more: Any) -> Path:
    for name in ("secret", "webhook"):
        (directory / name).write_text(f"{SECRET}\n")
    retraining = {"alerts": ["Quality"], "request": request, **more}
    model = {
        "name": "churn",
        "task": "binary",
        "predictions": {"type": "push"},
        "labels": {"type": "push"},
        "retraining": retraining,
    }
    path = directory / "exporter.yml"
    path.write_text(json.dumps({"alerts": {"token_file": "webhook"}, "models": [model]}))
    return path


def call(directory: Path, request: dict[str, Any], alert: Alert = ALERT) -> Call:
    retraining = load(configure(directory, request)).models[0].retraining
    assert retraining is not None
    return retraining.request.call(variables_of(alert))


def sent(directory: Path, request: dict[str, Any], alert: Alert = ALERT) -> Any:
    """Send a request to a server on loopback; return it as it came."""
    with WebServer(lambda asked: asked.answer(status=204)) as server:
        base = server.url.removesuffix("/records")
        result = send(call(directory, {"url": base, **request}, alert), Adapter())
        assert (result.end, result.reason) == (End.ACCEPTED, "answered 204 No Content")
        (found,) = server.requests
        return found


@pytest.mark.parametrize("name", [*JSON_CALLS, *FORM_CALLS])
def test_each_service_gets_what_it_documents(tmp_path: Path, name: str) -> None:
    """Method, path, headers and body, with a key by which a repeat can be told."""
    request, path, headers, body = (JSON_CALLS | FORM_CALLS)[name]
    found = sent(tmp_path, {"parameters": PARAMETERS, **request})
    assert (found.command, found.path) == ("POST", path)
    for header, value in {"Authorization": BEARER, "Idempotency-Key": KEY, **headers}.items():
        assert found.headers.get(header, "") == value
    if name in FORM_CALLS:
        assert found.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert dict(parse_qsl(found.body.decode())) == body
    else:
        assert found.headers["Content-Type"] == "application/json"
        assert json.loads(found.body) == body


def test_any_url_gets_what_is_known(tmp_path: Path) -> None:
    """The body is all variables, or any document of the user's."""
    found = sent(tmp_path, {"type": "url", "token_file": "secret", "headers": {"X-Team": "ml"}})
    assert found.headers["X-Team"] == "ml"
    assert json.loads(found.body) == {
        "model_name": "churn",
        "model_version": "3",
        "alertname": "Quality",
        "severity": "critical",
        "window": "",
        "starts_at": "2023-11-14T22:13:20.123Z",
        "fingerprint": "f00d",
        "idempotency_key": KEY,
    }
    body = {"a": ["$model_name", 1.5, None, True, {"$b": "$alertname!"}], "day": "2026-01-31"}
    found = sent(tmp_path, {"type": "url", "method": "PUT", "body": body})
    assert found.command == "PUT"
    assert json.loads(found.body) == {
        "a": ["churn", 1.5, None, True, {"$b": "Quality!"}],
        "day": "2026-01-31",
    }


@settings(max_examples=20, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_texts_of_alerts_stay_texts(tmp_path_factory: Any, text: str) -> None:
    """Whatever a label holds, the structure of the request is that of the configuration."""
    directory = tmp_path_factory.mktemp("texts")
    alert = Alert(True, {**ALERT.labels, "model_name": text}, "f", 0)
    body = {"a": "<$model_name>", "b": {"c": "$alertname"}}
    found = call(directory, {"type": "url", "url": "http://h/", "body": body}, alert)
    assert json.loads(found.body) == {"a": f"<{text}>", "b": {"c": "Quality"}}
    request = {
        "type": "jenkins",
        "url": "http://h/",
        "job": "j",
        "parameters": {"m": "$model_name"},
    }
    found = call(directory, request, alert)
    assert parse_qsl(found.body.decode(), keep_blank_values=True) == [("m", text)]
    assert found.url == "http://h/job/j/buildWithParameters"


GITHUB = {"type": "github", "repository": "acme/churn", "event": "retrain"}
MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "type": ({"type": "gitub"}, {}, "did you mean 'github'?"),
    "unknown key": ({**GITHUB, "repo": "x"}, {}, "unknown key; known here: type"),
    "key of another": ({**GITHUB, "project": "x"}, {}, "unknown key"),
    "written secret": ({**GITHUB, "token": SECRET}, {}, "a secret is not written here"),
    "secret in the url": ({"type": "url", "url": "http://u:p@h/"}, {}, "credentials are not"),
    "no http": ({"type": "url", "url": "file:///etc/passwd"}, {}, "begins with http"),
    "variable": (
        {**GITHUB, "parameters": {"a": "$model_nam"}},
        {},
        "no variable $model_nam; did you mean 'model_name'?",
    ),
    "nested variable": (
        {"type": "url", "url": "http://h", "body": [{"a": "$x"}]},
        {},
        "no variable",
    ),
    "dollar": ({**GITHUB, "parameters": {"a": "5 $"}}, {}, "write $$ for a dollar sign"),
    "both": ({**GITHUB, "workflow": "x"}, {}, "either `workflow`"),
    "repository": ({**GITHUB, "repository": "churn"}, {}, "expected owner/name"),
    "gitlab token": ({"type": "gitlab", "project": "1"}, {}, "'token_file' is missing"),
    "header": (
        {"type": "url", "url": "http://h", "headers": {"authorization": "x"}},
        {},
        "token_file",
    ),
    "line": ({"type": "url", "url": "http://h", "headers": {"X": "a\nb"}}, {}, "is no header"),
    "no alerts": (GITHUB, {"alerts": []}, "name the alerts"),
    "cooldown": (GITHUB, {"cooldown": "a day"}, "is not a duration"),
    "daily": (GITHUB, {"daily_maximum": 0}, "a whole number from 1 to 100"),
    "half": (GITHUB, {"minimum_new_labels": 0.5}, "a whole number"),
    "near": (GITHUB, {"cool_down": "1d"}, "did you mean 'cooldown'?"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_refused(tmp_path: Path, name: str) -> None:
    """In one line, with the key; no secret is quoted."""
    request, more, complaint = MISTAKES[name]
    with pytest.raises(ConfigError) as caught:
        load(configure(tmp_path, request, **more))
    assert complaint in str(caught.value)
    assert "models[churn].retraining" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_what_belongs_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A token for alerts, labels to count, and files that can be read."""
    path = configure(tmp_path, {**GITHUB, "token_file": "secret"})
    assert main(["check-config", str(path)]) == 0
    document = json.loads(path.read_text())
    path.write_text(json.dumps({"models": document["models"]}))
    with pytest.raises(ConfigError, match="nobody may send alerts"):
        load(path)
    document["models"][0] |= {"labels": None}
    del document["models"][0]["labels"]
    document["models"][0]["retraining"]["minimum_new_labels"] = 5
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="no `labels` to count"):
        load(path)
    for missing in ("secret", "webhook"):
        path = configure(tmp_path, {**GITHUB, "token_file": "secret"})
        (tmp_path / missing).unlink()
        assert main(["check-config", str(path)]) == 2
        assert missing in capsys.readouterr().err


DOCUMENTED = re.findall(
    r"```yaml\n((?:alerts|request):.*?)```",
    (Path(__file__).parents[2] / "docs/retraining.md").read_text("utf-8"),
    re.DOTALL,
)


@pytest.mark.parametrize("text", DOCUMENTED, ids=range(len(DOCUMENTED)))
def test_what_the_page_shows(tmp_path: Path, text: str) -> None:
    """Each example is taken as it stands."""
    document = yaml.safe_load(text)
    path = tmp_path / "exporter.yml"
    if "request" in document:
        configure(tmp_path, document["request"])
    else:
        path.write_text(text)
    assert load(path).models[0].retraining is not None


def test_the_page_shows_every_service() -> None:
    shown = {yaml.safe_load(text).get("request", {}).get("type") for text in DOCUMENTED}
    assert shown == {*PRESETS, None}


GOOD = {
    "status": "firing",
    "labels": {"alertname": "Quality"},
    "fingerprint": "f00d",
    "startsAt": "2026-01-31T12:00:00.123456789+01:00",
}


def webhook(*records: Any, **more: Any) -> bytes:
    return json.dumps({"version": "4", "alerts": records, **more}).encode()


def test_a_webhook_is_read() -> None:
    """Fields that are not needed are left alone; one instant has many spellings."""
    zulu = GOOD | {"startsAt": "2026-01-31T11:00:00.123456Z", "status": "resolved", "new": 1}
    first, second = alerts(webhook(GOOD, zulu, receiver="automation"))
    assert (first.firing, second.firing) == (True, False)
    assert first.episode == second.episode
    assert first.starts_at == 1_769_857_200_123_456


BAD: dict[str, tuple[bytes, int | None, str | None]] = {
    "json": (b"{", None, None),
    "list": (b"[]", None, None),
    "version": (json.dumps({"version": "3", "alerts": []}).encode(), None, "version"),
    "no alerts": (json.dumps({"version": "4"}).encode(), None, "alerts"),
    "no object": (webhook(GOOD, 1), 1, None),
    "status": (webhook(GOOD | {"status": "pending"}), 0, "status"),
    "fingerprint": (webhook(GOOD | {"fingerprint": "../x"}), 0, "fingerprint"),
    "no fingerprint": (webhook(GOOD, {**GOOD, "fingerprint": None}), 1, "fingerprint"),
    "start": (webhook(GOOD | {"startsAt": "today"}), 0, "startsAt"),
    "no such day": (webhook(GOOD | {"startsAt": "2026-02-31T00:00:00Z"}), 0, "startsAt"),
    "before time": (webhook(GOOD | {"startsAt": "0001-01-01T00:00:00Z"}), 0, "startsAt"),
    "after time": (webhook(GOOD | {"startsAt": "9999-12-31T23:59:59-23:59"}), 0, "startsAt"),
    "labels": (webhook(GOOD | {"labels": {"a": 1}}), 0, "labels"),
    "surrogate": (webhook(GOOD | {"labels": {"a": "\ud800"}}), 0, "labels"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_webhook_is_refused(name: str) -> None:
    """With the alert and the field."""
    body, record, field = BAD[name]
    with pytest.raises(PushError) as caught:
        alerts(body)
    assert caught.value.status == 400
    assert (caught.value.body.get("record"), caught.value.body.get("field")) == (record, field)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=300, deadline=None)
@given(
    st.binary()
    | st.dictionaries(st.sampled_from([*GOOD, "x"]), ANYTHING).map(
        lambda change: webhook(GOOD | change)
    )
)
def test_any_bytes_are_alerts_or_refused(body: bytes) -> None:
    """Nothing else happens, and what is taken can be written down."""
    with suppress(PushError):
        assert all(json.dumps(variables_of(alert)) for alert in alerts(body))
