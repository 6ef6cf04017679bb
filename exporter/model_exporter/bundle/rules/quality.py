"""Alerts about quality and the labels that it rests on; they need the exporter job."""

from model_exporter.bundle import links, thresholds
from model_exporter.bundle.rules.rule import Alert, Group

COVERAGE = 'model_label_coverage_ratio{segment="", segment_value="", model_version!="all"}'
ROWS = 'model_window_predictions{segment="", segment_value="", model_version!="all"}'

QUALITY = (
    Alert(
        name="ModelQualityBelowExpectation",
        why="The whole confidence interval lies beyond the bound: harm, not chance. One alert a"
        " score and window, so that a long window can be silenced while it forgets.",
        expr="""
            max without (instance, pod) (
              model_expectation_violated{segment="", segment_value="", model_version!="all"}
            ) == 1
        """,
        wait="15m",
        keep="1h",
        severity="critical",
        category="quality",
        summary="{{ $labels.score }} of model {{ $labels.model_name }} is beyond its expected"
        " {{ $labels.bound }}",
        description="Over {{ $labels.window }} the whole 95 % confidence interval of"
        " {{ $labels.score }} of model {{ $labels.model_name }} version {{ $labels.model_version }}"
        " lies beyond the {{ $labels.bound }} that its configuration expects.",
        dashboard=links.QUALITY,
    ),
    Alert(
        name="ModelSegmentQualityBelowExpectation",
        why="Of many segments one is beyond its bound by chance now and then, hence no page.",
        expr="""
            max without (instance, pod) (
              model_expectation_violated{segment!="", model_version!="all"}
            ) == 1
        """,
        wait="1h",
        keep="1h",
        severity="warning",
        category="quality",
        summary="{{ $labels.score }} of model {{ $labels.model_name }} is beyond its expected"
        " {{ $labels.bound }} where {{ $labels.segment }} is {{ $labels.segment_value }}",
        description="Over {{ $labels.window }} the whole 95 % confidence interval of"
        " {{ $labels.score }} of model {{ $labels.model_name }} version {{ $labels.model_version }}"
        " lies beyond the expected {{ $labels.bound }} in the segment {{ $labels.segment }} ="
        " {{ $labels.segment_value }}.",
        dashboard=links.QUALITY,
    ),
    Alert(
        name="ModelChallengerWorse",
        why="Worse than the champion beyond chance, by any score in any window, corrected for the"
        " number of scores. Nobody is paged: a challenger is there to be found out.",
        expr="""
            max without (score, window, pairing, instance, pod) (model_version_worse) == 1
        """,
        wait="1h",
        keep="1h",
        severity="warning",
        category="quality",
        summary="Version {{ $labels.model_version }} of model {{ $labels.model_name }} is worse"
        " than version {{ $labels.champion }}",
        description="In at least one window version {{ $labels.model_version }} of model"
        " {{ $labels.model_name }} scores worse than its champion, version"
        " {{ $labels.champion }}, by more than chance explains.",
        dashboard=links.QUALITY,
    ),
)

LABELS = (
    Alert(
        name="ModelLabelsStale",
        why="No newer label while predictions go on; a model that nobody calls needs no labels.",
        expr=f"""
            time() - max without (instance, pod) (model_newest_label_timestamp_seconds)
              > {thresholds.LABELS_STALE_SECONDS}
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
        why="Half of the coverage of a week before, in the window that is best covered: short"
        " windows are never full of slow labels, and some models are labelled by sample only.",
        expr=f"""
            max without (window, instance, pod) (
              {COVERAGE}
              and
              {ROWS}
                >= {thresholds.DRIFT_ROWS}
            )
            < {thresholds.COVERAGE_FRACTION} * max without (window, instance, pod) (
              avg_over_time({COVERAGE}[1d] offset 1w)
            )
        """,
        wait="6h",
        keep="1h",
        severity="warning",
        category="labels",
        summary="Only {{ $value | humanizePercentage }} of the predictions of model"
        " {{ $labels.model_name }} have a label",
        description="{{ $value | humanizePercentage }} of the predictions of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} have a label, less than half"
        " of what it was a week ago. Scores rest on fewer rows, and perhaps on unlike ones.",
        dashboard=links.QUALITY,
    ),
)

GROUPS = (
    Group("model-exporter.quality", QUALITY),
    Group("model-exporter.labels", LABELS),
)
