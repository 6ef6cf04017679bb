"""Alerts about the monitoring itself: silence is not health."""

from model_exporter.bundle import links, thresholds
from model_exporter.bundle.rules.rule import Alert, Group

LEVEL = "namespace, job, model_name, model_version"
SOURCE = "namespace, job, model_name, source"

MONITORING = (
    Alert(
        name="ModelSourceDown",
        why="While a source cannot be read its last values are kept, and look healthy.",
        expr="max without (instance, pod) (max_over_time(model_source_up[10m])) == 0",
        wait="5m",
        keep="30m",  # longer than it takes to see that the exporter itself is gone
        severity="warning",
        category="monitoring",
        summary="The exporter cannot read {{ $labels.source }} of model {{ $labels.model_name }}",
        description="No read of source {{ $labels.source }} of model {{ $labels.model_name }} has"
        " succeeded for 15 minutes. What is shown of it is from before.",
        dashboard=links.MONITORING_HEALTH,
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
        dashboard=links.MONITORING_HEALTH,
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
        dashboard=links.MONITORING_HEALTH,
    ),
    Alert(
        name="ModelTelemetryErrors",
        why="Errors of ours that were kept from the model; what they should have counted is lost.",
        expr=f"""
            sum by ({LEVEL}, stage) (increase(model_exporter_internal_errors_total[15m])) > 0
        """,
        wait="15m",
        keep="15m",
        severity="warning",
        category="monitoring",
        summary="Telemetry of model {{ $labels.model_name }} fails: {{ $labels.stage }}",
        description="In the stage {{ $labels.stage }} of the telemetry of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }}"
        ' {{ $value | printf "%.0f" }} errors were kept from the model in the last 15 minutes.',
        dashboard=links.MONITORING_HEALTH,
    ),
    Alert(
        name="ModelShardsSkipped",
        why="Counts of workers that a scrape had to leave out: every rate is too low by them.",
        expr=f"""
            max by ({LEVEL}, reason) (max_over_time(model_exporter_shards_skipped[15m])) > 0
        """,
        wait="15m",
        keep="15m",
        severity="warning",
        category="monitoring",
        summary="Counts of worker processes of model {{ $labels.model_name }} are left out:"
        " {{ $labels.reason }}",
        description='{{ $value | printf "%.0f" }} files of counts of model {{ $labels.model_name }}'
        " version {{ $labels.model_version }} could not be used ({{ $labels.reason }}). Traffic,"
        " errors and drift are shown without them.",
        dashboard=links.MONITORING_HEALTH,
    ),
    Alert(
        name="ModelShardsDegraded",
        why="A worker counts in its own memory: a scrape sees one worker or the other.",
        expr=f"max by ({LEVEL}) (max_over_time(model_exporter_shards_degraded[15m])) == 1",
        wait="15m",
        keep="15m",
        severity="warning",
        category="monitoring",
        summary="A worker of model {{ $labels.model_name }} cannot share its counts",
        description="A worker process of model {{ $labels.model_name }} version"
        " {{ $labels.model_version }} cannot use the multiprocess directory (full, read-only or"
        " gone). Its counts are missing in most scrapes.",
        dashboard=links.MONITORING_HEALTH,
    ),
    Alert(
        name="ModelInvalidRecords",
        why="Records that cannot be used are kept in quarantine and counted nowhere else.",
        expr=f"""
            sum by ({SOURCE}) (increase(model_source_invalid_total[1h]))
            / (sum by ({SOURCE}) (increase(model_source_rows_total[1h])) > 0)
            > {thresholds.INVALID_RECORDS_RATIO}
            and
            sum by ({SOURCE}) (increase(model_source_invalid_total[1h]))
              >= {thresholds.INVALID_RECORDS}
        """,
        wait="15m",
        keep="30m",
        severity="warning",
        category="monitoring",
        summary="{{ $value | humanizePercentage }} of the {{ $labels.source }} of model"
        " {{ $labels.model_name }} cannot be used",
        description="{{ $value | humanizePercentage }} of the records that the exporter has read"
        " from the source {{ $labels.source }} of model {{ $labels.model_name }} in the last hour"
        " are invalid. They are in quarantine, and in no score.",
        dashboard=links.MONITORING_HEALTH,
    ),
    Alert(
        name="ModelBaselineMissing",
        why="A version without a baseline, of a model that has had one within a week: deployed"
        " without it, and without drift or data quality.",
        expr=f"""
            max by ({LEVEL}) (model_info{{baseline=""}}) == 1
            and on (namespace, job, model_name)
            last_over_time(model_info{{baseline!=""}}[1w])
        """,
        wait="30m",
        keep="15m",
        severity="warning",
        category="monitoring",
        summary="Version {{ $labels.model_version }} of model {{ $labels.model_name }} has no"
        " baseline",
        description="Version {{ $labels.model_version }} of model {{ $labels.model_name }} runs"
        " without a baseline, unlike others of it within a week: neither its drift nor its invalid"
        " values are seen.",
        dashboard=links.MONITORING_HEALTH,
    ),
    Alert(
        name="ModelBaselineUnlike",
        why="Replicas of one version that compare with unlike baselines; their bins do not add up.",
        expr=f"""
            count by ({LEVEL}) (
              count by ({LEVEL}, baseline) (model_info{{baseline!=""}})
            ) > 1
        """,
        wait="30m",
        keep="15m",
        severity="warning",
        category="monitoring",
        summary="Replicas of model {{ $labels.model_name }} {{ $labels.model_version }} have"
        " unlike baselines",
        description="Version {{ $labels.model_version }} of model {{ $labels.model_name }} runs"
        ' with {{ $value | printf "%.0f" }} unlike baselines. Sums over its replicas mean nothing'
        " until one is deployed everywhere.",
        dashboard=links.MONITORING_HEALTH,
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
        dashboard=links.MONITORING_HEALTH,
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
        dashboard=links.MONITORING_HEALTH,
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
