"""The web configuration file of exporter-toolkit: TLS, client certificates, users, headers, rate.

The same properties as of the plain server hold behind TLS: whoever is silent, slow or wrong costs
neither a scrape nor a thread.
"""

import base64
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme

from model_exporter import ConfigError, ModelMonitor
from model_exporter.sidecar.server import MAX_CONNECTIONS, MetricsServer
from model_exporter.web.config import read
from model_exporter.web.guard import ConfiguredWeb

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
REFUSED = (401, b"a user and the password are needed\n")


class Certificates:
    """A certificate authority, and files it signed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(directory / "ca.pem")
        self.issue("server", "127.0.0.1")

    def issue(self, name: str, *identities: str) -> None:
        issued = self.authority.issue_cert(*identities)
        issued.private_key_pem.write_to_path(self.directory / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(self.directory / f"{name}.pem")

    def client(self, name: str | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.directory / "ca.pem")
        if name is not None:
            context.load_cert_chain(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        return context


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


Start = Callable[[dict[str, Any]], MetricsServer]
TLS = {"cert_file": "server.pem", "key_file": "server.key"}


@pytest.fixture
def start(make: Callable[..., ModelMonitor], tmp_path: Path) -> Start:
    """Return what starts a server with a configuration."""

    def of(config: dict[str, Any]) -> MetricsServer:
        file = tmp_path / "web.yml"
        file.write_text(json.dumps(config))
        return make(task="binary").start_metrics_server(web_config=file)

    return of


def get(
    server: MetricsServer, context: ssl.SSLContext | None = None, authorization: str | None = None
) -> tuple[int, bytes]:
    """Return status and body."""
    scheme = "https" if context else "http"
    request = urllib.request.Request(f"{scheme}://127.0.0.1:{server.port}/metrics")
    if authorization is not None:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=5, context=context) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_tls(start: Start, certificates: Certificates) -> None:
    """HTTPS is served, with the version asked for; plain HTTP gets nothing."""
    server = start({"tls_server_config": {**TLS, "min_version": "TLS13"}})
    status, body = get(server, certificates.client())
    assert (status, b"model_info" in body) == (200, True)
    old = certificates.client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    for wrong in (old, None):
        with pytest.raises(OSError):
            get(server, wrong)
    assert get(server, certificates.client())[0] == 200


def test_client_certificates(start: Start, certificates: Certificates) -> None:
    """Without one, with a stranger's or with another name: no metrics."""
    certificates.issue("prometheus", "prometheus.local")
    certificates.issue("other", "other.local")
    server = start(
        {
            "tls_server_config": {
                **TLS,
                "client_auth_type": "RequireAndVerifyClientCert",
                "client_ca_file": "ca.pem",
                "client_allowed_sans": ["prometheus.local"],
            }
        }
    )
    for wrong in (None, "other"):
        with pytest.raises(OSError):
            get(server, certificates.client(wrong))
    assert get(server, certificates.client("prometheus"))[0] == 200


def connect(server: MetricsServer, count: int) -> Iterator[socket.socket]:
    """Connect clients of three kinds: silent, half a TLS record, and HTTP where TLS is spoken."""
    for i in range(count):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        client.sendall((b"", b"\x16\x03\x01\x02", b"GET /me")[i % 3])
        yield client


def test_silent_tls_clients_cost_nothing(
    make: Callable[..., ModelMonitor], certificates: Certificates, tmp_path: Path
) -> None:
    """500 clients stuck in their handshake: a scrape takes less than a second; all are dropped."""
    file = tmp_path / "web.yml"
    file.write_text(json.dumps({"tls_server_config": TLS}))
    registry = make(task="binary").registry
    web = ConfiguredWeb(file, report=pytest.fail)
    threads = threading.active_count()
    with MetricsServer(registry, addr="127.0.0.1", port=0, web=web, seconds=0.5) as server:
        clients = list(connect(server, 500))
        start = time.monotonic()
        assert get(server, certificates.client())[0] == 200
        assert time.monotonic() - start < 1
        assert len(server._connections) <= MAX_CONNECTIONS
        assert threading.active_count() == threads + 1
        deadline = time.monotonic() + 5
        while server._connections and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not server._connections
        for client in clients:
            client.close()


