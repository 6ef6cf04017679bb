"""How one page of an HTTP API leads to the next."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import requests

from model_exporter.job.yaml_section import Section


@dataclass(frozen=True, slots=True)
class Pagination:
    """How one page leads to the next.

    By `cursor`: the value of a field goes into a parameter. By `page`: the parameter counts up
    until a page is empty. By `link`: the header of that name.
    """

    by: str = ""
    parameter: str = ""
    field: str = ""
    first: int = 1


def configure_pagination(section: Section) -> Pagination:
    """Take `pagination` from a section."""
    given = section.section("pagination")
    if given is None:
        return Pagination()
    by = given.choice("by", ("cursor", "page", "link"))
    found = Pagination(
        by=by,
        parameter=given.text("parameter") if by != "link" else "",
        field=given.text("field", expected="where the next cursor is") if by == "cursor" else "",
        first=int(given.number("first", default=1)) if by == "page" else 1,
    )
    given.finish()
    return found


def next_page(pagination: Pagination, url: str, *, link: str, document: Any) -> str | None:
    """Return the URL of the page after `url`, which answered so; None if it was the last."""
    if pagination.by == "cursor":
        value = at(document, pagination.field)
        return None if value in (None, "") else with_parameter(url, pagination.parameter, value)
    if pagination.by == "page":
        here = dict(parse_qsl(urlsplit(url).query))[pagination.parameter]
        return with_parameter(url, pagination.parameter, int(here) + 1)
    if pagination.by == "link":
        links = requests.utils.parse_header_links(link) if link else []
        target = next((found["url"] for found in links if found.get("rel") == "next"), None)
        return None if target is None else urljoin(url, target)
    return None


def with_parameter(url: str, name: str, value: object) -> str:
    """Return the URL with a parameter set."""
    parts = urlsplit(url)
    pairs = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*pairs, (name, str(value))])))


def at(document: Any, path: str) -> Any:
    """Return what stands under a path of keys with dots; None if there is nothing."""
    for key in path.split(".") if path else ():
        document = document.get(key) if isinstance(document, dict) else None
    return document
