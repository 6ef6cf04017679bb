"""Alerts about the monitoring itself: silence is not health."""

from model_exporter.bundle import thresholds
from model_exporter.bundle.rules.rule import Alert, Group

LEVEL = "namespace, job, model_name, model_version"

MONITORING = (
    Alert(
        name="ModelSourceDown",
        why="While a source cannot be read its last values are kept, and look healthy.",
        expr="max without (instance, pod) (max_over_time(model_source_up[10m])) == 0",
        wait="5m",
        keep="10m",
        severity="warning",
        category="monitoring",
        summary="The exporter cannot read {{ $labels.source }} of model {{ $labels.model_name }}",
        description="No read of source {{ $labels.source }} of model {{ $labels.model_name }} has"
        " succeeded for 15 minutes. What is shown of it is from before.",
    ),
    Alert(
        name="ModelExporterStale",
        why="Evaluated too long ago; or not served any more while no exporter of that job answers;"
        " or never evaluated at all.",
        expr=f"""
            time() - max without (instance, pod) (model_evaluation_last_success_timestamp_seconds)
              > {thresholds.EVALUATION_STALE_SECONDS}
            or
            (
              time() - max without (instance, pod) (
                last_over_time(model_evaluation_last_success_timestamp_seconds[1d])
              ) > {thresholds.EVALUATION_STALE_SECONDS}
              unless on (namespace, job)
              up == 1
            )
            or
            (
              max without (instance, pod, source) (model_source_up)
              unless on (namespace, job, model_name)
              model_evaluation_last_success_timestamp_seconds
            )
        """,
        wait="5m",
        keep="10m",
        severity="warning",
        category="monitoring",
        summary="Model {{ $labels.model_name }} is not being evaluated",
        description="The exporter job {{ $labels.job }} has not evaluated model"
        " {{ $labels.model_name }} for more than 15 minutes. Quality and drift are from before.",
    ),
    Alert(
        name="ModelTelemetryDropped",
        why="Dropping is right under pressure, and must be seen: what is dropped is not counted.",
        expr=f"""
            sum by ({LEVEL}, reason) (increase(model_exporter_dropped_total[15m]))
            / on ({LEVEL}) group_left ()
            sum by ({LEVEL}) (increase(model_predictions_total[15m]))
            > {thresholds.DROPPED_RATIO}
        """,
        wait="15m",
        keep="15m",
        severity="warning",
        category="monitoring",
        summary="Telemetry of model {{ $labels.model_name }} is dropped: {{ $labels.reason }}",
        description="{{ $value | humanizePercentage }} of the rows of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} were dropped from telemetry"
        " in the last 15 minutes, because of {{ $labels.reason }}. Predictions are not affected.",
    ),
    Alert(
        name="ModelExporterConfigReloadFailed",
        why="The exporter goes on with the configuration it had.",
        expr="max_over_time(model_exporter_config_last_reload_successful[5m]) == 0",
        wait="5m",
        keep="0m",
        severity="warning",
        category="monitoring",
        summary="{{ $labels.instance }} has refused its new configuration",
        description="The exporter {{ $labels.instance }} could not load its configuration and runs"
        " with the one it had before. Its log names file, line and key.",
        of_model=False,
    ),
    Alert(
        name="ModelRetrainingFailed",
        why="A retraining that was due and may not have begun is noticed by nobody else. The"
        " counter outlives the exporter, so that what its end cut off counts when it is back.",
        expr="""
            sum without (instance, pod, outcome) (
              increase(model_retraining_requests_total{outcome=~"failed|unknown"}[1h])
            ) > 0
        """,
        wait="1m",
        keep="15m",
        severity="warning",
        category="monitoring",
        summary="A retraining of model {{ $labels.model_name }} was due and may not have begun",
        description="The exporter requested a retraining of model {{ $labels.model_name }}, and the"
        " service refused, was not reached, or was cut off before it answered. The audit log"
        " retraining.jsonl in the state directory says which.",
    ),
    Alert(
        name="Watchdog",
        why="Always fires, so that its absence tells that the way of alerts is broken.",
        expr="vector(1)",
        wait="0m",
        keep="0m",
        severity="none",
        category="monitoring",
        summary="Alerts get through",
        description="This alert always fires. Whoever receives it should complain when it stops.",
        of_model=False,
    ),
)

GROUPS = (Group("model-exporter.monitoring", MONITORING),)
