"""Classification: the scores of binary and multiclass models over time."""

from model_exporter.bundle.grafana import Row
from model_exporter.bundle.rows.score_panels import score
from model_exporter.bundle.selectors import USUAL_AVERAGE

EMPTY = "No labels yet; of a regression model open the row Regression"

ROW = Row(
    "Classification over time",
    [
        score(
            "Accuracy",
            "Share of labelled predictions whose predicted class is the label. With rare classes"
            " it is high for a model that never says them.",
            key="accuracy",
            families=(
                "model_accuracy_ratio",
                "model_accuracy_ratio_lower",
                "model_accuracy_ratio_upper",
                "model_baseline_accuracy_ratio",
            ),
            empty=EMPTY,
            unit="percentunit",
        ),
        score(
            "Precision",
            "Share of the rows predicted as a class that are of it: of the positive class, or the"
            " mean over classes.",
            key="precision",
            families=(
                "model_precision_ratio",
                "model_precision_ratio_lower",
                "model_precision_ratio_upper",
                "model_baseline_precision_ratio",
            ),
            empty=EMPTY,
            unit="percentunit",
            only=USUAL_AVERAGE,
        ),
        score(
            "Recall",
            "Share of the rows of a class that were predicted as it: of the positive class, or"
            " the mean over classes.",
            key="recall",
            families=(
                "model_recall_ratio",
                "model_recall_ratio_lower",
                "model_recall_ratio_upper",
                "model_baseline_recall_ratio",
            ),
            empty=EMPTY,
            unit="percentunit",
            only=USUAL_AVERAGE,
        ),
        score(
            "F1",
            "Harmonic mean of precision and recall; it moves with the share of positives even"
            " where the model does not.",
            key="f1",
            families=(
                "model_f1_ratio",
                "model_f1_ratio_lower",
                "model_f1_ratio_upper",
                "model_baseline_f1_ratio",
            ),
            empty=EMPTY,
            unit="percentunit",
            only=USUAL_AVERAGE,
        ),
        score(
            "ROC AUC",
            "Chance that a positive is scored above a negative; one-vs-rest if multiclass. It"
            " says nothing about the threshold.",
            key="roc_auc",
            families=(
                "model_roc_auc",
                "model_roc_auc_lower",
                "model_roc_auc_upper",
                "model_baseline_roc_auc",
            ),
            empty=EMPTY,
        ),
        score(
            "Average precision",
            "Area under the precision-recall curve; for rare positives it tells more than ROC"
            " AUC. Its floor is the share of positives.",
            key="average_precision",
            families=(
                "model_average_precision",
                "model_average_precision_lower",
                "model_average_precision_upper",
                "model_baseline_average_precision",
            ),
            empty=EMPTY,
        ),
        score(
            "Log loss",
            "Mean negative log of the probability given to the label; one confident mistake can"
            " dominate it.",
            key="log_loss",
            families=(
                "model_log_loss",
                "model_log_loss_lower",
                "model_log_loss_upper",
                "model_baseline_log_loss",
            ),
            empty=EMPTY,
        ),
        score(
            "Calibration error",
            "Mean distance of score and observed share over ten bins; few rows make it larger"
            " than it is.",
            key="calibration_error",
            families=(
                "model_calibration_error",
                "model_calibration_error_lower",
                "model_calibration_error_upper",
                "model_baseline_calibration_error",
            ),
            empty=EMPTY,
            unit="percentunit",
        ),
    ],
)
