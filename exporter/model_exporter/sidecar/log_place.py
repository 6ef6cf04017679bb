"""Where a log's rows go: a directory, or a receiver by way of a spool or of memory."""

import sys
from typing import NamedTuple

from model_exporter.sidecar.faults import Faults
from model_exporter.sidecar.log_directory import LogDirectory
from model_exporter.sidecar.log_files import PARQUET_ROWS
from model_exporter.sidecar.log_http import POST_BYTES, post
from model_exporter.sidecar.log_outbox import Memory, Outbox, Spool
from model_exporter.sidecar.log_rows import LogSchema
from model_exporter.sidecar.log_sender import Sender
from model_exporter.sidecar.log_settings import LogSettings
from model_exporter.sidecar.log_target import Target
from model_exporter.sidecar.settings import Settings

BATCH_SECONDS = 5.0
"""A batch for a receiver waits so long at most: what a killed process without a spool loses."""


class Limits(NamedTuple):
    """When a file, or a batch, ends."""

    rows: int
    bytes: int
    seconds: float


def limits_of(settings: LogSettings) -> Limits:
    """Return when files end: some fit the budget, so that the oldest can go and the newest stay."""
    size = min(settings.max_bytes, settings.budget_bytes // 4 or sys.maxsize)
    if settings.target is not None:
        return Limits(sys.maxsize, min(size, POST_BYTES), min(settings.max_seconds, BATCH_SECONDS))
    rows = PARQUET_ROWS if settings.format == "parquet" else sys.maxsize
    return Limits(rows, size, settings.max_seconds)


def place_of(
    settings: Settings, schema: LogSchema, faults: Faults
) -> tuple[LogDirectory | Memory, Sender | None]:
    """Return where to write files or batches, and what sends them on, if they are."""
    log = settings.log
    assert log is not None
    place: LogDirectory | Memory
    outbox: Outbox
    if log.directory is None:
        place = outbox = Memory(schema, limit=log.budget_bytes, faults=faults)
    else:
        place = LogDirectory(
            log.directory,
            schema,
            suffix=log.format,
            budget=log.budget_bytes,
            clock=settings.clock,
            faults=faults,
        )
        outbox = Spool(log.directory, schema.model_name)
    if log.target is None:
        return place, None
    return place, _sender(outbox, log.target, settings, faults)


def _sender(outbox: Outbox, target: Target, settings: Settings, faults: Faults) -> Sender:
    return Sender(outbox, lambda data: post(target, data, clock=settings.clock), faults=faults)
