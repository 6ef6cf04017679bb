"""The families of scores, as regular expressions that take several of them at once."""

SCORES = (
    "model_accuracy_ratio|model_balanced_accuracy_ratio|model_precision_ratio"
    "|model_recall_ratio|model_f1_ratio|model_specificity_ratio|model_mcc|model_roc_auc"
    "|model_average_precision|model_log_loss|model_brier_score|model_calibration_error"
    "|model_mae|model_mse|model_rmse|model_r2|model_mape_ratio|model_wape_ratio|model_bias"
)
"""Every score that can be expected to keep a bound."""
LOWER_ENDS = (
    "model_accuracy_ratio_lower|model_balanced_accuracy_ratio_lower|model_precision_ratio_lower"
    "|model_recall_ratio_lower|model_f1_ratio_lower|model_specificity_ratio_lower"
    "|model_mcc_lower|model_roc_auc_lower|model_average_precision_lower|model_log_loss_lower"
    "|model_brier_score_lower|model_calibration_error_lower|model_mae_lower|model_mse_lower"
    "|model_rmse_lower|model_r2_lower|model_mape_ratio_lower|model_wape_ratio_lower"
    "|model_bias_lower"
)
UPPER_ENDS = (
    "model_accuracy_ratio_upper|model_balanced_accuracy_ratio_upper|model_precision_ratio_upper"
    "|model_recall_ratio_upper|model_f1_ratio_upper|model_specificity_ratio_upper"
    "|model_mcc_upper|model_roc_auc_upper|model_average_precision_upper|model_log_loss_upper"
    "|model_brier_score_upper|model_calibration_error_upper|model_mae_upper|model_mse_upper"
    "|model_rmse_upper|model_r2_upper|model_mape_ratio_upper|model_wape_ratio_upper"
    "|model_bias_upper"
)
BASELINES = (
    "model_baseline_accuracy_ratio|model_baseline_balanced_accuracy_ratio"
    "|model_baseline_precision_ratio|model_baseline_recall_ratio|model_baseline_f1_ratio"
    "|model_baseline_specificity_ratio|model_baseline_mcc|model_baseline_roc_auc"
    "|model_baseline_average_precision|model_baseline_log_loss|model_baseline_brier_score"
    "|model_baseline_calibration_error|model_baseline_mae|model_baseline_mse"
    "|model_baseline_rmse|model_baseline_r2|model_baseline_mape_ratio|model_baseline_wape_ratio"
    "|model_baseline_bias"
)
ESTIMATES = (
    "model_estimated_accuracy_ratio|model_estimated_balanced_accuracy_ratio"
    "|model_estimated_precision_ratio|model_estimated_recall_ratio|model_estimated_f1_ratio"
    "|model_estimated_specificity_ratio|model_estimated_mcc|model_estimated_roc_auc"
    "|model_estimated_average_precision|model_estimated_log_loss|model_estimated_brier_score"
    "|model_estimated_mae|model_estimated_mse|model_estimated_rmse|model_estimated_mape_ratio"
)
"""Those that can be estimated before labels come."""
