"""Log lines on standard error, as text or as JSON, without secrets.

Every line has a time and a level; where they apply also `event`, `model`, `source` and numbers.
What the interpreter would print of an exception that nobody caught goes the same way.
"""

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from model_exporter.job.redaction import redact

FORMATS = ("text", "json")
FIELDS = ("event", "model", "source", "rows", "rows_per_second")
"""What our own calls give as `extra`, in the order in which it is written."""

logger = logging.getLogger("model_exporter")


class TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.000Z WARNING message event=... model=... source=...``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback after it if there is one."""
        fields = "".join(f" {k}={_one_line(str(v))}" for k, v in _fields(record).items())
        message = _one_line(redact(record.getMessage()))
        line = f"{_time(record)} {record.levelname} {message}{fields}"
        trace = _traceback(self, record)
        return f"{line}\n{trace}" if trace else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `message`, `event`, `model`, `source`, ..."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object; a traceback is its `traceback`."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": redact(record.getMessage()),
            **_fields(record),
        }
        if record.name != logger.name:
            line["logger"] = record.name
        if trace := _traceback(self, record):
            line["traceback"] = trace
        return json.dumps(line)


def configure(level: str, form: str = "text") -> None:
    """Send log lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])


def log_uncaught() -> None:
    """Log the exceptions that nobody caught, in any thread, instead of printing them."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda given: _uncaught(
        given.exc_type, given.exc_value or given.exc_type(), given.exc_traceback
    )


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logger.critical("%s", kind.__name__, exc_info=(kind, error, trace), extra={"event": "crashed"})


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
    return {k: redact(v) if isinstance(v, str) else v for k, v in found.items()}


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return redact(formatter.formatException(record.exc_info)) if record.exc_info else ""


def _one_line(text: str) -> str:
    """Escape line breaks: what a message quotes must not begin a line of its own."""
    return text.replace("\r", "\\r").replace("\n", "\\n")
