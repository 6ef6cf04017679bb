"""Error budgets: how fast calls that fail, or take too long, spend what the objective leaves.

Several windows, as in chapter 5 of Google's SRE workbook: the long one says that it matters, the
short one that it still happens. Long windows are sums over the recorded rates of 5 minutes, exact
by calls and cheap whatever the number of replicas.
"""

from model_exporter.bundle.rules.objectives import Objectives
from model_exporter.bundle.rules.rule import Group, Recording

MODEL = "namespace, job, model_name"
KNOWN = f"max by ({MODEL}) (last_over_time(model_info[1d]))"

RATES = (
    Recording(
        record="model:model_prediction_requests:rate5m",
        why="Calls per second of a model, over versions and replicas.",
        expr=f"sum by ({MODEL}) (rate(model_prediction_requests_total[5m]))",
    ),
    Recording(
        record="model:model_prediction_errors:rate5m",
        why="Failed calls per second; 0 where nothing has failed yet, which has no series.",
        expr=f"""
            sum by ({MODEL}) (rate(model_prediction_errors_total[5m]))
            or
            0 * model:model_prediction_requests:rate5m
        """,
    ),
    Recording(
        record="model:model_prediction_latency_seconds:slow_rate5m",
        why="Calls per second that took longer than the objective grants; of models with one.",
        expr=f"""
            sum by ({MODEL}) (rate(model_prediction_latency_seconds_count[5m]))
            - on ({MODEL}) group_right ()
            (
              sum by ({MODEL}, le) (rate(model_prediction_latency_seconds_bucket[5m]))
              and on (model_name, le)
              model:model_objective_latency:ratio
            )
        """,
    ),
)

TRAFFIC = (
    Recording(
        record="model:model_prediction_requests:zscore1d",
        why="Standard deviations from the mean of a day; none where traffic never changes.",
        expr="""
            (
              model:model_prediction_requests:rate5m
              - avg_over_time(model:model_prediction_requests:rate5m[1d])
            )
            / (stddev_over_time(model:model_prediction_requests:rate5m[1d]) > 0)
        """,
    ),
    Recording(
        record="model:model_prediction_requests:ratio_1w",
        why="Against the hour around this time a week ago.",
        expr="""
            model:model_prediction_requests:rate5m
            / (avg_over_time(model:model_prediction_requests:rate5m[1h] offset 167h30m) > 0)
        """,
    ),
)


def objectives(slo: Objectives) -> tuple[Recording, ...]:
    """Return the objectives of every model: its configuration's, else those of the flags."""
    latency = """
        max by (model_name, le) (
          label_replace(
            last_over_time(model_objective_latency_ratio[1h]), "le", "$1", "seconds", "(.+)"
          )
        )
    """
    if slo.latency is not None:
        latency = f"""
            {latency.strip()}
            or on (model_name)
            max by (model_name, le) (
              label_replace({slo.latency.ratio!r} * {KNOWN}, "le", "{slo.latency.le}", "", "")
            )
        """
    return (
        Recording(
            record="model:model_objective_availability:ratio",
            why="From the job's configuration, also while it restarts; else the default.",
            expr=f"""
                {KNOWN}
                * on (model_name) group_left ()
                max by (model_name) (last_over_time(model_objective_availability_ratio[1h]))
                or
                {slo.availability!r} * {KNOWN}
            """,
        ),
        Recording(
            record="model:model_objective_latency:ratio",
            why="The same of latency; le is the bucket that the objective names.",
            expr=latency,
        ),
    )


def _ratios(bad: str, *ratios: tuple[str, str]) -> tuple[Recording, ...]:
    """Return the share of bad calls by window, each with its own name."""
    return tuple(
        Recording(
            record=record,
            why=f"Share of the calls of {window}.",
            expr=f"""
                sum_over_time({bad}[{window}])
                / on ({MODEL}) group_left ()
                (sum_over_time(model:model_prediction_requests:rate5m[{window}]) > 0)
            """,
        )
        for window, record in ratios
    )


def _current(bad: str, record: str) -> Recording:
    return Recording(
        record=record,
        why="Share of the calls of 5 minutes.",
        expr=f"{bad} / on ({MODEL}) group_left () (model:model_prediction_requests:rate5m > 0)",
    )


ERROR_RATIOS = (
    _current("model:model_prediction_errors:rate5m", "model:model_prediction_errors:ratio_rate5m"),
    *_ratios(
        "model:model_prediction_errors:rate5m",
        ("30m", "model:model_prediction_errors:ratio_rate30m"),
        ("1h", "model:model_prediction_errors:ratio_rate1h"),
        ("2h", "model:model_prediction_errors:ratio_rate2h"),
        ("6h", "model:model_prediction_errors:ratio_rate6h"),
        ("1d", "model:model_prediction_errors:ratio_rate1d"),
        ("3d", "model:model_prediction_errors:ratio_rate3d"),
    ),
)
SLOW_RATIOS = (
    _current(
        "model:model_prediction_latency_seconds:slow_rate5m",
        "model:model_prediction_latency_seconds:slow_ratio_rate5m",
    ),
    *_ratios(
        "model:model_prediction_latency_seconds:slow_rate5m",
        ("30m", "model:model_prediction_latency_seconds:slow_ratio_rate30m"),
        ("1h", "model:model_prediction_latency_seconds:slow_ratio_rate1h"),
        ("2h", "model:model_prediction_latency_seconds:slow_ratio_rate2h"),
        ("6h", "model:model_prediction_latency_seconds:slow_ratio_rate6h"),
        ("1d", "model:model_prediction_latency_seconds:slow_ratio_rate1d"),
        ("3d", "model:model_prediction_latency_seconds:slow_ratio_rate3d"),
    ),
)
BUDGETS = (
    *_ratios(
        "model:model_prediction_errors:rate5m",
        ("30d", "model:model_prediction_errors:ratio_rate30d"),
    ),
    Recording(
        record="model:model_prediction_errors:budget_remaining_ratio",
        why="1 is a whole budget, 0 a spent one, below it the objective is missed.",
        expr="""
            1 - model:model_prediction_errors:ratio_rate30d
            / (1 - model:model_objective_availability:ratio)
        """,
    ),
    *_ratios(
        "model:model_prediction_latency_seconds:slow_rate5m",
        ("30d", "model:model_prediction_latency_seconds:slow_ratio_rate30d"),
    ),
    Recording(
        record="model:model_prediction_latency_seconds:budget_remaining_ratio",
        why="The same of latency.",
        expr="""
            1 - model:model_prediction_latency_seconds:slow_ratio_rate30d
            / on (model_name, le) group_left ()
            (1 - model:model_objective_latency:ratio)
        """,
    ),
)


def groups(slo: Objectives) -> tuple[Group, ...]:
    """Return the recording groups; `slo` are the objectives where no configuration names any.

    A sample a minute: the burn alerts count calls by it.
    """
    return (
        Group(
            "model-exporter.slo.recording",
            (*objectives(slo), *RATES, *TRAFFIC, *ERROR_RATIOS, *SLOW_RATIOS),
            "1m",
        ),
        # Within Prometheus's lookback of 5 minutes, and seldom enough for sums over 30 days.
        Group("model-exporter.budget.recording", BUDGETS, "3m"),
    )