def test_a_large_answer_to_a_slow_reader(
    start: Start, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit the socket's buffers waits; scrapes meanwhile; the answer is whole."""
    server = start({"tls_server_config": TLS})
    large = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000_000
    plain = server._site.answer
    monkeypatch.setattr(
        server._site, "answer", lambda r, guard: large if b"big" in r else plain(r, guard)
    )
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as client,
        certificates.client().wrap_socket(client, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(b"GET /big")
        time.sleep(0.05)
        tls.sendall(b" HTTP/1.1\r\n\r\n")
        assert get(server, certificates.client())[0] == 200
        received = 0
        while chunk := tls.recv(1_000_000):
            received += len(chunk)
    assert received == len(large)


def test_users(start: Start) -> None:
    """Only who has the password gets in, the second time without the cost of hashing it."""
    server = start({"basic_auth_users": {"alice": HASH}})
    assert get(server) == REFUSED
    assert get(server, authorization=basic("alice", "secret"))[0] == 200
    assert get(server, authorization="Bearer secret") == REFUSED
    assert get(server, authorization="Basic !!") == REFUSED
    assert get(server, authorization=basic("alice", "wrong"))[0] in (401, 429)
    assert get(server, authorization=basic("bob", "secret"))[0] in (401, 429)
    assert get(server, authorization=basic("alice", "secret"))[0] == 200


def test_guessing_passwords_does_not_stop_the_scrapes(start: Start) -> None:
    """Of many wrong passwords few are hashed; who was in before is answered at once."""
    costly = bcrypt.hashpw(b"secret", bcrypt.gensalt(12)).decode()
    server = start({"basic_auth_users": {"alice": costly}})
    right = basic("alice", "secret")
    assert get(server, authorization=right)[0] == 200
    clients = []
    for i in range(40):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        guess = basic("alice", f"guess{i}")
        client.sendall(f"GET /metrics HTTP/1.1\r\nAuthorization: {guess}\r\n\r\n".encode())
        clients.append(client)
    begin = time.monotonic()
    assert get(server, authorization=right)[0] == 200
    assert time.monotonic() - begin < 1.5
    answers = [client.recv(100).split()[1] for client in clients]
    assert set(answers) == {b"401", b"429"}
    for client in clients:
        client.close()


def test_headers_and_rate(start: Start) -> None:
    """Configured headers are on every answer; who asks too often is told to wait."""
    server = start(
        {
            "http_server_config": {"http2": True, "headers": {"X-Frame-Options": "deny"}},
            "rate_limit": {"interval": "1h", "burst": 2},
        }
    )
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as response:
        assert response.headers["X-Frame-Options"] == "deny"
    assert [get(server)[0] for _ in range(2)] == [200, 429]


def test_changed_files_are_read_again(certificates: Certificates, tmp_path: Path) -> None:
    """A renewed certificate and a new user count from then on; a broken file changes nothing."""
    now = [0.0]
    file = tmp_path / "web.yml"
    file.write_text(json.dumps({"tls_server_config": TLS}))
    refused: list[ConfigError] = []
    web = ConfiguredWeb(file, report=refused.append, clock=lambda: now[0])

    def refreshed() -> ConfiguredWeb:
        now[0] += 2
        web.refresh()
        return web

    before = web._config.tls
    assert refreshed()._config.tls is before
    certificates.issue("server", "127.0.0.1")
    after = refreshed()._config.tls
    assert after is not before
    assert refused == []
    file.write_text("{")
    assert refreshed()._config.tls is after
    assert len(refused) == 1
    file.write_text(json.dumps({"basic_auth_users": {"alice": HASH}}))
    refusal = refreshed().refuse({})
    assert refusal is not None
    assert refusal.status == "401 Unauthorized"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"tls": {}}, "web.yml: tls: is not known here; known are tls_server_config"),
        ({"tls_server_config": {"cert_file": "server.pem"}}, "expected cert_file and key_file"),
        ({"tls_server_config": {**TLS, "cert_file": "no.pem"}}, "No such file"),
        ({"tls_server_config": {**TLS, "key_file": "server.pem"}}, "not a certificate and its"),
        ({"tls_server_config": {**TLS, "min_version": "SSL3"}}, "expected one of TLS10, TLS11"),
        ({"tls_server_config": {**TLS, "cert": "x"}}, "cert: is not supported by this server"),
        ({"tls_server_config": {**TLS, "cipher_suites": ["x"]}}, "min_version: TLS13"),
        ({"tls_server_config": {**TLS, "client_ca_file": "ca.pem"}}, "expected both or neither"),
        ({"tls_server_config": {**TLS, "client_auth_type": "RequestClientCert"}}, "expected one"),
        ({"tls_server_config": {**TLS, "client_allowed_sans": ["a"]}}, "needs client_auth_type"),
        ({"basic_auth_users": {"alice": "secret"}}, "alice: expected a bcrypt hash"),
        ({"basic_auth_users": ["alice"]}, "basic_auth_users: expected dict, got list"),
        ({"http_server_config": {"headers": {"Server": "x"}}}, "Server: is not known here"),
        ({"http_server_config": {"headers": {"X-Frame-Options": "a\r\nb"}}}, "one line"),
        ({"rate_limit": {"interval": "soon"}}, "expected an interval such as 1s"),
        ([], "expected a mapping"),
    ],
)
def test_mistakes_are_refused_at_start(
    start: Start, certificates: Certificates, config: Any, message: str
) -> None:
    """With file, key and what was expected; never with what the file keeps secret."""
    with pytest.raises(ConfigError) as error:
        start(config)
    assert message in str(error.value)
    assert "secret" not in str(error.value)


def test_yaml_and_what_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML needs pyyaml, users need bcrypt, and JSON nothing; the error names what to install."""
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users:\n  alice: {HASH}\n")
    assert read(file).users == {"alice": HASH.encode()}
    file.write_text("a: [\n")
    with pytest.raises(ConfigError, match="line 2: this is not YAML"):
        read(file)
    with pytest.raises(ConfigError, match="cannot read this file"):
        read(tmp_path / "none.yml")
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(ConfigError, match=r"YAML needs pyyaml.*model-exporter\[web\].*JSON"):
        read(file)
    file.write_text(json.dumps({"basic_auth_users": {"alice": HASH}}))
    with pytest.raises(ConfigError, match=r"needs bcrypt.*model-exporter\[web\]"):
        read(file)
    file.write_text("{}")
    assert read(file).tls is None


def test_the_example_of_the_page(
    certificates: Certificates, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    """docs/serving.md shows a file that works, here and for Prometheus itself."""
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text("utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.S)
    certificates.issue("server", "127.0.0.1")
    (tmp_path / "server.pem").rename(tmp_path / "server.crt")
    (tmp_path / "ca.pem").rename(tmp_path / "ca.crt")
    (tmp_path / "web.yml").write_text(text)
    promtool = [require_tool("promtool"), "check", "web-config", tmp_path / "web.yml"]
    subprocess.run(promtool, check=True, capture_output=True)
    config = read(tmp_path / "web.yml")
    assert config.tls is not None
    assert config.tls.context.verify_mode == ssl.CERT_REQUIRED
    assert list(config.users) == ["prometheus"]
    assert config.headers == (("X-Content-Type-Options", "nosniff"),)
