"""The arguments of a monitor's prediction log, checked once, at construction."""

import os
from pathlib import Path
from typing import NamedTuple

from model_exporter.errors import ConfigError
from model_exporter.sidecar.arguments import number
from model_exporter.sidecar.log_target import Target, is_url, read_target

LOG_FORMATS = ("jsonl", "parquet")


class LogSettings(NamedTuple):
    """Where and how predictions are logged.

    Attributes
    ----------
    directory
        Of the log, or of the spool of a log that goes to `target`; None if that has none.
    """

    directory: Path | None
    target: Target | None
    format: str
    features: tuple[str, ...]
    segments: tuple[str, ...]
    max_bytes: int
    max_seconds: float
    queue_rows: int
    budget_bytes: int


def read_log(
    directory: object,
    *,
    log_format: object,
    features: tuple[str, ...],
    segments: tuple[str, ...],
    max_bytes: int,
    max_seconds: float,
    queue_rows: int,
    budget_bytes: int,
    spool: object,
    token_file: object,
) -> LogSettings | None:
    """Check the prediction log and create its directory."""
    if not is_url(directory) and (spool is not None or token_file is not None):
        raise ConfigError(
            "log_spool and log_token_file belong to a log that is sent to a receiver, as in "
            "log='http://exporter:9920/v1/predictions'; leave them out"
        )
    if directory is None:
        if features or segments:
            raise ConfigError(
                "log_features and segments are written to the prediction log, but there is none; "
                "give its directory, as in log='predictions/', or leave them out"
            )
        return None
    if log_format not in LOG_FORMATS:
        raise ConfigError(f"log_format={log_format!r}: expected 'jsonl' or 'parquet'")
    if log_format == "parquet":
        _require_pyarrow()
    target = read_target(directory, token_file) if is_url(directory) else None
    if target is not None and log_format != "jsonl":
        raise ConfigError(f"log_format={log_format!r}: a receiver takes 'jsonl' only")
    place, what = (directory, "log") if target is None else (spool, "log_spool")
    return LogSettings(
        directory=None if place is None else _directory(place, what),
        target=target,
        format=str(log_format),
        features=features,
        segments=segments,
        max_bytes=int(number("log_max_bytes", max_bytes, least=1)),
        max_seconds=number("log_max_seconds", max_seconds, least=0),
        queue_rows=int(number("log_queue_rows", queue_rows, least=1)),
        budget_bytes=int(
            number("log_budget_bytes", budget_bytes, least=2**16 if budget_bytes else 0)
        ),
    )


def _require_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "log_format='parquet' needs pyarrow, which is not installed; "
            "`pip install model-exporter[parquet]`, or use log_format='jsonl'"
        ) from error


def _directory(value: object, what: str) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ConfigError(f"{what}={value!r}: expected the path of a directory")
    path = Path(os.fspath(value))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{what}={str(path)!r}: cannot make this directory ({error.strerror}); give one that "
            "can be written"
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"{what}={str(path)!r}: cannot write to this directory; give another")
    return path
