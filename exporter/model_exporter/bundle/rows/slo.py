"""Objective: how fast the error budget burns, and what is left of it."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import BELOW_ZERO, NO_PREDICTIONS, VERSION_LEGEND, steps
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import PER_MODEL, VERSION

SPANS = ("5m", "1h", "6h", "3d")
BURN_MARKS = steps((1, "yellow"), (6, "orange"), (14.4, "red"))
BURN_HELP = (
    " 1 spends a month's budget in a month; 6 for six hours or 14.4 for an hour is worth waking up"
    " for."
)
CALLS = "model_prediction_latency_seconds_count{" + VERSION + "}"
IN_TIME = f'model_prediction_latency_seconds_bucket{{{VERSION}, le="$latency_target"}}'


def _slow(span: str) -> str:
    return f"1 - sum(increase({IN_TIME}[{span}])) / (sum(increase({CALLS}[{span}])) > 0)"


def _failed(span: str) -> str:
    errors = f"sum(increase(model_prediction_errors_total{{{VERSION}}}[{span}]))"
    calls = f"sum(increase(model_prediction_requests_total{{{VERSION}}}[{span}]))"
    return f"({errors} or 0 * {calls}) / ({calls} > 0)"


def _burn(title: str, what: str, *, ratios: list[tuple[str, str]]) -> Panel:
    return timeseries(
        title,
        f"Share of calls that {what}, over what the chosen objective allows, of all chosen models."
        + BURN_HELP,
        unit="none",
        queries=[Query(f"({ratio}) / (1 - $objective)", span) for span, ratio in ratios],
        empty=NO_PREDICTIONS,
        marks=BURN_MARKS,
        top=15,
        points=200,
    )


ROW = Row(
    "Objective: $objective of calls succeed, $objective within $latency_target s",
    [
        _burn(
            "Error budget burn rate",
            "raised",
            ratios=[(span, _failed(span)) for span in SPANS],
        ),
        _burn(
            "Latency budget burn rate",
            "took longer than the chosen target",
            ratios=[(span, _slow(span)) for span in SPANS],
        ),
        timeseries(
            "Error budget left",
            "What is left of the failures that the objective allows for the calls of the 30 days"
            " before, of the ten model versions with least; below 0 the objective is missed. It"
            " counts from where the data begin.",
            unit="percentunit",
            queries=[
                Query(
                    queries.top(
                        f"1 - {queries.error_ratio(PER_MODEL, '30d')} / (1 - $objective)",
                        queries.error_ratio(PER_MODEL, "30d", end=True),
                        by=PER_MODEL,
                    ),
                    VERSION_LEGEND,
                )
            ],
            empty=NO_PREDICTIONS,
            marks=BELOW_ZERO,
            top=1,
            points=60,
        ),
    ],
)
