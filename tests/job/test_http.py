"""HTTP sources: every page is read, and nothing that a server does harms or loses anything."""

import gzip
import itertools
import json
import os
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest
import trustme
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.job.web_server import Request, WebServer

from model_exporter.errors import ConfigError, SourceError, UnreachableError
from model_exporter.job.sources import Cursor, http
from model_exporter.job.sources.web import Answer, Backoff, inflated
from model_exporter.job.yaml_section import read_section

ROWS = [{"id": f"id{i}", "at": f"2026-01-01T00:00:{i:02}Z", "n": i} for i in range(10)]


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Reading:
    """A source together with its cursors, as the store would keep them."""

    def __init__(self, directory: Path, **keys: object) -> None:
        self.clock = Clock()
        opener = configure(directory, **keys)
        backoff = Backoff(self.clock, uniform=lambda _, longest: longest)
        self.source = http.HttpSource(opener.args[0], backoff=backoff)
        self.cursors: dict[str, Cursor] = {}

    def read(self) -> list[str]:
        found: list[str] = []
        for batch in self.source.read(self.cursors):
            self.cursors[batch.file] = batch.cursor
            if batch.table.num_rows:
                found += batch.table.column("id").to_pylist()
        return found


def configure(directory: Path, **keys: object):
    path = directory / "source.yml"
    path.write_text(yaml.safe_dump(keys))
    section = read_section(path)
    opener = http.configure(section)
    section.finish()
    return opener


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer(lambda request: request.answer(json.dumps(ROWS))) as server:
        yield server


def ids(rows: list[dict]) -> list[str]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
@pytest.mark.parametrize("compress", [False, True])
def test_formats(server: WebServer, tmp_path: Path, kind: str, compress: bool) -> None:
    texts = {
        "json": json.dumps({"data": {"items": ROWS}}),
        "jsonl": "\n".join(map(json.dumps, ROWS)),
        "csv": "id,n\n" + "\n".join(f"{row['id']},{row['n']}" for row in ROWS),
    }
    body = texts[kind].encode()
    headers = {"Content_Encoding": "gzip"} if compress else {}
    server.respond = lambda r: r.answer(gzip.compress(body) if compress else body, **headers)
    records = {"records": "data.items"} if kind == "json" else {}
    reading = Reading(tmp_path, url=server.url, format=kind, **records)
    assert reading.read() == ids(ROWS)
    assert reading.read() == []  # the same page again


def by_page(request: Request) -> None:
    page = int(request.parameters.get("page", 1))
    request.answer(json.dumps(ROWS[(page - 1) * 3 : page * 3]))


def by_cursor(request: Request) -> None:
    start = int(request.parameters.get("after", 0))
    following = start + 3 if start + 3 < len(ROWS) else None
    request.answer(json.dumps({"items": ROWS[start : start + 3], "meta": {"next": following}}))


def by_link(request: Request) -> None:
    start = int(request.parameters.get("offset", 0))
    link = f'</records?offset={start + 3}>; rel="next", </records>; rel="first"'
    headers = {"Link": link} if start + 3 < len(ROWS) else {}
    request.answer(json.dumps(ROWS[start : start + 3]), **headers)


PAGINATED = {
    "page": (by_page, {"pagination": {"by": "page", "parameter": "page"}}),
    "cursor": (
        by_cursor,
        {
            "pagination": {"by": "cursor", "parameter": "after", "field": "meta.next"},
            "records": "items",
        },
    ),
    "link": (by_link, {"pagination": {"by": "link"}}),
}


@pytest.mark.parametrize("by", PAGINATED)
def test_pagination(server: WebServer, tmp_path: Path, by: str) -> None:
    respond, keys = PAGINATED[by]
    server.respond = respond
    reading = Reading(tmp_path, url=server.url + "?limit=3", **keys)
    assert reading.read() == ids(ROWS)
    assert all(request.parameters["limit"] == "3" for request in server.requests if by != "link")
    assert reading.read() == []


