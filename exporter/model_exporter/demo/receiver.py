"""Receives on this machine what Alertmanager would send to Slack, PagerDuty and a webhook."""

import http.server
import json
import threading
from collections import Counter
from typing import Any, Self


class Receiver:
    """An HTTP server on a free loopback port that keeps what is posted to it.

    Attributes
    ----------
    messages
        (path, JSON body) of every notification, in order of arrival.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, Any]] = []
        handler = type("Handler", (_Handler,), {"messages": self.messages})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to send notifications to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def counts(self) -> dict[str, int]:
        """Return notifications by the last part of their path."""
        return dict(sorted(Counter(path.strip("/") for path, _ in list(self.messages)).items()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    messages: list[tuple[str, Any]]
    timeout = 10

    def do_POST(self) -> None:  # the standard library's name
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.messages.append((self.path, json.loads(body)))
        # Slack answers "ok", PagerDuty with 202 and JSON; Alertmanager takes this for both.
        self.send_response(202 if self.path == "/pagerduty" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the table tells what came."""
