"""Scores: each with its interval, its baseline and the bound it is expected to keep."""

from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import (
    BOUND_STYLE,
    COLOURED_TEXT,
    NO_LABELS,
    REFERENCE_STYLE,
    VERSION_LEGEND,
    VIOLATION,
    organized,
    override,
)
from model_exporter.bundle.panels import bar_chart, table, timeseries
from model_exporter.bundle.selectors import MODEL, PER_MODEL, VERSION, WHOLE, WINDOWED


def _score(
    title: str,
    description: str,
    *,
    unit: str,
    key: str,
    families: tuple[str, str, str, str],
    legend: str = VERSION_LEGEND,
) -> Panel:
    """Return a panel of a score; `families` are its value, lower, upper and baseline."""
    value, lower, upper, baseline = families
    return timeseries(
        title,
        f"{description} Dotted: the ends of its 95 % confidence interval. Dashed: the baseline,"
        " and the bound that the configuration expects. Few labels make a wide interval.",
        unit=unit,
        queries=[
            Query(f"{value}{{{WHOLE}}}", legend),
            Query(f"{lower}{{{WHOLE}}}", f"{legend} lower"),
            Query(f"{upper}{{{WHOLE}}}", f"{legend} upper"),
            Query(f"{baseline}{{{VERSION}}}", f"{legend} baseline"),
            Query(
                f'model_expectation_threshold{{{MODEL}, score="{key}"}}',
                "{{model_name}} expected {{bound}}",
            ),
        ],
        empty=NO_LABELS,
        width=12,
        overrides=[BOUND_STYLE, REFERENCE_STYLE],
    )


SCORES = (
    _score(
        "Accuracy",
        "Share of labelled predictions whose predicted class is the label.",
        unit="percentunit",
        key="accuracy",
        families=(
            "model_accuracy_ratio",
            "model_accuracy_ratio_lower",
            "model_accuracy_ratio_upper",
            "model_baseline_accuracy_ratio",
        ),
    ),
    _score(
        "F1",
        "Harmonic mean of precision and recall, by kind of average.",
        unit="percentunit",
        key="f1",
        families=(
            "model_f1_ratio",
            "model_f1_ratio_lower",
            "model_f1_ratio_upper",
            "model_baseline_f1_ratio",
        ),
        legend=f"{VERSION_LEGEND} {{{{average}}}}",
    ),
    _score(
        "Area under the ROC curve",
        "Chance that a positive is scored above a negative; one-vs-rest if multiclass.",
        unit="none",
        key="roc_auc",
        families=(
            "model_roc_auc",
            "model_roc_auc_lower",
            "model_roc_auc_upper",
            "model_baseline_roc_auc",
        ),
    ),
    _score(
        "Mean absolute error",
        "Mean distance of prediction and label, in the unit of the label.",
        unit="none",
        key="mae",
        families=("model_mae", "model_mae_lower", "model_mae_upper", "model_baseline_mae"),
    ),
)

ESTIMATED = timeseries(
    "Accuracy before labels",
    "Estimated over all predictions from their scores, calibrated on the baseline's labels. Dotted:"
    " the band that holds 95 % of what the labels will give. It does not see concept drift. Beside"
    " it the accuracy on the labels so far.",
    unit="percentunit",
    queries=[
        Query(f"model_estimated_accuracy_ratio{{{WHOLE}}}", f"{VERSION_LEGEND} estimated"),
        Query(f"model_estimated_accuracy_ratio_lower{{{WHOLE}}}", f"{VERSION_LEGEND} lower"),
        Query(f"model_estimated_accuracy_ratio_upper{{{WHOLE}}}", f"{VERSION_LEGEND} upper"),
        Query(f"model_accuracy_ratio{{{WHOLE}}}", f"{VERSION_LEGEND} labelled"),
    ],
    empty="no predictions with scores in this window",
    width=12,
    overrides=[BOUND_STYLE],
)

ESTIMATE_ERROR = timeseries(
    "Error of estimates",
    "Score of the labelled predictions less what was estimated for the same ones, in the unit of"
    " the score. Away from 0, inputs and labels no longer belong together as on the baseline.",
    unit="none",
    queries=[Query(f"model_estimate_error{{{WHOLE}}}", f"{VERSION_LEGEND} {{{{score}}}}")],
    empty=NO_LABELS,
    width=12,
)

CONFUSION = table(
    "Confusion matrix",
    "Labelled predictions in the window: label down, predicted class across. Choose one model, or"
    " unlike models are added up.",
    unit="short",
    queries=[
        Query(f"sum by (actual_class, predicted_class) (model_window_confusion{{{WHOLE}}})"),
    ],
    empty=NO_LABELS,
    width=12,
    transformations=[
        {
            "id": "groupingToMatrix",
            "options": {
                "columnField": "predicted_class",
                "emptyValue": "zero",
                "rowField": "actual_class",
                "valueField": "Value",
            },
        },
        organized(rename={"actual_class\\predicted_class": "label \\ predicted"}),
    ],
)

CALIBRATION = bar_chart(
    "Calibration",
    "Mean score and observed share in each tenth of the score, and the 95 % confidence interval of"
    " the share: a calibrated score lies inside it. Choose one model and version.",
    unit="percentunit",
    queries=[
        Query(f"max by (bin) (model_calibration_bin_score{{{WINDOWED}}})"),
        Query(f"max by (bin) (model_calibration_bin_observed_ratio{{{WINDOWED}}})"),
        Query(f"max by (bin) (model_calibration_bin_observed_ratio_lower{{{WINDOWED}}})"),
        Query(f"max by (bin) (model_calibration_bin_observed_ratio_upper{{{WINDOWED}}})"),
    ],
    empty=NO_LABELS,
    across="bin",
    width=24,
    transformations=[
        {"id": "joinByField", "options": {"byField": "bin", "mode": "outer"}},
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"desc": False, "field": "bin"}]}},
        organized(
            rename={
                "bin": "bin",
                "Value #A": "score",
                "Value #B": "observed",
                "Value #C": "observed lower",
                "Value #D": "observed upper",
            },
            hide=["Time 1", "Time 2", "Time 3", "Time 4"],
        ),
    ],
)

EXPECTATIONS = table(
    "Expectations",
    "Scores that the configuration expects to keep a bound. Violated: the whole confidence interval"
    " lies beyond it.",
    unit="short",
    queries=[Query(f"max by ({PER_MODEL}, score, bound) (model_expectation_violated{{{WHOLE}}})")],
    empty="no expectations configured, or no labels yet",
    width=12,
    transformations=[
        organized(
            rename={
                "model_name": "Model",
                "model_version": "Version",
                "score": "Score",
                "bound": "Bound",
                "Value": "State",
            }
        )
    ],
    overrides=[override("State", {**VIOLATION, **COLOURED_TEXT})],
)

ROW = Row("Quality", [*SCORES, ESTIMATED, ESTIMATE_ERROR, CONFUSION, EXPECTATIONS, CALIBRATION])
