"""Alerts about the model's process and its calls; they need the sidecar only."""

from model_exporter.bundle import links, thresholds
from model_exporter.bundle.rules.rule import Alert, Group

REPLICA = "namespace, job, instance, model_name"
MODEL = "namespace, job, model_name"

AVAILABILITY = (
    Alert(
        name="ModelDown",
        why="A model that was scraped within the last day and now is not, by no replica: all"
        " targets are down, or gone. Replaced versions do not count, the model does.",
        expr=f"""
            max by ({MODEL}) (last_over_time(model_info[1d]))
            unless on ({MODEL})
            model_info
        """,
        wait="5m",
        keep="5m",
        severity="critical",
        category="availability",
        summary="No replica of model {{ $labels.model_name }} can be scraped",
        description="No target of job {{ $labels.job }} has served metrics of model"
        " {{ $labels.model_name }} for 5 minutes. Its predictions have probably stopped.",
    ),
    Alert(
        name="ModelTargetDown",
        why="One replica; the others still answer, hence no page.",
        expr=f"""
            max by ({REPLICA}) (last_over_time(model_info[1d]))
            and on (namespace, job, instance)
            up == 0
        """,
        wait="10m",
        keep="5m",
        severity="warning",
        category="availability",
        summary="A replica of model {{ $labels.model_name }} cannot be scraped",
        description="Target {{ $labels.instance }} of job {{ $labels.job }} served model"
        " {{ $labels.model_name }} within the last day and has failed its scrapes for 10 minutes.",
    ),
    Alert(
        name="ModelNoTraffic",
        why="Busy at this time yesterday, not idle at this time a week ago where that is known, and"
        " silent now. Like hours are compared, for models that run in bursts; and all versions of a"
        " model together, because a replaced one falls silent.",
        expr=f"""
            sum by ({MODEL}) (increase(model_prediction_requests_total[1h])) == 0
            and
            sum by ({MODEL}) (increase(model_prediction_requests_total[1h] offset 1d))
              >= {thresholds.IDLE_CALLS}
            unless
            sum by ({MODEL}) (increase(model_prediction_requests_total[1h] offset 1w))
              < {thresholds.IDLE_CALLS}
        """,
        wait="15m",
        keep="0m",
        severity="warning",
        category="availability",
        summary="Model {{ $labels.model_name }} is up and not called",
        description="Model {{ $labels.model_name }} in job {{ $labels.job }} has had no call for an"
        " hour, unlike at this time yesterday. Something before the model has probably stopped.",
        dashboard=links.SERVING,
    ),
    Alert(
        name="ModelTrafficAnomaly",
        why="Two independent signs: far from the mean of a day by its own spread, and twice or half"
        " of this hour a week ago. Somebody should know, nobody has to act.",
        expr=f"""
            (
              model:model_prediction_requests:ratio_1w > {thresholds.TRAFFIC_FACTOR}
              or
              model:model_prediction_requests:ratio_1w < 1 / {thresholds.TRAFFIC_FACTOR}
            )
            and
            abs(model:model_prediction_requests:zscore1d) > {thresholds.TRAFFIC_DEVIATIONS}
            and
            sum by ({MODEL}) (increase(model_prediction_requests_total[1h] offset 1w))
              >= {thresholds.IDLE_CALLS}
        """,
        wait="30m",
        keep="30m",
        severity="info",
        category="availability",
        summary="Traffic of model {{ $labels.model_name }} is"
        " {{ $value | humanizePercentage }} of last week's",
        description="Model {{ $labels.model_name }} in job {{ $labels.job }} is called"
        " {{ $value | humanizePercentage }} as often as at this time a week ago, and far from its"
        " mean of a day by its own spread.",
        dashboard=links.SERVING,
    ),
)

SERVING = (
    Alert(
        name="ModelLatencyHigh",
        why="Against the same model's day before, so that no objective has to be known.",
        expr=f"""
            model_version:model_prediction_latency_seconds:p99_rate5m
            > {thresholds.LATENCY_FACTOR} * avg_over_time(
              model_version:model_prediction_latency_seconds:p99_rate5m[1d] offset 1d
            )
            and
            model_version:model_prediction_latency_seconds:p99_rate5m
            > {thresholds.LATENCY_FLOOR_SECONDS}
        """,
        wait="15m",
        keep="15m",
        severity="warning",
        category="serving",
        summary="Model {{ $labels.model_name }} {{ $labels.model_version }} is slower than it was",
        description="The 99th percentile of a call of model {{ $labels.model_name }} version"
        " {{ $labels.model_version }} is {{ $value | humanizeDuration }}, more than"
        f" {thresholds.LATENCY_FACTOR} times its average of the day before.",
        dashboard=links.SERVING,
    ),
)

GROUPS = (
    Group("model-exporter.availability", AVAILABILITY),
    Group("model-exporter.serving", SERVING),
)
