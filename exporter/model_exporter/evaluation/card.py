"""A monitor at a glance: the small HTML card that notebooks show."""

from collections.abc import Iterable
from html import escape

STYLE = (
    "display:inline-block;border:1px solid #8884;border-radius:6px;padding:.6em 1em;"
    "font-family:system-ui,sans-serif;font-size:13px;line-height:1.5"
)
CELL = "text-align:left;border:0;background:none;padding:.1em 1em .1em 0"


def card(title: str, subtitle: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return the card; every text is escaped.

    Examples
    --------
    >>> "<b>a&amp;b</b>" in card("a&b", "binary", [("predictions", "5")])
    True
    """
    body = "".join(
        f'<tr style="background:none"><td style="{CELL};opacity:.7">{escape(name)}</td>'
        f'<td style="{CELL}">{escape(value)}</td></tr>'
        for name, value in rows
    )
    return (
        f'<div style="{STYLE}"><b>{escape(title)}</b> <span style="opacity:.7">'
        f'{escape(subtitle)}</span><table style="border:0;margin:.4em 0 0;font-size:inherit">'
        f"{body}</table></div>"
    )


def with_interval(value: float, lower: float | None, upper: float | None) -> str:
    """Return a score as people read it.

    Examples
    --------
    >>> with_interval(0.8, 0.376, 0.964), with_interval(0.8, None, None)
    ('0.800 (0.376 to 0.964)', '0.800')
    """
    bounds = "" if lower is None or upper is None else f" ({lower:.3f} to {upper:.3f})"
    return f"{value:.3f}{bounds}"
