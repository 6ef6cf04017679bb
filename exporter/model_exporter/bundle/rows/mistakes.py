"""Mistakes: which classes are taken for which, and whether scores mean what they say."""

from model_exporter.bundle.charts import curve
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    BAND,
    COLOURED_CELL,
    NO_LABELS,
    REFERENCE_COLOURS,
    REFERENCE_STYLE,
    joined,
    merged,
    organized,
    override,
    steps,
)
from model_exporter.bundle.panels import table
from model_exporter.bundle.selectors import WHOLE, WINDOWED

CONFUSION = table(
    "Confusion matrix",
    "Labelled predictions in the window, as a share of each label's: label down, predicted class"
    " across; a good model has its large numbers on the diagonal. A label with few rows has coarse"
    " shares.",
    unit="percentunit",
    queries=[
        Query(
            f"sum by (actual_class, predicted_class) (model_window_confusion{{{WHOLE}}})"
            " / on (actual_class) group_left ()"
            f" (sum by (actual_class) (model_window_confusion{{{WHOLE}}}) > 0)"
        ),
    ],
    empty="No labels yet; regression models have none",
    width=8,
    height=9,
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
    overrides=[
        override(
            "/^(?!label).*/",
            {
                "decimals": 1,
                "thresholds": steps((0.05, "super-light-blue"), (0.5, "blue"), base="transparent"),
                **COLOURED_CELL,
            },
            regexp=True,
        )
    ],
)

CLASSES = table(
    "Classes",
    "Precision, recall and F1 of each class in the window: which class the averages hide.",
    unit="percentunit",
    queries=[
        Query(f"max by (class) (model_class_precision_ratio{{{WHOLE}}})"),
        Query(f"max by (class) (model_class_recall_ratio{{{WHOLE}}})"),
        Query(f"max by (class) (model_class_f1_ratio{{{WHOLE}}})"),
        Query(f"max by (class) (model_class_f1_ratio_lower{{{WHOLE}}})"),
        Query(f"max by (class) (model_class_f1_ratio_upper{{{WHOLE}}})"),
    ],
    empty="No labels yet; regression models have none",
    width=8,
    height=9,
    sort="F1",
    ascending=True,
    transformations=merged(
        rename={
            "class": "Class",
            "Value #A": "Precision",
            "Value #B": "Recall",
            "Value #C": "F1",
            "Value #D": "F1 lower",
            "Value #E": "F1 upper",
        }
    ),
    overrides=[override("/^(Precision|Recall|F1.*)$/", {"decimals": 1}, regexp=True)],
)

_SCORE = f"max by (bin) (model_calibration_bin_score{{{WINDOWED}}})"

CALIBRATION = curve(
    "Calibration curve",
    "Observed share over mean score, for each tenth of the score, with its 95 % confidence"
    " interval: of a calibrated model the dashed diagonal runs through the band. Above it, the"
    " model is less sure than it could be. Bins without labelled rows are left out.",
    unit="percentunit",
    queries=[
        Query(_SCORE),
        Query(_SCORE),
        Query(f"max by (bin) (model_calibration_bin_observed_ratio{{{WINDOWED}}})"),
        Query(f"max by (bin) (model_calibration_bin_observed_ratio_lower{{{WINDOWED}}})"),
        Query(f"max by (bin) (model_calibration_bin_observed_ratio_upper{{{WINDOWED}}})"),
    ],
    empty=NO_LABELS,
    along="score",
    transformations=joined(
        "bin",
        rename={
            "Value #A": "score",
            "Value #B": "perfect",
            "Value #C": "observed",
            "Value #D": "lower",
            "Value #E": "upper",
        },
        sort="Value #A",
        hide=["bin"],
    ),
    overrides=[*BAND, REFERENCE_STYLE, *REFERENCE_COLOURS],
)

ROW = Row("Where it is wrong", [CONFUSION, CLASSES, CALIBRATION])