def test_pages_in_a_circle(server: WebServer, tmp_path: Path) -> None:
    """A server that ignores the parameter is found out, and does not keep the job for ever."""
    reading = Reading(tmp_path, url=server.url, pagination={"by": "page", "parameter": "page"})
    with pytest.raises(SourceError, match="check `pagination`"):
        reading.read()
    assert len(server.requests) == 2


@pytest.mark.parametrize("column", ["at", "n"])
def test_since(server: WebServer, tmp_path: Path, column: str) -> None:
    """The API is asked for what is new; it moves on only when all pages were taken in."""
    rows = ROWS[:4]
    fail = {"page": 0}

    def respond(request: Request) -> None:
        since, page = request.parameters.get("since", ""), int(request.parameters["page"])
        if page == fail["page"]:
            request.answer(status=500)
            return
        found = [r for r in rows if since in ("", "None") or r[column] >= type(r[column])(since)]
        found.reverse()  # newest first: the greatest value comes before the rest is read
        request.answer(json.dumps(found[(page - 1) * 2 : page * 2]))

    server.respond = respond
    keys = {
        "pagination": {"by": "page", "parameter": "page"},
        "since": {"parameter": "since", "column": column},
    }
    reading = Reading(tmp_path, url=server.url, **keys)
    assert set(reading.read()) == set(ids(ROWS[:4]))
    rows = ROWS
    fail["page"] = 2
    with pytest.raises(UnreachableError):
        reading.read()
    fail["page"] = 0
    reading.clock.now += 1_000
    found = reading.read()
    assert set(found) >= set(ids(ROWS[4:-2]))
    server.requests.clear()
    reading.read()
    assert server.requests[0].parameters["since"] == str(ROWS[-1][column])


def test_etag(server: WebServer, tmp_path: Path) -> None:
    """What has not changed is not sent again, not even to a process that was started anew."""
    sent = []

    def respond(request: Request) -> None:
        if request.headers.get("If-None-Match") == '"one"':
            request.answer(status=304)
        else:
            sent.append(request)
            request.answer(json.dumps(ROWS), ETag='"one"')

    server.respond = respond
    reading = Reading(tmp_path, url=server.url)
    assert reading.read() == ids(ROWS)
    again = Reading(tmp_path, url=server.url)
    again.cursors = reading.cursors
    assert again.read() == []
    assert len(sent) == 1
    assert len(server.requests) == 2


def test_credentials(server: WebServer, tmp_path: Path) -> None:
    """Read anew for each request, so that a token may be rotated."""
    token = tmp_path / "token"
    token.write_text("first\n")
    reading = Reading(tmp_path, url=server.url, token_file="token")
    reading.read()
    token.write_text("second\n")
    reading.read()
    basic = Reading(tmp_path, url=server.url, username="me", password_file="token")
    basic.read()
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Bearer first", "Bearer second", "Basic bWU6c2Vjb25k"]


def reset(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b'[{"id": "a"')
    request.wfile.flush()
    linger = struct.pack("ii", 1, 0)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.close_connection = True


