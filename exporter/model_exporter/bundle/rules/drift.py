"""Alerts about inputs and outputs that differ from the baseline.

Drift is a reason to look, not harm done: one feature never pages. `model_version="all"` pools
versions whose own series stand beside it, and would fire everything twice. `instance` and `pod` of
the exporter are dropped: its restart must not make a new alert of an old one.
"""

from model_exporter.bundle import links, thresholds
from model_exporter.bundle.rules.rule import Alert, Group

PER_WINDOW = "job, instance, model_name, model_version, window"
VERSION = "model_name, model_version"

DRIFT = (
    Alert(
        name="ModelFeatureDrift",
        why="The job's drift test, in any of its windows: enough rows, more than the tolerance, and"
        " as few false alarms a month as configured. The value is the PSI.",
        expr="""
            max without (window, instance, pod) (
              model_drift_psi{subject="feature", model_version!="all"}
              and
              model_drift_detected{subject="feature", model_version!="all"} == 1
            )
        """,
        wait="30m",
        keep="30m",
        severity="warning",
        category="drift",
        summary="Feature {{ $labels.feature }} of model {{ $labels.model_name }} has drifted",
        description="The population stability index of feature {{ $labels.feature }} of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} is"
        ' {{ $value | printf "%.3f" }} in its worst window that differs by more than tolerance'
        " and chance explain.",
        dashboard=links.QUALITY,
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
        wait="30m",
        keep="30m",
        severity="warning",
        category="drift",
        summary="The {{ $labels.subject }} {{ $labels.feature }} of model {{ $labels.model_name }}"
        " has drifted within 6 hours",
        description="The population stability index of {{ $labels.subject }} {{ $labels.feature }}"
        " of model {{ $labels.model_name }} version {{ $labels.model_version }} over the last 6"
        f' hours is {{{{ $value | printf "%.3f" }}}} (drift from {thresholds.PSI_DRIFT}).',
        dashboard=links.QUALITY,
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
                  model_drift_psi{{subject="feature", model_version!="all"}}
                    > {thresholds.PSI_DRIFT}
                  and
                  model_drift_detected{{subject="feature", model_version!="all"}} == 1
                ) >= {thresholds.WIDESPREAD_FEATURES}
              )
              / on ({PER_WINDOW})
              count by ({PER_WINDOW}) (
                model_drift_detected{{subject="feature", model_version!="all"}}
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
        dashboard=links.QUALITY,
    ),
    Alert(
        name="ModelPredictionDrift",
        why="What the model says has moved; before labels come, the nearest thing to harm.",
        expr="""
            max without (window, instance, pod) (
              model_drift_psi{subject=~"prediction|score", model_version!="all"}
              and
              model_drift_detected{subject=~"prediction|score", model_version!="all"} == 1
            )
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
        dashboard=links.QUALITY,
    ),
)

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
        dashboard=links.QUALITY,
    ),
)

GROUPS = (
    Group("model-exporter.drift", DRIFT),
    Group("model-exporter.data", DATA),
)
