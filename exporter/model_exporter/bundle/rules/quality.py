"""Alerts about quality; they need the exporter job.

`model_version="all"` pools versions whose own series stand beside it, hence is left out.
"""

from model_exporter.bundle import links, thresholds
from model_exporter.bundle.rules import lookups
from model_exporter.bundle.rules.rule import Alert, Group

WHOLE = 'segment="", segment_value="", model_version!="all"'
WINDOW = "namespace, job, model_name, model_version, window"

QUALITY = (
    Alert(
        name="ModelQualityBelowExpectation",
        why="The whole confidence interval lies beyond the bound: harm, not chance. One alert a"
        " score and window, so that a long window can be silenced while it forgets.",
        expr='model_version:model_expectation_violated:held{segment=""} == 1',
        wait="15m",
        keep="1h",
        severity="critical",
        category="quality",
        summary="{{ $labels.score }} of model {{ $labels.model_name }} is beyond its expected"
        " {{ $labels.bound }}",
        description="Over {{ $labels.window }} the whole 95 % confidence interval of"
        " {{ $labels.score }} of model {{ $labels.model_name }} version {{ $labels.model_version }}"
        " lies beyond the {{ $labels.bound }} that its configuration expects.",
        details=lookups.QUALITY,
        dashboard=links.QUALITY,
    ),
    Alert(
        name="ModelSegmentQualityBelowExpectation",
        why="Of many segments one is beyond its bound by chance now and then, hence no page.",
        expr='model_version:model_expectation_violated:held{segment!=""} == 1',
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
        expr="model_version:model_version_worse:held == 1",
        wait="1h",
        keep="1h",
        severity="warning",
        category="quality",
        summary="Version {{ $labels.model_version }} of model {{ $labels.model_name }} is worse"
        " than version {{ $labels.champion }}",
        description="In at least one window version {{ $labels.model_version }} of model"
        " {{ $labels.model_name }} scores worse than its champion, version"
        " {{ $labels.champion }}, by more than chance explains.",
        dashboard=links.VERSIONS,
    ),
)


def _fallen(score: str, *, upper: str, lower: str) -> str:
    """Return where a score that is good when high lies below last week, interval by interval."""
    return _named(score, f"{upper}{{{WHOLE}}} < ({lower}{{{WHOLE}}} offset 1w)")


def _risen(score: str, *, upper: str, lower: str) -> str:
    """Return where a score that is good when low lies above last week, interval by interval."""
    return _named(score, f"{lower}{{{WHOLE}}} > ({upper}{{{WHOLE}}} offset 1w)")


def _below(score: str, *, upper: str, extra: str = "") -> str:
    """Return where the whole band of an estimate lies below the bound that is expected."""
    return _named(score, f"{upper}{{{WHOLE}{extra}}}") + _beyond("<", score, "min")


def _above(score: str, *, lower: str) -> str:
    """Return where the whole band of an estimate lies above the bound that is expected."""
    return _named(score, f"{lower}{{{WHOLE}}}") + _beyond(">", score, "max")


def _beyond(sign: str, score: str, bound: str) -> str:
    threshold = f'model_expectation_threshold{{score="{score}", bound="{bound}"}}'
    return f" {sign} on (model_name) group_left () max by (model_name) ({threshold})"


def _named(score: str, query: str) -> str:
    """Return the query with its score as a label: each family of scores has a name of its own."""
    return f'label_replace({query}, "score", "{score}", "", "")'


def _any(*branches: str) -> str:
    return "\n  or\n  ".join(branches)


