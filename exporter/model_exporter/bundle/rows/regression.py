"""Regression: the scores of regression models over time."""

from model_exporter.bundle.grafana import Row
from model_exporter.bundle.rows.score_panels import score

EMPTY = "Regression models only, once labels come"

ROW = Row(
    "Regression over time (open for regression models)",
    [
        score(
            "Mean absolute error",
            "Mean distance of prediction and label, in the unit of the label.",
            key="mae",
            families=(
                "model_mae",
                "model_mae_lower",
                "model_mae_upper",
                "model_baseline_mae",
            ),
            empty=EMPTY,
            width=8,
        ),
        score(
            "Root mean squared error",
            "Root of the mean squared distance, in the unit of the label; large errors weigh more.",
            key="rmse",
            families=(
                "model_rmse",
                "model_rmse_lower",
                "model_rmse_upper",
                "model_baseline_rmse",
            ),
            empty=EMPTY,
            width=8,
        ),
        score(
            "Bias",
            "Mean of prediction minus label: above 0 the model says too much.",
            key="bias",
            families=(
                "model_bias",
                "model_bias_lower",
                "model_bias_upper",
                "model_baseline_bias",
            ),
            empty=EMPTY,
            width=8,
        ),
        score(
            "R2",
            "Share of the labels' variance that the model explains; it falls where labels vary"
            " less, though errors stay.",
            key="r2",
            families=(
                "model_r2",
                "model_r2_lower",
                "model_r2_upper",
                "model_baseline_r2",
            ),
            empty=EMPTY,
            width=8,
        ),
        score(
            "MAPE",
            "Mean absolute percentage error over rows whose label is not 0; small labels dominate"
            " it.",
            key="mape",
            families=(
                "model_mape_ratio",
                "model_mape_ratio_lower",
                "model_mape_ratio_upper",
                "model_baseline_mape_ratio",
            ),
            empty=EMPTY,
            width=8,
            unit="percentunit",
        ),
        score(
            "WAPE",
            "Sum of absolute errors over the sum of absolute labels.",
            key="wape",
            families=(
                "model_wape_ratio",
                "model_wape_ratio_lower",
                "model_wape_ratio_upper",
                "model_baseline_wape_ratio",
            ),
            empty=EMPTY,
            width=8,
            unit="percentunit",
        ),
    ],
    collapsed=True,
)
