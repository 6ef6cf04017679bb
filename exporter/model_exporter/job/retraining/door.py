"""`POST /v1/alerts`: who may send alerts, and the answer.

A webhook is refused whole or decided on whole. What was answered with 202 is on the disk. What is
answered with 503 Alertmanager sends again; what with any other status of failure it does not.
"""

import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_exporter.job.door import bearer_token
from model_exporter.job.intake import read_token
from model_exporter.job.push_body import JSON, PushError, check_head
from model_exporter.job.retraining.alert import MAX_BYTES, alerts
from model_exporter.job.retraining.retrainer import Retrainer

PATH = "/v1/alerts"


class AlertDoor:
    """Where alerts come in. The retrainer changes when the configuration does."""

    def __init__(self) -> None:
        self._open = False
        self._token_file: Path | None = None
        self._retrainer: Retrainer | None = None

    def open(self, token_file: Path | None, retrainer: Retrainer | None) -> None:
        """Let alerts in, if there is a retrainer to decide on them."""
        self._token_file, self._retrainer = token_file, retrainer
        self._open = True

    def close(self) -> None:
        """Send everyone away until it is opened again."""
        self._open = False
        self._retrainer = None

    def entered(self, headers: Mapping[str, str]) -> tuple[Retrainer, int]:
        """Check who knocks; return who decides, and the length of the body.

        Raises
        ------
        PushError
            If they may not come in, or not now.
        """
        retrainer, token_file = self._retrainer, self._token_file
        if not self._open:
            raise PushError(503, "starting; send again", retry=True)
        if retrainer is None or token_file is None:
            raise PushError(404, "alerts are not taken; set `alerts.token_file`")
        expected = read_token(token_file)
        given = bearer_token(headers.get("authorization", ""))
        if expected is None or not hmac.compare_digest(expected, given):
            retrainer.refused()
            raise PushError(401, "expected Authorization: Bearer and the token of `token_file`")
        length = check_head(headers, most=MAX_BYTES)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != JSON or "content-encoding" in headers:
            raise PushError(415, f"expected Content-Type {JSON}, without encoding")
        return retrainer, length


def decided(retrainer: Retrainer, body: bytes) -> dict[str, Any]:
    """Decide about the alerts of a body; return the answer.

    Raises
    ------
    PushError
        If it is no webhook, naming the field; or cannot be decided on now.
    """
    found = alerts(body)
    return {"alerts": len(found), "outcomes": retrainer.take(found)}
