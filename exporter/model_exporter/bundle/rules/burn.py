"""Alerts about error budgets that burn too fast; their series are recorded in `slo`."""

from model_exporter.bundle import links, thresholds
from model_exporter.bundle.rules import lookups
from model_exporter.bundle.rules.rule import Alert, Group

FAST, SLOW = thresholds.PAGE_FAST, thresholds.PAGE_SLOW
TICKET_FAST, TICKET_SLOW = thresholds.TICKET_FAST, thresholds.TICKET_SLOW

AVAILABILITY_BUDGET = "(1 - model:model_objective_availability:ratio)"
LATENCY_BUDGET = "(1 - model:model_objective_latency:ratio)"


def _failing(long: str, short: str, *, window: str, factor: float) -> str:
    """Return where both windows spend the budget `factor` times too fast, on enough calls."""
    return f"""(
              {long} > {factor} * {AVAILABILITY_BUDGET}
              and
              {short} > {factor} * {AVAILABILITY_BUDGET}
              and
              60 * sum_over_time(model:model_prediction_errors:rate5m[{window}])
                >= {thresholds.BUDGET_CALLS}
            )"""


def _slow(long: str, short: str, *, window: str, factor: float) -> str:
    """Return the same of calls that take too long."""
    return f"""(
              {long} > on (model_name, le) group_left () {factor} * {LATENCY_BUDGET}
              and
              {short} > on (model_name, le) group_left () {factor} * {LATENCY_BUDGET}
              and
              60 * sum_over_time(model:model_prediction_latency_seconds:slow_rate5m[{window}])
                >= {thresholds.BUDGET_CALLS}
            )"""


ERRORS_PAGE = " or ".join(
    (
        _failing(
            "model:model_prediction_errors:ratio_rate1h",
            "model:model_prediction_errors:ratio_rate5m",
            window="1h",
            factor=FAST,
        ),
        _failing(
            "model:model_prediction_errors:ratio_rate6h",
            "model:model_prediction_errors:ratio_rate30m",
            window="6h",
            factor=SLOW,
        ),
    )
)
ERRORS_TICKET = " or ".join(
    (
        _failing(
            "model:model_prediction_errors:ratio_rate1d",
            "model:model_prediction_errors:ratio_rate2h",
            window="1d",
            factor=TICKET_FAST,
        ),
        _failing(
            "model:model_prediction_errors:ratio_rate3d",
            "model:model_prediction_errors:ratio_rate6h",
            window="3d",
            factor=TICKET_SLOW,
        ),
    )
)
LATENCY_PAGE = " or ".join(
    (
        _slow(
            "model:model_prediction_latency_seconds:slow_ratio_rate1h",
            "model:model_prediction_latency_seconds:slow_ratio_rate5m",
            window="1h",
            factor=FAST,
        ),
        _slow(
            "model:model_prediction_latency_seconds:slow_ratio_rate6h",
            "model:model_prediction_latency_seconds:slow_ratio_rate30m",
            window="6h",
            factor=SLOW,
        ),
    )
)
LATENCY_TICKET = " or ".join(
    (
        _slow(
            "model:model_prediction_latency_seconds:slow_ratio_rate1d",
            "model:model_prediction_latency_seconds:slow_ratio_rate2h",
            window="1d",
            factor=TICKET_FAST,
        ),
        _slow(
            "model:model_prediction_latency_seconds:slow_ratio_rate3d",
            "model:model_prediction_latency_seconds:slow_ratio_rate6h",
            window="3d",
            factor=TICKET_SLOW,
        ),
    )
)

ERRORS_SUMMARY = (
    "Model {{ $labels.model_name }} fails {{ $value | humanizePercentage }} of its calls"
)
ERRORS_TEXT = (
    "Model {{ $labels.model_name }} in job {{ $labels.job }} fails"
    " {{ $value | humanizePercentage }} of its calls: at this pace its error budget of 30 days is"
    " spent in {days} or less."
)
SLOW_SUMMARY = "{{ $value | humanizePercentage }} of the calls of model {{ $labels.model_name }}"
SLOW_SUMMARY += " take longer than {{ $labels.le }} s"
SLOW_TEXT = (
    "{{ $value | humanizePercentage }} of the calls of model {{ $labels.model_name }} in job"
    " {{ $labels.job }} take longer than {{ $labels.le }} s: at this pace its latency budget of 30"
    " days is spent in {days} or less."
)

BURN = (
    Alert(
        name="ModelErrorBudgetBurn",
        why="An hour and its last 5 minutes, or 6 hours and their last 30 minutes: it matters, and"
        " it still happens.",
        expr=ERRORS_PAGE,
        wait="2m",
        keep="10m",
        severity="critical",
        category="serving",
        summary=ERRORS_SUMMARY,
        description=ERRORS_TEXT.replace("{days}", "five days"),
        details=lookups.AVAILABILITY,
        dashboard=links.SERVING,
    ),
    Alert(
        name="ModelErrorBudgetBurn",
        why="A day and its last 2 hours, or 3 days and their last 6 hours: nobody has to get up.",
        expr=ERRORS_TICKET,
        wait="1h",
        keep="30m",
        severity="warning",
        category="serving",
        summary=ERRORS_SUMMARY,
        description=ERRORS_TEXT.replace("{days}", "thirty days"),
        details=lookups.AVAILABILITY,
        dashboard=links.SERVING,
    ),
    Alert(
        name="ModelLatencyBudgetBurn",
        why="The same of calls that take longer than the objective grants.",
        expr=LATENCY_PAGE,
        wait="2m",
        keep="10m",
        severity="critical",
        category="serving",
        summary=SLOW_SUMMARY,
        description=SLOW_TEXT.replace("{days}", "five days"),
        details=lookups.LATENCY,
        dashboard=links.SERVING,
    ),
    Alert(
        name="ModelLatencyBudgetBurn",
        why="A day and its last 2 hours, or 3 days and their last 6 hours.",
        expr=LATENCY_TICKET,
        wait="1h",
        keep="30m",
        severity="warning",
        category="serving",
        summary=SLOW_SUMMARY,
        description=SLOW_TEXT.replace("{days}", "thirty days"),
        details=lookups.LATENCY,
        dashboard=links.SERVING,
    ),
    Alert(
        name="ModelLatencyObjectiveUnmatched",
        why="Without the bucket nothing is slow, and silence would look like health.",
        expr="""
            model:model_objective_latency:ratio
            and on (model_name)
            model_prediction_latency_seconds_count
            unless on (model_name, le)
            model_prediction_latency_seconds_bucket
        """,
        wait="15m",
        keep="15m",
        severity="info",
        category="monitoring",
        summary="The latency objective of model {{ $labels.model_name }} is not judged",
        description="The objective of model {{ $labels.model_name }} speaks of {{ $labels.le }} s,"
        " and model_prediction_latency_seconds has no bucket that ends there.",
        dashboard=links.SERVING,
    ),
)

GROUPS = (Group("model-exporter.budget", BURN),)
"""Critical and warning have one name: the routes have the former cover the latter."""
