"""JSON, JSON Lines or CSV from an HTTP API, in one answer or in pages.

With `since`, the greatest value of a column is sent as a parameter, so that the API answers with
what is new; it moves on only when all pages of a poll were taken in. Without, all is read each
time: an ETag spares the server the answer, and pages that have not changed are left out.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from model_exporter.errors import SourceError, UnreachableError
from model_exporter.job.sources.address import (
    Credentials,
    public_name,
    take_credentials,
    take_url,
)
from model_exporter.job.sources.batch import NOTHING, Batch, Cursor, Source
from model_exporter.job.sources.csv import parse_csv
from model_exporter.job.sources.jsonl import parse_jsonl, records_table
from model_exporter.job.sources.pagination import (
    Pagination,
    at,
    configure_pagination,
    next_page,
    with_parameter,
)
from model_exporter.job.sources.web import Answer, Backoff, fetch, same_place
from model_exporter.job.yaml_section import Section

FORMATS = ("json", "jsonl", "csv")
MAX_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What the configuration says of an HTTP source."""

    url: str
    format: str
    records: str
    pagination: Pagination
    since: tuple[str, str] | None
    credentials: Credentials
    seconds: float

    @property
    def name(self) -> str:
        """The URL without its parameters, which may hold a key."""
        return public_name(self.url)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its rows, a digest of it, and the URL of the next."""

    table: pa.Table | None
    digest: str
    etag: str
    next: str | None


def configure(section: Section) -> Callable[[], Source]:
    """Take the keys of an HTTP source from a section."""
    url = take_url(section, example="https://api.example.com/labels")
    options = HttpOptions(
        url=url,
        format=section.choice("format", FORMATS, default="json"),
        records=section.text("records", default=""),
        pagination=configure_pagination(section),
        since=_since(section),
        credentials=take_credentials(section),
        seconds=section.duration("timeout", default="60s").seconds,
    )
    if options.records and options.format != "json":
        section.refuse(f"`records` is for json, the format is {options.format}", key="records")
    if options.pagination.by == "cursor" and options.format != "json":
        section.refuse("pages by cursor need the format json", key="pagination")
    return functools.partial(HttpSource, options)


def _since(section: Section) -> tuple[str, str] | None:
    given = section.section("since")
    if given is None:
        return None
    found = given.text("parameter"), given.text("column")
    given.finish()
    return found


class HttpSource:
    """An HTTP API."""

    def __init__(self, options: HttpOptions, *, backoff: Backoff | None = None) -> None:
        self._options = options
        self._backoff = backoff or Backoff()

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        """Yield what is new; `final` makes no difference.

        Raises
        ------
        SourceError
            If the API does not answer as it should. It is then left alone for a while.
        """
        self._backoff.check()
        try:
            yield from self._read(cursors)
        except SourceError as error:
            self._backoff.failed(error)
            raise
        self._backoff.succeeded()

    def sample(self) -> tuple[str, pa.Table] | None:
        """Return the rows of the first page."""
        page = self._page(_first(self._options, ""), "")
        table = page.table
        return (self._options.name, table) if table is not None and table.num_rows else None

    def _read(self, cursors: Mapping[str, Cursor]) -> Iterator[Batch]:
        options = self._options
        state = cursors.get(options.name, Cursor())
        since, etag = json.loads(state.fingerprint) if state.fingerprint else ("", "")
        latest = since
        for place, page in enumerate(self._pages(since, etag)):
            if page.table is None:
                return
            etag = "" if options.pagination.by or options.since else page.etag
            if options.since and page.table.num_rows:
                if options.since[1] not in page.table.column_names:
                    raise self._problem(f"no {options.since[1]!r} in the records; check `since`")
                latest = max(latest, _greatest(page.table, options.since[1]), key=_order)
            part, cursor = f"{options.name}#{place}", Cursor(place, page.digest)
            if page.table.num_rows and cursors.get(part) != cursor:
                yield Batch(part, page.table, cursor)
        reached = Cursor(0, json.dumps([latest, etag]))
        if reached != state:
            # Last, and on its own: before this, a poll that was cut short is begun again.
            yield Batch(options.name, NOTHING, reached)

    def _pages(self, since: str, etag: str) -> Iterator[Page]:
        url: str | None = _first(self._options, since)
        seen: set[str] = set()
        before = None
        for place in range(MAX_PAGES):
            if url is None:
                return
            page = self._page(url, etag if place == 0 else "")
            if url in seen or page.digest == before:
                raise self._problem("the same page comes again; check `pagination`")
            seen.add(url)
            before = page.digest
            yield page
            url = page.next
        raise self._problem(f"more than {MAX_PAGES} pages; check `pagination`")

    def _page(self, url: str, etag: str) -> Page:
        options = self._options
        try:
            answer = fetch(
                url,
                credentials=options.credentials,
                seconds=options.seconds,
                headers={"If-None-Match": etag} if etag else {},
            )
            if answer.body is None:
                return Page(None, "", etag, None)
            _refuse_html(answer)
        except SourceError as error:
            error.args = (f"{options.name}: {error}",)
            raise
        return self._parsed(url, answer, answer.body)

    def _parsed(self, url: str, answer: Answer, body: bytes) -> Page:
        options = self._options
        document: Any = None
        if options.format == "csv":
            table = parse_csv(body, options.name)
        elif options.format == "jsonl":
            table = parse_jsonl(body, options.name)
        else:
            try:
                document = json.loads(body)
            except (ValueError, RecursionError) as error:
                raise self._problem(f"not JSON: {body[:80]!r}: {error}") from error
            table = records_table(self._records(document))
        digest = hashlib.sha256(body).hexdigest()[:32]
        following = self._next(url, answer, document) if table.num_rows else None
        return Page(table, digest, answer.headers.get("ETag", ""), following)

    def _records(self, document: Any) -> list[dict[str, Any]]:
        path = self._options.records
        found = at(document, path)
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            where = f"under {path!r}" if path else "at the top (`records` names another place)"
            raise self._problem(f"expected a list of objects {where}, found {str(found)[:80]!r}")
        return found

    def _next(self, url: str, answer: Answer, document: Any) -> str | None:
        link = answer.headers.get("Link", "")
        try:
            target = next_page(self._options.pagination, url, link=link, document=document)
        except ValueError as error:
            raise self._problem(f"the next page is not at a URL: {error}") from error
        if target is not None and not same_place(url, target):
            raise self._problem("the next page is said to be on another host; not followed")
        return target

    def _problem(self, text: str) -> SourceError:
        return SourceError(f"{self._options.name}: {text}")


def _first(options: HttpOptions, since: str) -> str:
    url = options.url
    if options.since and since:
        url = with_parameter(url, options.since[0], since)
    if options.pagination.by == "page":
        url = with_parameter(url, options.pagination.parameter, options.pagination.first)
    return url


def _greatest(table: pa.Table, column: str) -> str:
    return max((v for v in table.column(column).to_pylist() if v), key=_order, default="")


def _order(value: str) -> tuple[int, float, str]:
    """Order numbers as numbers, and other texts, such as ISO timestamps, as texts after them."""
    try:
        return (1, float(value), "")
    except ValueError:
        return (2, 0.0, value) if value else (0, 0.0, "")


def _refuse_html(answer: Answer) -> None:
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/html") or (answer.body or b"").lstrip()[:1] == b"<":
        raise UnreachableError(
            "answered with HTML, as a login page or a proxy does; check `url` and the credentials"
        )
