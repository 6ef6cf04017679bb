"""Alerts about inputs and outputs that differ from the baseline.

Drift is a reason to look, not harm done: one feature never pages. `model_version="all"` pools
versions whose own series stand beside it, and would fire everything twice.
"""

from model_exporter.bundle import links, thresholds
from model_exporter.bundle.rules import lookups
from model_exporter.bundle.rules.rule import Alert, Group

PER_WINDOW = "namespace, job, model_name, model_version, window"
VERSION = "model_name, model_version"
WHOLE = 'segment="", segment_value="", model_version!="all"'
JUDGED = 'subject="feature", model_version!="all"'
REALISED = (
    f"{WHOLE}, "
    'score=~"accuracy|balanced_accuracy|precision|recall|f1|specificity|roc_auc|average_precision"'
)
"""Scores from 0 to 1 that are good when high: what is far off is the same for all of them."""

DRIFT = (
    Alert(
        name="ModelFeatureDrift",
        why="The job's drift test, in any of its windows: enough rows, more than the tolerance, and"
        " as few false alarms a month as configured. It waits longer than a widespread drift, which"
        " then speaks for all of them. The value is the PSI.",
        expr="""
            max without (window) (model_version:model_drift_psi:detected{subject="feature"}) > 0
        """,
        wait="1h",
        keep="30m",
        severity="warning",
        category="drift",
        summary="Feature {{ $labels.feature }} of model {{ $labels.model_name }} has drifted",
        description="The population stability index of feature {{ $labels.feature }} of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} is"
        ' {{ $value | printf "%.3f" }} in its worst window that differs by more than tolerance'
        " and chance explain.",
        details=lookups.CRITICAL_PSI,
        dashboard=links.DRIFT,
    ),
    Alert(
        name="ModelSidecarDrift",
        why="From the model servers themselves, for whoever runs no exporter job: six hours have"
        " moved, unless the last hour is back. Any subject: feature, prediction or score.",
        expr=f"""
            model_version_feature:model_drift_psi:6h > {thresholds.PSI_DRIFT}
            unless
            model_version_feature:model_drift_psi:1h <= {thresholds.PSI_DRIFT}
        """,
        wait="1h",
        keep="30m",
        severity="warning",
        category="drift",
        summary="The {{ $labels.subject }} {{ $labels.feature }} of model {{ $labels.model_name }}"
        " has drifted within 6 hours",
        description="The population stability index of {{ $labels.subject }} {{ $labels.feature }}"
        " of model {{ $labels.model_name }} version {{ $labels.model_version }} over the last 6"
        f' hours is {{{{ $value | printf "%.3f" }}}} (drift from {thresholds.PSI_DRIFT}).',
        dashboard=links.DRIFT,
    ),
    Alert(
        name="ModelDriftWidespread",
        why="A third of the features, and three at least, is an upstream change: it pages, where"
        " the drift is not only certain but large. From the exporter job where there is one, else"
        " from the model servers.",
        expr=f"""
            max by ({VERSION}) (
              (
                count by ({PER_WINDOW}) (
                  model_version:model_drift_psi:detected{{subject="feature"}}
                    > {thresholds.PSI_DRIFT}
                ) >= {thresholds.WIDESPREAD_FEATURES}
              )
              / on ({PER_WINDOW})
              count by ({PER_WINDOW}) (
                max without (instance, pod) (
                  last_over_time(model_drift_detected{{{JUDGED}}}[1d])
                )
              )
            ) > {thresholds.WIDESPREAD_SHARE}
            or
            max by ({VERSION}) (
              (
                count by (namespace, job, {VERSION}) (
                  model_version_feature:model_drift_psi:6h{{subject="feature"}}
                    > {thresholds.PSI_DRIFT}
                ) >= {thresholds.WIDESPREAD_FEATURES}
              )
              / on (namespace, job, {VERSION})
              count by (namespace, job, {VERSION}) (
                model_version_feature:model_drift_psi:6h{{subject="feature"}}
              )
            ) > {thresholds.WIDESPREAD_SHARE}
        """,
        wait="30m",
        keep="30m",
        severity="critical",
        category="drift",
        summary="{{ $value | humanizePercentage }} of the features of model"
        " {{ $labels.model_name }} have drifted",
        description="{{ $value | humanizePercentage }} of the features of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} have a population stability"
        f" index above {thresholds.PSI_DRIFT}: its input has changed as a whole.",
        details=lookups.TOP_FEATURES,
        dashboard=links.DRIFT,
    ),
    Alert(
        name="ModelPredictionDrift",
        why="What the model says has moved; before labels come, the nearest thing to harm.",
        expr="""
            max without (window) (
              model_version:model_drift_psi:detected{subject=~"prediction|score"}
            ) > 0
        """,
        wait="30m",
        keep="30m",
        severity="warning",
        category="drift",
        summary="The {{ $labels.subject }} of model {{ $labels.model_name }} has drifted",
        description="The population stability index of the {{ $labels.subject }} of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} is"
        ' {{ $value | printf "%.3f" }} in its worst window that differs by more than tolerance'
        " and chance explain.",
        details=lookups.CRITICAL_PSI,
        dashboard=links.DRIFT,
    ),
    Alert(
        name="ModelLabelDrift",
        why="What is to be predicted has become more or less frequent; the model may be as good.",
        expr="""
            max without (window, feature) (
              model_version:model_drift_psi:detected{subject="label"}
            ) > 0
        """,
        wait="30m",
        keep="30m",
        severity="warning",
        category="drift",
        summary="The labels of model {{ $labels.model_name }} have drifted",
        description="The population stability index of the labels of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} is"
        ' {{ $value | printf "%.3f" }} in its worst window that differs by more than tolerance'
        " and chance explain.",
        dashboard=links.DRIFT,
    ),
    Alert(
        name="ModelConceptDrift",
        why="Inputs and labels go together otherwise than they did: a score is beyond its bound in"
        " a window whose features are as they were, or far from what the model's own scores"
        " promise. The error of an estimate grows as fewer rows have a label.",
        expr=f"""
            max by (namespace, job, {VERSION}) (
              (
                model_version:model_expectation_violated:held{{segment=""}}
                unless on ({PER_WINDOW})
                model_version:model_drift_psi:detected{{subject="feature"}}
              )
              and on ({PER_WINDOW})
              last_over_time(model_drift_detected{{{JUDGED}}}[1d])
              or
              (
                model_estimate_error{{{REALISED}}} < -{thresholds.ESTIMATE_ERRORS}
                  * model_estimate_sampling_error{{{REALISED}}}
                  / on ({PER_WINDOW}) group_left ()
                  sqrt(
                    max by ({PER_WINDOW}) (
                      model_label_coverage_ratio{{{WHOLE}}}
                    )
                  )
                and
                model_estimate_error{{{REALISED}}} < -{thresholds.ESTIMATE_SHARE}
                and on ({PER_WINDOW})
                model_window_labeled_predictions{{{WHOLE}}}
                  >= {thresholds.QUALITY_ROWS}
              )
            )
        """,
        wait="1h",
        keep="1h",
        severity="warning",
        category="drift",
        summary="What model {{ $labels.model_name }} has learnt no longer holds",
        description="Model {{ $labels.model_name }} version {{ $labels.model_version }} is worse"
        " than expected where its features have not drifted, or worse than its own scores promise:"
        " labels follow from features otherwise than they did, or the labels are wrong.",
        dashboard=links.QUALITY,
    ),
)

GROUPS = (Group("model-exporter.drift", DRIFT),)
