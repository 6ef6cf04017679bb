"""The pictures of the page, as inline SVG: their colours come from the style of the page."""

import math
from collections.abc import Sequence
from html import escape

from model_exporter.records import Estimate
from model_exporter.report.content import DriftLine, Histogram, ScoreLine

WIDTH, ROW, LEFT = 360.0, 20.0, 44.0
BARS_WIDTH, BARS_HEIGHT = 260.0, 96.0
MAX_BARS = 12
PSI_WIDTH, PSI_MOST = 180.0, 1.0
PADDING = 0.08
"""Of the range of a picture, left free at either end."""


def plain(text: str) -> str:
    """Return text that is only text in HTML, in an attribute as well; control characters go."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text), quote=True)


def number(value: float | None) -> str:
    """Return a number for people.

    Examples
    --------
    >>> number(0.93091), number(1234567.0), number(12.345), number(0.00001234), number(None)
    ('0.931', '1,234,567', '12.35', '1.2e-05', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        text = f"{value:,.0f}"
    elif size >= 10:
        text = f"{value:.2f}"
    else:
        text = f"{value:.3f}" if size >= 0.001 or not value else f"{value:.1e}"
    return text.replace("-", "\N{MINUS SIGN}") if value < 0 else text


def percent(share: float | None) -> str:
    """Return a share in percent, with a digit below 10 %.

    Examples
    --------
    >>> percent(0.9391), percent(0.0123), percent(0.0), percent(0.00001), percent(None)
    ('94 %', '1.2 %', '0 %', '< 0.1 %', '–')
    """
    if share is None:
        return "–"
    if 0 < share < 0.001:
        return "< 0.1 %"
    return (
        f"{share:.1%}".replace("%", " %") if 0 < share < 0.1 else f"{share:.0%}".replace("%", " %")
    )


def intervals(line: ScoreLine) -> str:
    """Draw a score with its interval in each window, beside the baseline and what is expected."""
    scale = _scale(line)
    height = ROW * len(line.windows) + 16
    parts = [_forbidden(line, scale, height - 16)]
    if line.baseline is not None:
        x = scale(line.baseline)
        parts.append(
            f'<line class="baseline" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{height - 16}"/>'
        )
    for i, (window, found) in enumerate(line.windows.items()):
        parts.append(
            _interval(window, found, ROW * i + ROW / 2 + 1, scale, bad=window in line.violated)
        )
    for value in scale.ticks:
        x = scale(value)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{height - 2}" text-anchor="middle">'
            f"{value:,.{scale.places}f}</text>"
        )
    said = ", ".join(f"{window}: {number(found.value)}" for window, found in line.windows.items())
    return _svg(WIDTH, height, "".join(parts), f"{line.family.key} by window; {said}")


def bars(histogram: Histogram) -> str:
    """Draw the shares of the window, filled, against those of the baseline, outlined."""
    shown = _fewer(histogram)
    top = max([*shown.baseline, *shown.window, 1e-9])
    step = BARS_WIDTH / max(1, len(shown.bins))
    parts = []
    for i, name in enumerate(shown.bins):
        was = shown.baseline[i]
        now = shown.window[i] if shown.window else None
        title = f"{name}: baseline {percent(was)}"
        title += "" if now is None else f", window {percent(now)}"
        x, width = i * step + step * 0.08, step * 0.84
        inner = (
            f'<rect class="hit" x="{i * step:.1f}" y="0" width="{step:.1f}" '
            f'height="{BARS_HEIGHT:g}"/>'
        )
        if now is not None:
            height = BARS_HEIGHT * 0.94 * now / top
            inner += (
                f'<rect class="now" x="{x:.1f}" y="{BARS_HEIGHT - height:.1f}" '
                f'width="{width:.1f}" height="{height:.1f}"/>'
            )
        height = BARS_HEIGHT * 0.94 * was / top
        inner += (
            f'<path class="was" d="M{x:.1f} {BARS_HEIGHT:g}V{BARS_HEIGHT - height:.1f}'
            f'h{width:.1f}V{BARS_HEIGHT:g}"/>'
        )
        parts.append(f"<g><title>{plain(title)}</title>{inner}</g>")
    parts.append(
        f'<line class="axis" x1="0" x2="{BARS_WIDTH:g}" y1="{BARS_HEIGHT:g}" y2="{BARS_HEIGHT:g}"/>'
    )
    return _svg(
        BARS_WIDTH, BARS_HEIGHT + 1, "".join(parts), f"{histogram.subject}: window and baseline"
    )


