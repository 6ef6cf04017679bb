"""Queries that several panels show, and how those are made that draw a bounded number of lines."""

from model_exporter.bundle.families import SCORES
from model_exporter.bundle.selectors import (
    FEATURE_DRIFT,
    MODEL,
    PER_MODEL,
    USUAL_AVERAGE,
    VERSION,
    WHOLE,
)

LINES = 10
"""More lines in a panel cannot be told apart."""


def top(expr: str, rank: str, *, by: str, lines: int = LINES, best: str = "topk") -> str:
    """Return those series of `expr` whose `rank`, asked once for the whole time range, is greatest.

    `topk` alone chooses anew at every point in time, and draws far more lines than it was given.
    """
    return f"({expr}) and on ({by}) {best}({lines}, {rank})"


def top_gauge(selector: str, *, by: str, lines: int = LINES) -> str:
    """Return the gauges whose maximum in the time range is greatest."""
    return _top_gauge(f"max by ({by}) ({selector})", selector, by=by, lines=lines)


def top_state(selector: str, *, by: str, lines: int) -> str:
    """Return the same of states: what was between two points of a timeline shows, too."""
    expr = f"max by ({by}) (max_over_time({selector}[$__rate_interval]))"
    return _top_gauge(expr, selector, by=by, lines=lines)


def _top_gauge(expr: str, selector: str, *, by: str, lines: int) -> str:
    return top(
        expr,
        f"max by ({by}) (max_over_time({selector}[$__range] @ end()))",
        by=by,
        lines=lines,
    )


def lowest_gauge(selector: str, *, by: str, lines: int = LINES) -> str:
    """Return the gauges whose minimum in the time range is least."""
    return _lowest_gauge(f"min by ({by}) ({selector})", selector, by=by, lines=lines)


def lowest_state(selector: str, *, by: str, lines: int) -> str:
    """Return the same of states: what was between two points of a timeline shows, too."""
    expr = f"min by ({by}) (min_over_time({selector}[$__rate_interval]))"
    return _lowest_gauge(expr, selector, by=by, lines=lines)


def _lowest_gauge(expr: str, selector: str, *, by: str, lines: int) -> str:
    return top(
        expr,
        f"min by ({by}) (min_over_time({selector}[$__range] @ end()))",
        by=by,
        lines=lines,
        best="bottomk",
    )


def top_rate(selector: str, *, by: str, lines: int = LINES) -> str:
    """Return the counters that grow most in the time range, per second."""
    return top(
        f"sum by ({by}) (rate({selector}[$__rate_interval]))",
        f"sum by ({by}) (increase({selector}[$__range] @ end()))",
        by=by,
        lines=lines,
    )


def top_now(expr: str, *, by: str, lines: int = LINES, best: str = "topk") -> str:
    """Return those series of `expr` that are greatest at the end of the time range."""
    return top(expr, f"last_over_time(({expr})[2m:15s] @ end())", by=by, lines=lines, best=best)


def rate(selector: str, *, by: str) -> str:
    """Return the sum of counters per second."""
    return f"sum by ({by}) (rate({selector}[$__rate_interval]))"


def quantile(level: float, selector: str, *, by: str = "") -> str:
    """Return a quantile of a histogram whose buckets are `selector`."""
    labels = f"{by}, le" if by else "le"
    return (
        f"histogram_quantile({level}, sum by ({labels}) (rate({selector}[$__rate_interval]))) >= 0"
    )


def error_ratio(by: str, span: str = "", *, end: bool = False) -> str:
    """Return the share of failed calls: 0 where nothing failed, absent where nothing was called.

    Over `span`, or else the interval of a rate; with `end`, before the end of the time range.
    """
    over = f"increase({{}}[{span}]{' @ end()' if end else ''})"
    over = over if span else "rate({}[$__rate_interval])"
    failed = over.format(f"model_prediction_errors_total{{{VERSION}}}")
    calls = f"sum by ({by}) ({over.format(f'model_prediction_requests_total{{{VERSION}}}')})"
    return f"(sum by ({by}) ({failed}) or 0 * {calls}) / ({calls} > 0)"


def quantile_in_range(level: float) -> str:
    """Return a quantile of the latency of each model version over the whole time range."""
    calls = f"sum by ({PER_MODEL}, le) (increase({LATENCY_BUCKETS}[$__range] @ end()))"
    return f"histogram_quantile({level}, {calls}) >= 0"


LATENCY_BUCKETS = f"model_prediction_latency_seconds_bucket{{{VERSION}}}"
PREDICTION_RATE = rate(f"model_predictions_total{{{VERSION}}}", by=PER_MODEL)
ERROR_RATIO = error_ratio(PER_MODEL)
LATENCY_P99 = quantile(0.99, LATENCY_BUCKETS, by=PER_MODEL)
COVERAGE = f"max by ({PER_MODEL}) (model_label_coverage_ratio{{{WHOLE}}})"
VIOLATED = f"max by ({PER_MODEL}) (model_expectation_violated{{{WHOLE}}})"
DRIFTED_FEATURES = f"max by ({PER_MODEL}, feature) (model_drift_detected{{{FEATURE_DRIFT}}})"
DRIFTED = f"sum by ({PER_MODEL}) ({DRIFTED_FEATURES})"
DRIFT_BY_FEATURE = (
    f"max by ({PER_MODEL}, feature) (model_drift_psi{{{FEATURE_DRIFT}}})"
    f" / max by ({PER_MODEL}, feature) (model_drift_psi_critical{{{FEATURE_DRIFT}}})"
)
WORST_DRIFT = f"max by ({PER_MODEL}) ({DRIFT_BY_FEATURE})"


def named_scores(families: str, labels: str, *, pattern: str, by: str = "") -> str:
    """Return several score families as one, told apart by `score`, their name in expectations.

    The first group of `pattern` is that name.
    """
    selector = f'{{__name__=~"{families}", {labels}, {USUAL_AVERAGE}}}'
    named = f'label_replace({selector}, "score", "$1", "__name__", "{pattern}")'
    return f"max by ({by}score) ({named})"


SCORE = named_scores(
    SCORES, WHOLE, pattern="model_(.+?)(?:_ratio)?", by="model_name, model_version, "
)


def _bound(which: str) -> str:
    selector = f'model_expectation_threshold{{{MODEL}, bound="{which}"}}'
    return f"max by (model_name, score, bound) ({selector} > 0)"


HEADROOM = (
    f"({SCORE} / on (model_name, score) group_left (bound) {_bound('min')} - 1)"
    f" or (1 - {SCORE} / on (model_name, score) group_left (bound) {_bound('max')})"
)
"""How far a score is from its bound, as a share of the bound; below 0 it is beyond."""
