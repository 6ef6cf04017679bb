"""`POST /v1/predictions` and `POST /v1/labels`: who may push, to which model, and the answer.

A push is refused whole or taken whole. What was answered with 202 is on the disk.
"""

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from model_exporter.errors import StateError
from model_exporter.job.intake import Intake, lines
from model_exporter.job.push_body import PushError, check_head, records
from model_exporter.job.sources.spool import SpoolFullError

PATHS = {"/v1/predictions": "predictions", "/v1/labels": "labels"}
MAX_PUSHES = 8
"""Bodies held in memory at once, of 16 MiB each at most."""
WAIT_SECONDS = 1.0
"""For one of the others to end, before the client is asked to come again."""
RETRY_SECONDS = 5

logger = logging.getLogger("model_exporter")

Waiting = list[tuple[int, dict[str, str | None]]]
"""Records of one model, each with its place in the push."""


class Door:
    """Where pushes come in. Intakes change when the configuration does."""

    def __init__(self) -> None:
        self._intakes: tuple[Intake, ...] | None = None
        self._slots = threading.BoundedSemaphore(MAX_PUSHES)
        self._decoding = threading.Lock()

    def open(self, intakes: Iterable[Intake]) -> None:
        """Let records in."""
        self._intakes = tuple(intakes)

    def close(self) -> None:
        """Send everyone away until it is opened again."""
        self._intakes = None

    @contextlib.contextmanager
    def entered(
        self, source: str, headers: Mapping[str, str], *, stranger: bool = False
    ) -> Iterator[tuple[list[Intake], int]]:
        """Check who knocks; provide the intakes open to them and the length of the body.

        To a `stranger`, whom the port has not asked for a password, only a token opens.

        Raises
        ------
        PushError
            If they may not come in, or not now.
        """
        intakes = self._open_to(source, headers.get("authorization", ""), stranger=stranger)
        length = check_head(headers)
        if not self._slots.acquire(timeout=WAIT_SECONDS):
            raise PushError(429, f"{MAX_PUSHES} pushes at once are under way", retry=True)
        try:
            yield intakes, length
        finally:
            self._slots.release()

    def take(
        self, intakes: list[Intake], query: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, Any]:
        """Keep the records of a body; return the answer.

        Raises
        ------
        PushError
            If one of them is refused; none is kept then.
        """
        lenient = "handling=lenient" in headers.get("prefer", "").replace(" ", "").lower()
        with self._decoding:  # one at a time: records take much more memory than their bytes
            by_intake = _assigned(intakes, _named(query), records(headers, body))
            checked = [_checked(*pair, lenient=lenient) for pair in by_intake.items()]
        for intake, kept, _ in checked:
            _append(intake, kept)
        answer = {"accepted": sum(map(len, by_intake.values()))}
        return answer | ({"invalid": sum(n for *_, n in checked)} if lenient else {})

    def _open_to(self, source: str, authorization: str, *, stranger: bool) -> list[Intake]:
        if self._intakes is None:
            raise PushError(503, "starting; push again", retry=True)
        known = [intake for intake in self._intakes if intake.source.name == source]
        if not known:
            raise PushError(404, f"no model takes pushed {source}; set `{source}.type: push`")
        scheme, _, token = authorization.partition(" ")
        given = token.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
        guarded = [i for i in known if i.source.token_file is not None or not stranger]
        found = [intake for intake in guarded if intake.admits(given)]
        if not found:
            raise PushError(401, "expected Authorization: Bearer and the token of `token_file`")
        return found


def _named(query: str) -> str | None:
    try:
        return parse_qs(query, max_num_fields=8).get("model", [None])[0]
    except ValueError as error:
        raise PushError(400, "the query is not understood; expected ?model=name") from error


def _assigned(
    intakes: list[Intake], model: str | None, found: list[dict[str, Any]]
) -> dict[Intake, Waiting]:
    """Return the records of each model: that of the query, of the record, or the only one."""
    by_name = {intake.model.name: intake for intake in intakes}
    if model is not None and model not in by_name:
        raise _unknown(model, by_name)
    only = next(iter(by_name)) if len(by_name) == 1 else None
    assigned: dict[Intake, Waiting] = {}
    for place, record in enumerate(found):
        name = model if model is not None else record.get("model_name", only)
        intake = by_name.get(name) if isinstance(name, str) else None
        if intake is None:
            raise _unknown(name, by_name, record=place)
        assigned.setdefault(intake, []).append((place, intake.kept(record, place)))
    return assigned


def _unknown(name: object, known: Iterable[str], *, record: int | None = None) -> PushError:
    names = ", ".join(sorted(known))
    given = "no model named" if name is None else f"{str(name)[:80]!r} is none of the models"
    return PushError(
        404,
        f"{given}; here: {names}; give ?model= or a `model_name` with each record",
        record=record,
        field=None if record is None else "model_name",
    )


def _checked(intake: Intake, waiting: Waiting, *, lenient: bool) -> tuple[Intake, bytes, int]:
    """Return what to keep of a model's records, and how many of them are invalid."""
    invalid = 0
    for place, reason in intake.verdicts(waiting):
        if reason is None:
            continue
        if not lenient:
            expected = f"no usable {reason}; see `{intake.source.name}.columns.{reason}`"
            raise PushError(400, expected, record=place, field=intake.source.columns[reason])
        invalid += 1
    return intake, lines(record for _, record in waiting), invalid


def _append(intake: Intake, kept: bytes) -> None:
    try:
        intake.spool.append(kept)
    except SpoolFullError as error:
        raise PushError(503, "too much waits to be read; push again", retry=True) from error
    except StateError as error:
        raise PushError(503, "restarting; push again", retry=True) from error
    except OSError as error:
        logger.error("%s: pushed records cannot be kept: %s", intake.model.name, error)
        raise PushError(503, "the disk fails; push again", retry=True) from error