def drift_bar(line: DriftLine) -> str:
    """Draw a PSI as a bar, with the mark beyond which it is no chance.

    The scale is one of roots and ends at `PSI_MOST`: one feature whose bins are all others would
    hide the rest.
    """

    def x(value: float) -> float:
        return PSI_WIDTH * math.sqrt(min(value, PSI_MOST) / PSI_MOST)

    kind = "bad" if line.detected else "now"
    inner = (
        f'<rect class="{kind}" x="0" y="3" width="{max(1.0, x(line.psi)):.1f}" height="8" rx="2"/>'
    )
    if line.critical is not None and line.critical <= PSI_MOST:
        mark = x(line.critical)
        inner += f'<line class="critical" x1="{mark:.1f}" x2="{mark:.1f}" y1="0" y2="14"/>'
    return _svg(PSI_WIDTH, 14, inner, f"PSI {number(line.psi)}")


def share_bar(share: float) -> str:
    """Draw a share of 1."""
    inner = f'<span style="width:{100 * share:.1f}%"></span>'
    return f'<span class="share" aria-hidden="true">{inner}</span>'


class _Scale:
    """From a value to its place in a picture."""

    def __init__(self, low: float, high: float, ticks: Sequence[float], places: int) -> None:
        self.low, self.high, self.ticks, self.places = low, high, ticks, places

    def __call__(self, value: float) -> float:
        inside = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return LEFT + (WIDTH - LEFT - 8) * inside


def _scale(line: ScoreLine) -> _Scale:
    values = [
        value
        for found in line.windows.values()
        for value in (found.value, found.lower, found.upper)
        if value is not None
    ]
    marks = (line.baseline, line.minimum, line.maximum)
    values += [value for value in marks if value is not None]
    low, high = min(values), max(values)
    room = (high - low) * PADDING or abs(high) * PADDING or 1.0
    return _Scale(low - room, high + room, *_ticks(low - room / 2, high + room / 2))


def _ticks(low: float, high: float) -> tuple[list[float], int]:
    """Return two to five round numbers within a range, and the digits they are written with."""
    power = math.floor(math.log10(max(high - low, 1e-12)))
    for digits, factor in ((0, 1.0), (1, 0.5), (1, 0.2), (1, 0.1)):
        step = factor * 10.0**power
        first, last = math.ceil(low / step), math.floor(high / step)
        if last > first:
            places = max(0, digits - power)
            return [k * step for k in range(first, last + 1)], places
    return [low], 3


def _interval(window: str, found: Estimate, y: float, scale: _Scale, *, bad: bool) -> str:
    kind = "bad" if bad else "now"
    ends = ""
    if found.lower is not None and found.upper is not None:
        a, b = scale(found.lower), scale(found.upper)
        ends = f'<line class="range {kind}" x1="{a:.1f}" x2="{b:.1f}" y1="{y:g}" y2="{y:g}"/>'
    said = f"{window}: {number(found.value)} ({number(found.lower)} to {number(found.upper)})"
    return (
        f"<g><title>{plain(said)}</title>"
        f'<text class="window" x="{LEFT - 10:g}" y="{y + 4:g}" text-anchor="end">'
        f"{plain(window)}</text>"
        f'{ends}<circle class="{kind}" cx="{scale(found.value):.1f}" cy="{y:g}" r="4"/></g>'
    )


def _forbidden(line: ScoreLine, scale: _Scale, height: float) -> str:
    """Shade where the score is expected not to be."""
    parts = []
    for bound, (start, end) in (
        (line.minimum, (LEFT, None)),
        (line.maximum, (None, WIDTH - 8)),
    ):
        if bound is None:
            continue
        a = start if start is not None else scale(bound)
        b = end if end is not None else scale(bound)
        x = scale(bound)
        parts.append(
            f'<rect class="forbidden" x="{a:.1f}" y="0" width="{max(0.0, b - a):.1f}" '
            f'height="{height:g}"/>'
            f'<line class="bound" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height:g}"/>'
        )
    return "".join(parts)


def _fewer(histogram: Histogram) -> Histogram:
    """Keep the bins with the most rows, in their order; the others share the last."""
    if len(histogram.bins) <= MAX_BARS:
        return histogram
    window = histogram.window or [0.0] * len(histogram.bins)
    sizes = [max(pair) for pair in zip(histogram.baseline, window, strict=True)]
    kept = sorted(sorted(range(len(sizes)), key=lambda i: -sizes[i])[: MAX_BARS - 1])

    def pooled(shares: Sequence[float]) -> list[float]:
        chosen = [shares[i] for i in kept]
        return [*chosen, max(0.0, 1 - sum(chosen))] if shares else []

    rest = len(histogram.bins) - len(kept)
    names = [*(histogram.bins[i] for i in kept), f"{rest} others"]
    return Histogram(
        histogram.subject,
        names,
        pooled(histogram.baseline),
        pooled(histogram.window),
        histogram.line,
    )


def _svg(width: float, height: float, inner: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{plain(title)}">{inner}</svg>'
    )
