"""Estimates: quality before labels come, and how far off the estimates were."""

from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import BAND, NO_LABELS, REFERENCE_COLOURS, SINGLE
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import WHOLE

NO_ESTIMATE = "Needs a baseline with labels, and of a classifier its scores"


def _beside(
    title: str, *, unit: str, families: tuple[str, str, str], realised: str, only: str
) -> Panel:
    value, lower, upper = (f"max({family}{{{WHOLE}}})" for family in families)
    return timeseries(
        title,
        "Estimated over all predictions of the window without labels; the band holds 95 % of what"
        " the labels will give if the baseline still holds. It sees inputs move to where the model"
        " is unsure, and does not see concept drift. Beside it the score of the labels so far.",
        unit=unit,
        queries=[
            Query(value, "estimated"),
            Query(lower, "lower"),
            Query(upper, "upper"),
            Query(f"max({realised}{{{WHOLE}}})", "labelled so far"),
        ],
        empty=f"{NO_ESTIMATE}; {only}",
        lowest=None,
        colour=SINGLE,
        overrides=[*BAND, *REFERENCE_COLOURS],
    )


ROW = Row(
    "Before labels come",
    [
        _beside(
            "Accuracy, estimated and realised",
            unit="percentunit",
            families=(
                "model_estimated_accuracy_ratio",
                "model_estimated_accuracy_ratio_lower",
                "model_estimated_accuracy_ratio_upper",
            ),
            realised="model_accuracy_ratio",
            only="classification only",
        ),
        _beside(
            "Mean absolute error, estimated and realised",
            unit="none",
            families=(
                "model_estimated_mae",
                "model_estimated_mae_lower",
                "model_estimated_mae_upper",
            ),
            realised="model_mae",
            only="regression only",
        ),
        timeseries(
            "Error of estimates",
            "Score of the labelled predictions less what was estimated for the same ones, in the"
            " unit of the score. Away from 0, inputs and labels no longer belong together as on the"
            " baseline: concept drift.",
            unit="none",
            queries=[
                Query(f"max by (score) (model_estimate_error{{{WHOLE}}})", "{{score}}"),
            ],
            empty=NO_LABELS,
            lowest=None,
        ),
    ],
)
