"""The one place that keeps secrets out of what people read: log lines, errors, answers.

Two nets: the values that `hide` was told of, wherever they stand; and whatever looks like a
credential, for those that nobody told of, such as the user and password of a URL in the message
of a library.
"""

import json
import re
from urllib.parse import quote

HIDDEN = "<secret>"
SHORTEST = 4
"""A shorter value protects nothing, and would be found in every other word."""

_hidden: set[str] = set()  # of the process: whoever logs a secret does not know that it is one

_NAMES = (
    r"(?:[\w-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credentials?)|pwd|sig"
    r"|signature|authorization)"
)
_PATTERNS = (
    # scheme://user:password@host; a password may hold what a URL should have escaped.
    (re.compile(r"(\w[\w+.-]*://)(?![^\s/@]*:\d+(?:[/?#]|$))[^\s'\"<>/?#@]*:[^\s'\"<>]*@"), r"\1"),
    (re.compile(r"(\w[\w+.-]*://)[^\s'\"<>/?#]*@"), r"\1"),
    (re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{4,}", re.IGNORECASE), r"\1"),
    # name=value, {"name": "value"}, --name value
    (re.compile(rf"(\b{_NAMES}=)(?!<secret>)(?:'[^']*'|\"[^\"]*\"|[^\s'\"&;,)]+)", re.I), r"\1"),
    (re.compile(rf"(['\"]{_NAMES}['\"]\s*:\s*b?)(?:'[^']*'|\"[^\"]*\")", re.I), r"\1"),
)


def hide(value: str) -> None:
    """Have a value redacted from now on, as it is and as it stands in URLs and JSON."""
    if len(value) >= SHORTEST:
        _hidden.update((value, quote(value, safe=""), json.dumps(value)[1:-1]))


def redact(text: str) -> str:
    """Return a text without secrets."""
    for value in sorted(_hidden, key=len, reverse=True):  # one may be part of another
        text = text.replace(value, HIDDEN)
    for pattern, kept in _PATTERNS:
        text = pattern.sub(kept + HIDDEN + ("@" if "://" in pattern.pattern else ""), text)
    return text
