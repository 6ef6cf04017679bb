"""Quality scores, one file each: pure functions of sufficient statistics.

To add a score: write its file, list it here, and give it a row in the catalogue.
"""

from model_exporter.scores import (
    accuracy,
    average_precision,
    balanced_accuracy,
    bias,
    brier_score,
    calibration_error,
    class_f1,
    class_precision,
    class_recall,
    f1,
    log_loss,
    mae,
    mape,
    mcc,
    mse,
    precision,
    r2,
    recall,
    rmse,
    roc_auc,
    specificity,
    wape,
)
from model_exporter.scores.score import Score

SCORES: tuple[Score, ...] = (
    accuracy.SCORE,
    balanced_accuracy.SCORE,
    precision.SCORE,
    recall.SCORE,
    f1.SCORE,
    class_precision.SCORE,
    class_recall.SCORE,
    class_f1.SCORE,
    specificity.SCORE,
    mcc.SCORE,
    roc_auc.SCORE,
    average_precision.SCORE,
    log_loss.SCORE,
    brier_score.SCORE,
    calibration_error.SCORE,
    mae.SCORE,
    mse.SCORE,
    rmse.SCORE,
    r2.SCORE,
    mape.SCORE,
    wape.SCORE,
    bias.SCORE,
)
