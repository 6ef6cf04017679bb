"""Alerts about the labels that quality rests on; they need the exporter job."""

from model_exporter.bundle import links, thresholds
from model_exporter.bundle.rules.rule import Alert, Group

COVERAGE = 'model_label_coverage_ratio{segment="", segment_value="", model_version!="all"}'
ROWS = 'model_window_predictions{segment="", segment_value="", model_version!="all"}'

LABELS = (
    Alert(
        name="ModelLabelsStale",
        why="No newer label, for longer than the configuration grants or two days, while"
        " predictions go on; a model that nobody calls needs no labels.",
        expr=f"""
            time() - max without (instance, pod) (model_newest_label_timestamp_seconds)
              > on (model_name) group_left ()
              (
                max by (model_name) (model_objective_label_delay_seconds)
                or
                0 * max by (model_name) (model_newest_label_timestamp_seconds)
                  + {thresholds.LABELS_STALE_SECONDS}
              )
            and
            time() - max without (instance, pod) (model_newest_prediction_timestamp_seconds)
              < {thresholds.LABELS_STALE_SECONDS}
        """,
        wait="30m",
        keep="30m",
        severity="warning",
        category="labels",
        summary="No new labels for model {{ $labels.model_name }} for"
        " {{ $value | humanizeDuration }}",
        description="The newest label of model {{ $labels.model_name }} is"
        " {{ $value | humanizeDuration }} old while it goes on predicting. Its quality is that of"
        " the past.",
        dashboard=links.QUALITY,
    ),
    Alert(
        name="ModelLabelCoverageLow",
        why="Below what the configuration wants, or half of the coverage of a week before, in the"
        " window that is best covered: short"
        " windows are never full of slow labels, and some models are labelled by sample only.",
        expr=f"""
            max without (window, instance, pod) (
              {COVERAGE}
              and
              {ROWS}
                >= {thresholds.DRIFT_ROWS}
            )
            < on (model_name) group_left ()
            max by (model_name) (model_objective_label_coverage_ratio)
            or
            (
              max without (window, instance, pod) (
                {COVERAGE}
                and
                {ROWS}
                  >= {thresholds.DRIFT_ROWS}
              )
              < {thresholds.COVERAGE_FRACTION} * max without (window, instance, pod) (
                avg_over_time({COVERAGE}[1d] offset 1w)
              )
              unless on (model_name)
              model_objective_label_coverage_ratio
            )
        """,
        wait="6h",
        keep="1h",
        severity="warning",
        category="labels",
        summary="Only {{ $value | humanizePercentage }} of the predictions of model"
        " {{ $labels.model_name }} have a label",
        description="{{ $value | humanizePercentage }} of the predictions of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} have a label, less than"
        " its configuration wants or half of what it was a week ago. Scores rest on fewer"
        " rows, and perhaps on unlike ones.",
        dashboard=links.QUALITY,
    ),
)

GROUPS = (Group("model-exporter.labels", LABELS),)
