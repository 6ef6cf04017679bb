"""One score over time: its line in the band of its interval, its baseline and its bounds."""

from model_exporter.bundle.grafana import Panel, Query
from model_exporter.bundle.looks import BAND, REFERENCE_COLOURS, REFERENCE_STYLE, SINGLE
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import MODEL, VERSION, WHOLE


def score(
    title: str,
    description: str,
    *,
    key: str,
    families: tuple[str, str, str, str],
    empty: str,
    unit: str = "none",
    only: str = "",
    width: int = 6,
) -> Panel:
    """Return the panel; `families` are value, lower, upper and baseline, `only` more matchers."""
    more = f", {only}" if only else ""
    value, lower, upper = (f"max({family}{{{WHOLE}{more}}})" for family in families[:3])
    return timeseries(
        title,
        f"{description} Band: its 95 % confidence interval. Dashed: the baseline, and the bound"
        " that the configuration expects.",
        unit=unit,
        queries=[
            Query(value, title),
            Query(lower, "lower"),
            Query(upper, "upper"),
            Query(f"max({families[3]}{{{VERSION}{more}}})", "baseline"),
            Query(
                f'max by (bound) (model_expectation_threshold{{{MODEL}, score="{key}"}})',
                "expected {{bound}}",
            ),
        ],
        empty=empty,
        width=width,
        lowest=None,
        colour=SINGLE,
        overrides=[*BAND, REFERENCE_STYLE, *REFERENCE_COLOURS],
    )