DECAYED = _any(
    _fallen("accuracy", upper="model_accuracy_ratio_upper", lower="model_accuracy_ratio_lower"),
    _fallen(
        "balanced_accuracy",
        upper="model_balanced_accuracy_ratio_upper",
        lower="model_balanced_accuracy_ratio_lower",
    ),
    _fallen("roc_auc", upper="model_roc_auc_upper", lower="model_roc_auc_lower"),
    _fallen(
        "average_precision",
        upper="model_average_precision_upper",
        lower="model_average_precision_lower",
    ),
    _fallen("r2", upper="model_r2_upper", lower="model_r2_lower"),
    _risen("log_loss", upper="model_log_loss_upper", lower="model_log_loss_lower"),
    _risen("brier_score", upper="model_brier_score_upper", lower="model_brier_score_lower"),
    _risen("mae", upper="model_mae_upper", lower="model_mae_lower"),
    _risen("rmse", upper="model_rmse_upper", lower="model_rmse_lower"),
)
AVERAGE = ', average=~"binary|macro"'
ESTIMATED_BEYOND = _any(
    _below("accuracy", upper="model_estimated_accuracy_ratio_upper"),
    _below("balanced_accuracy", upper="model_estimated_balanced_accuracy_ratio_upper"),
    _below("precision", upper="model_estimated_precision_ratio_upper", extra=AVERAGE),
    _below("recall", upper="model_estimated_recall_ratio_upper", extra=AVERAGE),
    _below("f1", upper="model_estimated_f1_ratio_upper", extra=AVERAGE),
    _below("specificity", upper="model_estimated_specificity_ratio_upper"),
    _below("mcc", upper="model_estimated_mcc_upper"),
    _below("roc_auc", upper="model_estimated_roc_auc_upper"),
    _below("average_precision", upper="model_estimated_average_precision_upper"),
    _above("log_loss", lower="model_estimated_log_loss_lower"),
    _above("brier_score", lower="model_estimated_brier_score_lower"),
    _above("mae", lower="model_estimated_mae_lower"),
    _above("mse", lower="model_estimated_mse_lower"),
    _above("rmse", lower="model_estimated_rmse_lower"),
    _above("mape", lower="model_estimated_mape_ratio_lower"),
)

PAST = (
    Alert(
        name="ModelQualityDecaying",
        why="The whole interval of a score lies beyond its whole interval of a week ago, whatever"
        " is expected: two such intervals miss each other by chance once in two hundred times.",
        expr=f"""
max without (instance, pod) (
  {DECAYED}
)
and on ({WINDOW})
model_window_labeled_predictions{{segment="", segment_value=""}} >= {thresholds.QUALITY_ROWS}
and on ({WINDOW})
(
  model_window_labeled_predictions{{segment="", segment_value=""}} offset 1w
    >= {thresholds.QUALITY_ROWS}
)
        """,
        wait="1h",
        keep="1h",
        severity="warning",
        category="quality",
        summary="{{ $labels.score }} of model {{ $labels.model_name }} is worse than a week ago",
        description="Over {{ $labels.window }} {{ $labels.score }} of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} is"
        ' {{ $value | printf "%.4g" }} at best, beyond the 95 % confidence interval of a week ago.',
        dashboard=links.QUALITY,
    ),
    Alert(
        name="ModelEstimatedQualityLow",
        why="Before labels come: what the model's own scores promise lies beyond the bound, band"
        " and all. Estimates do not see concept drift, and hold only as far as scores are"
        " calibrated; hence no page.",
        expr=f"""
max without (instance, pod, average) (
  {ESTIMATED_BEYOND}
)
        """,
        wait="1h",
        keep="1h",
        severity="warning",
        category="quality",
        summary="{{ $labels.score }} of model {{ $labels.model_name }} is estimated to be beyond"
        " its bound",
        description="Over {{ $labels.window }} {{ $labels.score }} of model"
        " {{ $labels.model_name }} version {{ $labels.model_version }} is estimated to be"
        ' {{ $value | printf "%.4g" }} at best, beyond what its configuration expects. Labels will'
        " tell.",
        dashboard=links.QUALITY,
    ),
)

GROUPS = (Group("model-exporter.quality", (*QUALITY, *PAST)),)
