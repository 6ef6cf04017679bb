"""Alerts about data that arrive broken: missing, invalid, unseen, of another shape, or old.

Of the model servers and of the exporter job, whoever sees it: one alert a feature.
"""

from model_exporter.bundle import links, thresholds
from model_exporter.bundle.rules.rule import Alert, Group

PER_WINDOW = "namespace, job, model_name, model_version, window"
VERSION = "model_name, model_version"
LEVEL = "namespace, job, model_name, model_version"
COLUMN = "namespace, job, model_name, feature, reason"

DATA = (
    Alert(
        name="ModelFeatureMissing",
        why="Missing far more often than a week ago, or nearly always. From the log or from the"
        " model servers; one alert a feature, whoever sees it.",
        expr=f"""
            max by ({VERSION}, feature) (
              (
                model_missing_ratio{{model_version!="all"}}
                  > {thresholds.MISSING_RISE}
                  + 2 * (model_missing_ratio{{model_version!="all"}} offset 1w)
                or
                model_missing_ratio{{model_version!="all"}} > {thresholds.MISSING_BROKEN}
              )
              and on ({PER_WINDOW})
              model_window_predictions{{segment="", segment_value=""}} >= {thresholds.DRIFT_ROWS}
            )
            or
            max by ({VERSION}, feature) (
              model_version_feature:model_feature_missing:ratio_rate1h
                > {thresholds.MISSING_RISE}
                + 2 * (model_version_feature:model_feature_missing:ratio_rate1h offset 1w)
              or
              model_version_feature:model_feature_missing:ratio_rate1h
                > {thresholds.MISSING_BROKEN}
            )
        """,
        wait="15m",
        keep="30m",
        severity="warning",
        category="data",
        summary="Feature {{ $labels.feature }} of model {{ $labels.model_name }} is missing in"
        " {{ $value | humanizePercentage }} of its rows",
        description="Feature {{ $labels.feature }} of model {{ $labels.model_name }} version"
        " {{ $labels.model_version }} is missing in {{ $value | humanizePercentage }} of the rows,"
        " far more than a week ago or nearly always. A join or a field upstream has probably"
        " broken.",
        dashboard=links.DATA_QUALITY,
    ),
    Alert(
        name="ModelFeatureInvalid",
        why="Values out of the baseline's range, of another type, infinite or against a declared"
        " constraint, far more often than a week ago.",
        expr=f"""
            max by ({VERSION}, feature) (
              (
                model_out_of_range_ratio{{model_version!="all"}} > {thresholds.INVALID_RISE}
                unless
                model_out_of_range_ratio{{model_version!="all"}}
                  <= {thresholds.INVALID_RISE}
                  + 2 * (model_out_of_range_ratio{{model_version!="all"}} offset 1w)
              )
              and on ({PER_WINDOW})
              model_window_predictions{{segment="", segment_value=""}} >= {thresholds.DRIFT_ROWS}
            )
            or
            max by ({VERSION}, feature) (
              model_version_feature:model_feature_invalid:ratio_rate1h{{reason!="unseen"}}
                > {thresholds.INVALID_RISE}
              unless
              model_version_feature:model_feature_invalid:ratio_rate1h{{reason!="unseen"}}
                <= {thresholds.INVALID_RISE}
                + 2 * (
                  model_version_feature:model_feature_invalid:ratio_rate1h{{reason!="unseen"}}
                  offset 1w
                )
            )
        """,
        wait="15m",
        keep="30m",
        severity="warning",
        category="data",
        summary="{{ $value | humanizePercentage }} of the values of feature"
        " {{ $labels.feature }} of model {{ $labels.model_name }} are invalid",
        description="{{ $value | humanizePercentage }} of the values of feature"
        " {{ $labels.feature }} of model {{ $labels.model_name }} version"
        " {{ $labels.model_version }} are out of range, of another type, infinite or against a"
        " constraint, far more than a week ago. A unit or a type upstream has probably changed.",
        dashboard=links.DATA_QUALITY,
    ),
    Alert(
        name="ModelUnseenCategory",
        why="New categories come with time; that more than one value in a hundred is new is worth"
        " knowing in office hours.",
        expr=f"""
            max by ({VERSION}, feature) (
              (
                model_unseen_ratio{{model_version!="all"}} > {thresholds.UNSEEN_RISE}
                unless
                model_unseen_ratio{{model_version!="all"}}
                  <= {thresholds.UNSEEN_RISE}
                  + 2 * (model_unseen_ratio{{model_version!="all"}} offset 1w)
              )
              and on ({PER_WINDOW})
              model_window_predictions{{segment="", segment_value=""}} >= {thresholds.DRIFT_ROWS}
            )
            or
            max by ({VERSION}, feature) (
              model_version_feature:model_feature_invalid:ratio_rate1h{{reason="unseen"}}
                > {thresholds.UNSEEN_RISE}
              unless
              model_version_feature:model_feature_invalid:ratio_rate1h{{reason="unseen"}}
                <= {thresholds.UNSEEN_RISE}
                + 2 * (
                  model_version_feature:model_feature_invalid:ratio_rate1h{{reason="unseen"}}
                  offset 1w
                )
            )
        """,
        wait="30m",
        keep="30m",
        severity="info",
        category="data",
        summary="Feature {{ $labels.feature }} of model {{ $labels.model_name }} has categories"
        " that its baseline has not",
        description="{{ $value | humanizePercentage }} of the values of feature"
        " {{ $labels.feature }} of model {{ $labels.model_name }} version"
        " {{ $labels.model_version }} are of categories that the baseline has not seen.",
        dashboard=links.DATA_QUALITY,
    ),
    Alert(
        name="ModelSchemaMismatch",
        why="Rows that lack a feature; or that bring a column which the model, called a day ago,"
        " was not given then. Ids and the like, which come along from the start, are no news.",
        expr=f"""
            (
              sum by ({LEVEL}, feature, reason) (increase(model_schema_mismatch_total[1h]))
              / on ({LEVEL}) group_left ()
              (sum by ({LEVEL}) (increase(model_predictions_total[1h])) >= {thresholds.DRIFT_ROWS})
              > {thresholds.SCHEMA_RATIO}
            )
            unless on ({COLUMN})
            sum by ({COLUMN}) (
              increase(model_schema_mismatch_total{{reason="extra_column"}}[1h] offset 1d)
            ) > 0
            unless on (namespace, job, model_name, reason)
            (
              max by (namespace, job, model_name, reason) (
                model_schema_mismatch_total{{reason="extra_column"}}
              )
              unless on (namespace, job, model_name)
              sum by (namespace, job, model_name) (
                increase(model_predictions_total[1h] offset 1d)
              ) > 0
            )
        """,
        wait="15m",
        keep="30m",
        severity="warning",
        category="data",
        summary="Rows for model {{ $labels.model_name }} are of another shape:"
        " {{ $labels.reason }} {{ $labels.feature }}",
        description="{{ $value | humanizePercentage }} of the rows given to model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} in the last hour differ from"
        " its baseline's columns ({{ $labels.reason }}: {{ $labels.feature }}).",
        dashboard=links.DATA_QUALITY,
    ),
    Alert(
        name="ModelInputStale",
        why="The model is called with old data: its features are no longer refreshed. Older than"
        " the configuration grants, or than a day.",
        expr=f"""
            time() - max by ({LEVEL}) (model_input_timestamp_seconds)
              > on (model_name) group_left ()
              (
                max by (model_name) (last_over_time(model_objective_input_age_seconds[1h]))
                or
                0 * max by (model_name) (model_input_timestamp_seconds)
                  + {thresholds.INPUT_STALE_SECONDS}
              )
            and
            sum by ({LEVEL}) (increase(model_prediction_requests_total[1h])) > 0
        """,
        wait="15m",
        keep="15m",
        severity="warning",
        category="data",
        summary="Model {{ $labels.model_name }} predicts from inputs that are"
        " {{ $value | humanizeDuration }} old",
        description="The newest input of model {{ $labels.model_name }} version"
        " {{ $labels.model_version }} is {{ $value | humanizeDuration }} old while it is being"
        " called. The pipeline that refreshes its features has probably stopped.",
        dashboard=links.DATA_QUALITY,
    ),
)

GROUPS = (Group("model-exporter.data", DATA),)
