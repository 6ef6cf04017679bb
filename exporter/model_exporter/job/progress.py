"""How far a long reading has come: a log line now and then, or the last line of a terminal."""

import logging
import time
from collections.abc import Callable
from typing import TextIO

LOG_SECONDS = 10.0
DRAW_SECONDS = 0.2
WIDTH = 24

logger = logging.getLogger("model_exporter")


class Line:
    """The last line of a terminal; nothing where the stream is none."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.shown = stream.isatty()
        self._stream = stream
        self._clock = clock
        self._next = clock()

    def show(self, text: str) -> None:
        """Replace the line, unless that was just done."""
        if self.shown and self._clock() >= self._next:
            self._next = self._clock() + DRAW_SECONDS
            self._write(text)

    def clear(self) -> None:
        """Leave the line empty."""
        if self.shown:
            self._write("")

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()


def bar(done: int, total: int) -> str:
    """Return a bar, such as ``[######------] 12/24``."""
    full = WIDTH * done // max(1, total)
    return f"[{'#' * full}{'-' * (WIDTH - full)}] {done}/{total}"


class Progress:
    """Counts the rows of one reading."""

    def __init__(
        self,
        model: str,
        source: str,
        *,
        line: Line | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._source = source
        self._line = line
        self._clock = clock
        self._started = clock()
        self._said = self._started
        self._rows = 0

    def add(self, rows: int) -> None:
        """Note rows that were taken in, and say so when it is time."""
        self._rows += rows
        now = self._clock()
        rate = round(self._rows / max(now - self._started, 1e-9))
        if self._line is not None and self._line.shown:
            self._line.show(f"{self._model}: {self._source}: {self._rows:,} rows, {rate:,}/s")
        elif now - self._said >= LOG_SECONDS:
            self._said = now
            logger.info(
                "%s: %s: %d rows read so far, %d a second",
                *(self._model, self._source, self._rows, rate),
                extra={
                    "event": "reading",
                    "model": self._model,
                    "source": self._source,
                    "rows": self._rows,
                    "rows_per_second": rate,
                },
            )