def drip_body(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    while not request.server.released.wait(0.02):
        request.wfile.write(b" ")


def drip_headers(request: Request) -> None:
    while not request.server.released.wait(0.02):
        request.wfile.write(b"H")


BOMB = gzip.compress(b"[" + b" " * (50 << 20))
TOXIC = {
    "reset": (reset, "connection was lost|broke off"),
    "slow body": (drip_body, "within 0.5 s"),
    "slow headers": (drip_headers, "within 0.5 s"),
    "401": (lambda r: r.answer(status=401), "check the token"),
    "429": (lambda r: r.answer(status=429, Retry_After="77"), "429"),
    "500": (lambda r: r.answer(status=500), "500"),
    "HTML": (lambda r: r.answer("<html>Log in", Content_Type="text/html"), "HTML"),
    "link-local": (
        lambda r: r.answer(status=302, Location="http://169.254.169.254/latest/meta-data"),
        "another host",
    ),
    "other port": (
        lambda r: r.answer(status=307, Location="http://127.0.0.1:9/records"),
        "another host",
    ),
    "redirects for ever": (lambda r: r.answer(status=302, Location="/records"), "redirects"),
    "bomb": (
        lambda r: r.answer(BOMB, Content_Encoding="gzip"),
        "grows more than",
    ),
    "broken gzip": (
        lambda r: r.answer(gzip.compress(json.dumps(ROWS).encode())[:-9], Content_Encoding="gzip"),
        "breaks off",
    ),
    "schema": (lambda r: r.answer('{"error": "moved"}'), "expected a list of objects"),
    "no JSON": (lambda r: r.answer("[1, 2"), "not JSON"),
    "deep JSON": (lambda r: r.answer("[" * 100_000), "not JSON"),
}


@pytest.mark.parametrize("kind", TOXIC)
def test_toxic(server: WebServer, tmp_path: Path, kind: str) -> None:
    """One clear error, the cursor unmoved, and all rows once it heals."""
    healthy = server.respond
    respond, message = TOXIC[kind]
    (tmp_path / "token").write_text("swordfish")
    url = server.url + "?key=shibboleth"
    timeout = "500ms" if "within 0.5 s" in message else "30s"
    reading = Reading(tmp_path, url=url, timeout=timeout, token_file="token")
    server.respond = respond
    with pytest.raises(SourceError, match=message) as caught:
        reading.read()
    assert "swordfish" not in str(caught.value)
    assert "shibboleth" not in str(caught.value)
    assert reading.cursors == {}
    requests = len(server.requests)
    server.respond = healthy
    with pytest.raises(SourceError, match="trying again in"):
        reading.read()
    assert len(server.requests) == requests  # it is left alone for a while
    reading.clock.now += 78
    assert reading.read() == ids(ROWS)


def test_refused(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and not listening
        port = unused.getsockname()[1]
        with pytest.raises(UnreachableError, match="cannot connect"):
            Reading(tmp_path, url=f"http://127.0.0.1:{port}/x").read()


def test_since_a_column_that_is_not_there(server: WebServer, tmp_path: Path) -> None:
    """Told, and not taken for an API that never has anything new."""
    since = {"parameter": "since", "column": "updated"}
    reading = Reading(tmp_path, url=server.url, since=since)
    with pytest.raises(SourceError, match="no 'updated' in the records"):
        reading.read()
    assert reading.cursors == {}


def test_a_certificate_that_nobody_signed(server: WebServer, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with pytest.raises(UnreachableError, match="TLS certificate"):
        Reading(tmp_path, url=server.url.replace("http://", "https://")).read()
    assert server.requests == []


HOSTILE_URLS = ["http://127.0.0.1:99999/", "http://[::1", "//", "http://a b/", "file:///etc/passwd"]


@pytest.mark.parametrize("target", HOSTILE_URLS)
@pytest.mark.parametrize("how", ["Location", "Link"])
def test_hostile_urls(server: WebServer, tmp_path: Path, target: str, how: str) -> None:
    """Wherever a server points to, it is an error of the source or a page of the same server."""
    if how == "Location":
        server.respond = lambda r: r.answer(status=302, Location=target)
    else:
        server.respond = lambda r: r.answer(json.dumps(ROWS), Link=f'<{target}>; rel="next"')
    reading = Reading(tmp_path, url=server.url, pagination={"by": "link"})
    with pytest.raises(SourceError):
        reading.read()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200)
@given(body=st.binary(max_size=60) | JSON.map(json.dumps).map(str.encode), kind=st.sampled_from(
    http.FORMATS
))  # fmt: skip
@example(body=b'[{"id": "\\ud800", "\\udfff": 1}]', kind="json")
@example(body=b'[{"a":' * 900 + b"1" + b"}]" * 900, kind="json")
@example(body=b"[" + b'{"a":' * 900 + b"1" + b"}" * 900 + b"]", kind="json")
def test_any_answer(tmp_path_factory, body: bytes, kind: str) -> None:
    """Whatever a server answers, it gives rows or an error of the source."""
    options = configure(tmp_path_factory.getbasetemp(), url="http://host/", format=kind).args[0]
    source = http.HttpSource(options)
    answer = Answer("http://host/", {}, body)
    with mock.patch.object(http, "fetch", return_value=answer), suppress(SourceError):
        for batch in source.read({}):
            batch.table.validate(full=True)


def test_storm(server: WebServer, tmp_path: Path) -> None:
    """Requests become rarer while a server fails, and never rarer than every five minutes."""
    server.respond = lambda r: r.answer(status=503)
    reading = Reading(tmp_path, url=server.url)
    tried = []
    for second in range(4_000):
        reading.clock.now = second
        before = len(server.requests)
        with pytest.raises(UnreachableError):
            reading.read()
        if len(server.requests) > before:
            tried.append(second)
    gaps = [b - a for a, b in itertools.pairwise(tried)]
    assert gaps[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert set(gaps[9:]) == {300}


def test_retry_after(server: WebServer, tmp_path: Path) -> None:
    """A server that says when to come back is taken at its word, within an hour."""
    for text, seconds in (("77", 77), ("100000", 3600), ("soon", 1)):
        server.respond = lambda r, text=text: r.answer(status=429, Retry_After=text)
        reading = Reading(tmp_path, url=server.url)
        with pytest.raises(UnreachableError):
            reading.read()
        server.respond = lambda r: r.answer(json.dumps(ROWS))
        reading.clock.now += seconds - 0.5
        with pytest.raises(UnreachableError):
            reading.read()
        reading.clock.now += 1
        assert reading.read() == ids(ROWS)


def test_redirect_on_the_same_host(server: WebServer, tmp_path: Path) -> None:
    def respond(request: Request) -> None:
        if request.path == "/records":
            request.answer(status=301, Location="/moved")
        else:
            request.answer(json.dumps(ROWS))

    server.respond = respond
    assert Reading(tmp_path, url=server.url).read() == ids(ROWS)


def test_too_large(server: WebServer, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("model_exporter.job.sources.web.MAX_BYTES", 1_000)
    server.respond = lambda r: r.answer(b" " * 2_000)
    with pytest.raises(SourceError, match="larger than"):
        Reading(tmp_path, url=server.url).read()


def test_inflating_is_exact() -> None:
    """However the bytes fall into chunks, and however many members there are."""
    texts = [b"", b"a", os.urandom(3_000_000), b"abc" * 100_000]
    data = b"".join(map(gzip.compress, texts))
    for size in (1, 7, 65_536, len(data)) if len(data) < 10_000 else (4_093, 65_536, len(data)):
        chunks = [data[i : i + size] for i in range(0, len(data), size)]
        assert b"".join(inflated(chunks)) == b"".join(texts)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"url": "ftp://host/x"}, "begins with http"),
        ({"url": "http://me:secret@host/x"}, "credentials are not written here"),
        ({"url": "http://host/x", "token": "secret"}, "not written here"),
        ({"url": "http://host/x", "token_file": "a", "username": "b"}, "either a token"),
        ({"url": "http://host/x", "username": "b"}, "belong together"),
        ({"url": "http://host/x", "format": "csv", "records": "a"}, "is for json"),
        ({"url": "http://host/x", "pagination": {"by": "cursor"}}, "'parameter' is missing"),
        ({"url": "http://host/x", "pagination": {"by": "pages"}}, "did you mean 'page'"),
        ({"url": "http://host/x", "since": {"parameter": "a"}}, "'column' is missing"),
        ({"url": "http://host/x", "tokn_file": "a"}, "did you mean 'token_file'"),
    ],
)
def test_configuration(tmp_path: Path, keys: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        configure(tmp_path, **keys)
    assert "secret@" not in str(caught.value)
