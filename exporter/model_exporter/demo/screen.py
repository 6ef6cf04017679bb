"""Where the story is shown: a live table in a terminal, or lines of plain text."""

import io
import re
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 132
"""Nothing wraps in it; a pipe has no width of its own."""
PICTURE_WIDTH = 104
LINES = 5
"""Of what happened last, below the live table."""


class Screen(Protocol):
    """What the story needs of a screen. Use as a context manager."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def say(self, text: str, *, elapsed: float | None = None) -> None:
        """Tell something, with the second of the story."""

    def headline(self, text: str, *, elapsed: float) -> None:
        """Tell what the story is about from now on."""

    def show(self, table: Table) -> None:
        """Show the table as of now."""

    def end(self, table: Table, lines: Iterable[str]) -> None:
        """Show the last table, and lines below it."""


class Lines:
    """Plain text, for pipes and logs; the end also as a picture, if one is wanted."""

    def __init__(self, picture: Path | None = None) -> None:
        self._picture = picture
        self._console = Console(width=PLAIN_WIDTH, no_color=True, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, text: str, *, elapsed: float | None = None) -> None:
        """Print a line."""
        self._console.print(_line(text, elapsed), markup=False)

    def headline(self, text: str, *, elapsed: float) -> None:
        """Print a line."""
        self.say(text, elapsed=elapsed)

    def show(self, table: Table) -> None:
        """Print nothing: only the last table is of interest."""

    def end(self, table: Table, lines: Iterable[str]) -> None:
        """Print the table and the lines."""
        told = list(lines)
        self._console.print()
        self._console.print(table)
        for line in told:
            self._console.print(line, markup=False)
        if self._picture is not None:
            self._picture.write_text(_svg(table, told), "utf-8")


class Terminal:
    """A table that stays in place; below it the headline, the newest lines and the links."""

    def __init__(self, links: Mapping[str, str]) -> None:
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False)
        self._links = [Text(f"{name:13}{url}", style="dim") for name, url in links.items()]
        self._headline = Text()
        self._lines: deque[Text] = deque(maxlen=LINES)
        self._table: Table | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str, *, elapsed: float | None = None) -> None:
        """Add a line; the oldest gives way. Before the table comes, it is printed above it."""
        if self._table is None:
            self._console.print(text, style="dim", markup=False, highlight=False)
            return
        self._lines.append(_one_line(_line(text, elapsed)))
        self._draw()

    def headline(self, text: str, *, elapsed: float) -> None:
        """Replace the line below the table."""
        self._headline = Text(_line(text, elapsed), style="bold cyan")
        self._draw()

    def show(self, table: Table) -> None:
        """Replace the table."""
        self._table = table
        self._draw()

    def end(self, table: Table, lines: Iterable[str]) -> None:
        """Leave the last table on the screen, and print the lines below it."""
        self._headline = Text()
        self._lines.clear()
        self.show(table)
        self._live.stop()
        for line in lines:
            self._console.print(
                line, markup=False, highlight=False, no_wrap=True, overflow="ellipsis"
            )

    def _draw(self) -> None:
        parts = [self._table] if self._table else []
        self._live.update(
            Group(*parts, self._headline, *self._lines, Text(), *self._links), refresh=True
        )


def _svg(table: Table, lines: Iterable[str]) -> str:
    """Draw a terminal; its fonts are those that the reader has, nothing is fetched."""
    console = Console(record=True, width=PICTURE_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(table)
    for line in lines:
        console.print(line, markup=False, highlight=False, no_wrap=True, overflow="ellipsis")
    drawn = console.export_svg(title="make demo", unique_id="demo")
    without_fonts = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return without_fonts.replace("Fira Code", "ui-monospace, Menlo, Consolas")


def _one_line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")


def _line(text: str, elapsed: float | None) -> str:
    return text if elapsed is None else f"{elapsed:+4.0f} s  {text}"
