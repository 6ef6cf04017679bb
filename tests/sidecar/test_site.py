"""Whatever is sent, the answer is HTTP; and a starved process keeps its files."""

import json
import resource
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from model_exporter.sidecar.connection import MAX_REQUEST
from model_exporter.sidecar.site import Site

SITE = Site(CollectorRegistry())
ALLOWED = {b"200", b"400", b"404", b"405", b"431"}
LINES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda *parts: b"%b /%b?%b HTTP/1.1\r\n%b" % parts,
        st.sampled_from([b"GET", b"HEAD", b"POST", b""]),
        st.sampled_from([b"metrics", b"", b"x"]),
        st.binary(max_size=50),
        st.one_of(st.binary(max_size=100), st.just(b"Accept: application/openmetrics-text")),
    ),
)


@given(LINES)
def test_any_bytes_get_an_answer(lines: bytes) -> None:
    """Never a server's error, and a head that says how long the body is."""
    head, _, body = SITE.answer(lines + b"\r\n\r\n", None).partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    assert status.split()[1] in ALLOWED
    if lines.startswith(b"HEAD "):
        assert body == b""
        return
    length = dict(line.split(b": ", 1) for line in headers)[b"Content-Length"]
    assert len(body) == int(length)


def test_a_head_that_is_too_long() -> None:
    """431 at the limit, not before."""
    line = b"GET /metrics HTTP/1.1\r\nX: "
    assert b" 200 " in SITE.answer(line + b"x" * (MAX_REQUEST - len(line)) + b"\r\n\r\n", None)
    assert b" 431 " in SITE.answer(line + b"x" * MAX_REQUEST, None)


PROGRAM = """
import sys
from model_exporter import ModelMonitor
monitor = ModelMonitor("m", task="binary")
predict = monitor(lambda row: 1)
print(monitor.start_metrics_server().port, flush=True)
for line in sys.stdin:
    files = [open("/dev/null") for _ in range(50)]
    print(predict(1), len(files), flush=True)
    [file.close() for file in files]
monitor.close()
"""


@pytest.fixture
def model() -> Iterator[subprocess.Popen[str]]:
    """Run a model that may open 150 files."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (150, hard)),
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_the_model_keeps_its_file_descriptors(model: subprocess.Popen[str]) -> None:
    """500 silent clients, 150 descriptors: the model opens its files, and scrapes work."""
    assert model.stdin is not None
    assert model.stdout is not None
    port = json.loads(model.stdout.readline())
    with ExitStack() as clients:
        for _ in range(500):
            clients.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        print("predict", file=model.stdin, flush=True)
        assert model.stdout.readline() == "1 50\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as response:
            assert (
                b'model_predictions_total{model_name="m",model_version=""} 1.0' in response.read()
            )
