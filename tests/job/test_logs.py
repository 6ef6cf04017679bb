"""Log lines: their fields, and that no secret is in any of them."""

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from model_exporter.cli import main
from model_exporter.job.logs import JsonFormatter, TextFormatter
from model_exporter.job.redaction import hide, redact

CANARY = "c4n4ry+Zf9="


@pytest.fixture
def logged(request):
    """Return a logger, and a function that returns what it wrote in the format of the parameter."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param())
    logger = logging.getLogger("model_exporter.canary")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream.getvalue
    logger.removeHandler(handler)


BOTH = pytest.mark.parametrize("logged", [TextFormatter, JsonFormatter], indirect=True)


@pytest.mark.parametrize(
    "text",
    [
        f"cannot connect to postgresql://reader:{CANARY}@db.example:5432/logs?sslmode=require",
        f"GET https://{CANARY}@api.example/labels failed",
        f"mysql://root:{CANARY}@x/@db/logs",
        f"https://api.example/labels?from=1&access_token={CANARY}&to=2",
        f"headers: {{'Authorization': 'Bearer {CANARY}', 'Accept': '*/*'}}",
        f'{{"password": "{CANARY}", "user": "reader"}}',
        f"Authorization: Basic {CANARY}",
        f"could not parse dsn host=db user=reader password={CANARY} port=5432",
        f"api_key='{CANARY} {CANARY}' refused",
        f'X-Api-Key="{CANARY}"',
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str) -> None:
    """Though nobody said that it is one."""
    found = redact(text)
    assert CANARY not in found
    assert "<secret>" in found
    assert redact(found) == found


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:9920/metrics",
        "http://db.example:8080/mail?to=someone@example.org",
        "password authentication failed for user reader",
        "models[churn].labels.token: a secret is not written here; write ${TOKEN}",
        "churn: source labels: /data/labels.csv: no such file; check `path`",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """An error that is redacted away helps nobody."""
    assert redact(text) == text


@BOTH
def test_a_known_secret_is_in_no_line(logged) -> None:
    """Wherever it stands: message, argument, field, traceback, cause; raw, quoted or escaped."""
    logger, lines = logged
    secret = 'top "secret" /ä%'
    hide(secret)
    quoted = "top%20%22secret%22%20%2F%C3%A4%25"
    logger.error("bad %s and %s", secret, quoted, extra={"source": f"labels {secret}"})
    try:
        try:
            raise ValueError(f"inner {secret} https://u:{CANARY}@host/")
        except ValueError as error:
            raise RuntimeError(repr(secret)) from error
    except RuntimeError:
        logger.exception("failed: %s", json.dumps({"is": secret}))
    text = lines()
    for form in (secret, quoted, json.dumps(secret)[1:-1], CANARY, "top"):
        assert form not in text
    assert "ValueError" in text
    assert "RuntimeError" in text


@pytest.mark.parametrize("logged", [JsonFormatter], indirect=True)
def test_json_fields(logged) -> None:
    """One object a line, whatever the message holds."""
    logger, lines = logged
    extra = {"event": "source_failed", "model": "churn", "source": "labels", "rows": 3}
    logger.warning("two\nlines", extra=extra)
    logger.info("below the level")
    (line,) = lines().splitlines()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "warning", "message": "two\nlines", "logger": logger.name, **extra
    }  # fmt: skip


@pytest.mark.parametrize("logged", [TextFormatter], indirect=True)
def test_text_is_one_line(logged) -> None:
    """A line break in what is quoted forges no second line."""
    logger, lines = logged
    logger.warning("two\n2026 INFO forged", extra={"model": "a\nb"})
    (line,) = lines().splitlines()
    assert line.endswith("WARNING two\\n2026 INFO forged model=a\\nb")


CRASH = f"""
import threading
from model_exporter.job.logs import configure, log_uncaught
configure("info", "json")
log_uncaught()
def fail():
    raise ValueError("postgresql://u:{CANARY}@db/x")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


def test_uncaught_exceptions() -> None:
    """They end the process as ever, and are logged in every thread, redacted."""
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True)
    assert done.returncode == 1
    assert CANARY not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["crashed", "crashed"]
    assert all("ValueError: postgresql://<secret>@db/x" in line["traceback"] for line in lines)


def test_errors_of_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal quotes what was given, but for the secret in it."""
    url = f"postgresql://reader:{CANARY}@db/logs"
    source = {"type": url, "path": "x"}
    model = {"name": "m", "task": "binary", "predictions": source}
    path = tmp_path / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [model]}))
    assert main(["check-config", str(path)]) == 2
    said = capsys.readouterr().err
    assert "postgresql://<secret>@db/logs" in said
    assert CANARY not in said
