"""The list of every metric family that model-exporter serves, one literal row each.

Names are written out, never formatted, so that one grep finds the row, the code that fills it,
and every rule, panel and runbook that reads it. This module imports nothing of ours: the sidecar,
the job and the bundle all read it, and a test holds it to what is really served, both ways.
"""

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """The Prometheus type of a family."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Side(enum.StrEnum):
    """The process that serves a family."""

    SIDECAR = "sidecar"
    JOB = "job"


class Better(enum.StrEnum):
    """Which direction of a judged value is good."""

    HIGHER = "higher"
    LOWER = "lower"
    ZERO = "zero"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family.

    Attributes
    ----------
    name
        The full name as scraped; counters end in ``_total``.
    unit
        Base unit of the values: ``seconds``, ``ratio`` (0 to 1), ``rows``, ``label`` (unit of the
        label), ``1`` (dimensionless) and so on.
    volatile
        True where the value tells about this run of the job (durations, rows read) and not about
        the data; `model-exporter once` leaves such families out, so that its output can be
        reproduced.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    labels: tuple[str, ...]
    side: Side
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class ScoreFamily:
    """A quality score: four families that always come together.

    `key` names it in `expectations:` of the configuration. `name`, `lower` and `upper` carry the
    window and segment labels, `baseline` only those of the model; all carry `extra`.
    """

    key: str
    name: str
    lower: str
    upper: str
    baseline: str
    unit: str
    help: str
    extra: tuple[str, ...]
    range: tuple[float, float]
    better: Better


@dataclass(frozen=True, slots=True)
class EstimatedFamily:
    """The estimate of a score before labels come, over all predictions of a window.

    `key` is that of the score, whose unit and labels it has.
    """

    key: str
    name: str
    lower: str
    upper: str


@dataclass(frozen=True, slots=True)
class MeasureFamily:
    """A value with its interval: three families that always come together, with the same labels."""

    name: str
    lower: str
    upper: str
    unit: str
    help: str
    labels: tuple[str, ...]


COUNTER, GAUGE, HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
SIDECAR, JOB = Side.SIDECAR, Side.JOB
HIGHER, LOWER, ZERO = Better.HIGHER, Better.LOWER, Better.ZERO
INFINITE = float("inf")

MODEL = ("model_name", "model_version")
WINDOW = ("model_name", "model_version", "window", "segment", "segment_value")
DRIFT = ("model_name", "model_version", "window", "subject", "feature")
BIN_WINDOW = ("model_name", "model_version", "window", "bin")
COMPARED = ("model_name", "model_version", "champion", "window", "pairing")
DIFFERENCE = (*COMPARED, "score")
FEATURE_WINDOW = ("model_name", "model_version", "window", "feature")
COHORT = ("model_name", "model_version", "cohort")

# fmt: off
SIDECAR_FAMILIES = (
    Family("model_info", GAUGE, "1", "Constant 1; labels tell the task and the checksum of the baseline in use (empty without one).", (*MODEL, "task", "baseline"), SIDECAR),
    Family("model_prediction_requests_total", COUNTER, "calls", "Calls of the monitored predict function, failed ones included.", MODEL, SIDECAR),
    Family("model_prediction_errors_total", COUNTER, "calls", "Calls that raised, by exception class.", (*MODEL, "error_type"), SIDECAR),
    Family("model_predictions_total", COUNTER, "rows", "Predicted rows: a batch call of 100 rows counts 100.", MODEL, SIDECAR),
    Family("model_prediction_latency_seconds", HISTOGRAM, "seconds", "Duration of a call of the predict function.", MODEL, SIDECAR),
    Family("model_prediction_time_to_first_chunk_seconds", HISTOGRAM, "seconds", "Time until a stream gave its first chunk; only of functions that return generators or iterators.", MODEL, SIDECAR),
    Family("model_prediction_chunks_total", COUNTER, "chunks", "Chunks that streams gave, counted when a stream ends; only of functions that return generators or iterators.", MODEL, SIDECAR),
    Family("model_prediction_batch_rows", HISTOGRAM, "rows", "Rows of a call; only of functions monitored as batch.", MODEL, SIDECAR),
    Family("model_predictions_in_progress", GAUGE, "calls", "Calls of the predict function that have started and not ended.", MODEL, SIDECAR),
    Family("model_prediction_score", HISTOGRAM, "ratio", "Predicted probability (of the positive class if binary, of the predicted class if multiclass).", MODEL, SIDECAR),
    Family("model_prediction_value", HISTOGRAM, "label", "Predicted value of a regression model, in the unit of the label.", MODEL, SIDECAR),
    Family("model_predicted_class_total", COUNTER, "rows", "Predicted rows by predicted class.", (*MODEL, "predicted_class"), SIDECAR),
    Family("model_prediction_mean", GAUGE, "1", "Mean of the newest predictions (score if the model has one, else value) in the sliding window.", MODEL, SIDECAR),
    Family("model_prediction_stddev", GAUGE, "1", "Standard deviation of the newest predictions in the sliding window.", MODEL, SIDECAR),
    Family("model_prediction_quantile", GAUGE, "1", "Quantile of the newest predictions in the sliding window; level is 0.05, 0.25, 0.5, 0.75 or 0.95.", (*MODEL, "level"), SIDECAR),
    Family("model_predicted_class_ratio", GAUGE, "ratio", "Share of each predicted class among the newest predictions in the sliding window.", (*MODEL, "predicted_class"), SIDECAR),
    Family("model_distribution_total", COUNTER, "rows", "Values seen, by bin of the baseline; bins do not overlap. Compare with model_baseline_ratio.", (*MODEL, "subject", "feature", "bin"), SIDECAR),
    Family("model_baseline_ratio", GAUGE, "ratio", "Share of the baseline's values in each bin.", (*MODEL, "subject", "feature", "bin"), SIDECAR),
    Family("model_baseline_rows", GAUGE, "rows", "Rows that the baseline was fitted on.", MODEL, SIDECAR),
    Family("model_feature_values_total", COUNTER, "rows", "Feature values captured, missing and invalid ones included.", (*MODEL, "feature"), SIDECAR),
    Family("model_feature_missing_total", COUNTER, "rows", "Feature values that were missing: None, NaN, or absent from the row.", (*MODEL, "feature"), SIDECAR),
    Family("model_feature_invalid_total", COUNTER, "rows", "Feature values that were out of the baseline's range, of an unseen category, of another type, infinite, or against a declared constraint.", (*MODEL, "feature", "reason"), SIDECAR),
    Family("model_schema_mismatch_total", COUNTER, "rows", "Rows given by name that lacked a feature of the baseline, or had a column beyond those captured; further such columns share __other__.", (*MODEL, "feature", "reason"), SIDECAR),
    Family("model_business_total", COUNTER, "1", "What the business counts, as told by ModelMonitor.business(); measure names it, with its unit.", (*MODEL, "measure"), SIDECAR),
    Family("model_last_prediction_timestamp_seconds", GAUGE, "seconds", "Unix time of the newest call that ended.", MODEL, SIDECAR),
    Family("model_input_timestamp_seconds", GAUGE, "seconds", "Event time of the newest input, as Unix time; only with event_time.", MODEL, SIDECAR),
    Family("model_exporter_dropped_total", COUNTER, "rows", "Telemetry dropped rather than delaying the model: rows by what was in the way.", (*MODEL, "reason"), SIDECAR),
    Family("model_exporter_internal_errors_total", COUNTER, "errors", "Errors inside model-exporter that were kept from the model, by stage.", (*MODEL, "stage"), SIDECAR),
    Family("model_exporter_shards", GAUGE, "processes", "Living worker processes whose counts this scrape sums; only with a multiprocess directory.", MODEL, SIDECAR),
    Family("model_exporter_shards_skipped", GAUGE, "files", "Files of counts that this scrape could not use: damaged, of another format, or of living workers with another layout (baseline, buckets, classes).", (*MODEL, "reason"), SIDECAR),
    Family("model_exporter_shards_degraded", GAUGE, "1", "1 while the scraped worker cannot use the multiprocess directory (full, read-only, gone) and keeps its counts in memory, else 0.", MODEL, SIDECAR),
)

JOB_FAMILIES = (
    Family("model_window_predictions", GAUGE, "rows", "Predictions whose timestamp lies in the window.", WINDOW, JOB),
    Family("model_window_labeled_predictions", GAUGE, "rows", "Predictions in the window that have a label by now; every quality score is over these.", WINDOW, JOB),
    Family("model_label_coverage_ratio", GAUGE, "ratio", "Share of the window's predictions that have a label by now.", WINDOW, JOB),
    Family("model_window_confusion", GAUGE, "rows", "Labelled predictions in the window, by label and predicted class.", (*WINDOW, "actual_class", "predicted_class"), JOB),
    Family("model_confusion_total", COUNTER, "rows", "Label records joined so far, by label and predicted class. A correction counts once more, under its new label.", (*MODEL, "actual_class", "predicted_class"), JOB),
    Family("model_label_delay_seconds", HISTOGRAM, "seconds", "Time from a prediction to its first label.", MODEL, JOB),
    Family("model_label_delay_quantile_seconds", GAUGE, "seconds", "Quantile of the time from a prediction to its first label, of the window's labelled predictions; level is 0.5, 0.9 or 0.99. At most 4.5 % too long; never below a second.", (*MODEL, "window", "level"), JOB),
    Family("model_label_selection_psi", GAUGE, "nats", "Population stability index of the window's labelled predictions against all of them: 0 where those that got a label are like all.", DRIFT, JOB),
    Family("model_label_selection_p_value", GAUGE, "ratio", "P-value of Pearson's chi-squared between the window's labelled and its other predictions: whether model_label_selection_psi is more than chance.", DRIFT, JOB),
    Family("model_maturity_seconds", GAUGE, "seconds", "How far the windows are shifted back, so that labels had time to come.", ("model_name",), JOB),
    Family("model_cohort_predictions", GAUGE, "rows", "Predictions of an age; cohort is its range.", COHORT, JOB),
    Family("model_cohort_labeled_predictions", GAUGE, "rows", "Predictions of an age that have a label by now.", COHORT, JOB),
    Family("model_cohort_label_coverage_ratio", GAUGE, "ratio", "Share of the predictions of an age that have a label by now.", COHORT, JOB),
    Family("model_cohort_score", GAUGE, "1", "Score of the labelled predictions of an age; score is its short name, as in expectations, and the unit is its own.", (*COHORT, "score"), JOB),
    Family("model_cohort_score_lower", GAUGE, "1", "Score of the labelled predictions of an age: lower end of the 95 % confidence interval.", (*COHORT, "score"), JOB),
    Family("model_cohort_score_upper", GAUGE, "1", "Score of the labelled predictions of an age: upper end of the 95 % confidence interval.", (*COHORT, "score"), JOB),
    Family("model_labels_total", COUNTER, "records", "Label records by what became of them. An identical record that is read again is the same record.", ("model_name", "outcome"), JOB),
    Family("model_labels_waiting", GAUGE, "records", "Label records whose prediction is not known yet; with those of the ledger, all that were read.", ("model_name",), JOB),
    Family("model_expectation_threshold", GAUGE, "1", "Bound that the configuration expects a score to keep; bound is min or max.", ("model_name", "score", "bound"), JOB),
    Family("model_expectation_violated", GAUGE, "1", "1 where the whole confidence interval of a score lies beyond its expected bound, else 0.", (*WINDOW, "score", "bound"), JOB),
    Family("model_estimate_error", GAUGE, "1", "Score minus what was estimated for the same labelled predictions, in the unit of the score: how far estimates were off. Precision, recall and F1 by their usual average.", (*WINDOW, "score"), JOB),
    Family("model_estimate_sampling_error", GAUGE, "1", "Standard error of the score over as many predictions as the window has, by the baseline's rows (NannyML's sampling error; its band is 3 of it each way).", (*WINDOW, "score"), JOB),
    Family("model_calibration_bin_rows", GAUGE, "rows", "Labelled predictions in the window by bin of the score, whole model; bin is its range.", BIN_WINDOW, JOB),
    Family("model_calibration_bin_score", GAUGE, "ratio", "Mean score of the rows of a calibration bin; of the predicted class if multiclass.", BIN_WINDOW, JOB),
    Family("model_window_value", GAUGE, "1", "Sum of what the labelled predictions in the window are worth by the configured values, in their unit.", WINDOW, JOB),
    Family("model_window_business", GAUGE, "1", "Sum of a measure of the business over the labelled predictions in the window, in the measure's unit.", (*WINDOW, "measure"), JOB),
    Family("model_custom_score_errors_total", COUNTER, "errors", "Calls of a score of the configuration that raised, or gave what is no number, since the process started.", ("model_name", "score"), JOB, volatile=True),
    Family("model_version_difference", GAUGE, "1", "Score of a version minus that of the champion, in the unit of the score; pairing is paired (on rows that both predicted) or unpaired.", DIFFERENCE, JOB),
    Family("model_version_difference_lower", GAUGE, "1", "Lower end of the 95 % confidence interval of model_version_difference.", DIFFERENCE, JOB),
    Family("model_version_difference_upper", GAUGE, "1", "Upper end of the 95 % confidence interval of model_version_difference.", DIFFERENCE, JOB),
    Family("model_version_difference_p_value", GAUGE, "ratio", "Two-sided p-value of model_version_difference, for no difference; not corrected for the number of scores.", DIFFERENCE, JOB),
    Family("model_version_difference_rows", GAUGE, "rows", "Labelled rows behind the differences of a version: pairs, or rows of the smaller side where unpaired.", COMPARED, JOB),
    Family("model_version_worse", GAUGE, "1", "1 where a version scores worse than the champion beyond chance (p-value below 0.05 over the number of scores, 100 rows or more), else 0.", DIFFERENCE, JOB),
    Family("model_drift_psi", GAUGE, "nats", "Population stability index against the baseline, on the baseline's bins.", DRIFT, JOB),
    Family("model_drift_psi_critical", GAUGE, "nats", "Value of model_drift_psi at about which model_drift_detected becomes 1, for the rows in window and baseline.", DRIFT, JOB),
    Family("model_drift_detected", GAUGE, "1", "1 where the window differs from the baseline by more than the tolerance, at the configured rate of false alarms, else 0; absent below model_drift_minimum_rows.", DRIFT, JOB),
    Family("model_drift_minimum_rows", GAUGE, "rows", "Values that a window must hold before the drift test says anything.", DRIFT, JOB),
    Family("model_drift_ks", GAUGE, "ratio", "Two-sample Kolmogorov-Smirnov statistic against the baseline; on values where both sides have them, else on bins.", DRIFT, JOB),
    Family("model_drift_ks_p_value", GAUGE, "ratio", "Asymptotic p-value of model_drift_ks; only where it was computed on values.", DRIFT, JOB),
    Family("model_drift_js_distance", GAUGE, "ratio", "Jensen-Shannon distance (base 2) to the baseline, on the baseline's bins.", DRIFT, JOB),
    Family("model_drift_wasserstein", GAUGE, "1", "Wasserstein distance to the baseline in the feature's unit; on values where both sides have them, else on bins.", DRIFT, JOB),
    Family("model_drift_chi2", GAUGE, "1", "Pearson's chi-squared of the bin counts of window and baseline.", DRIFT, JOB),
    Family("model_drift_chi2_p_value", GAUGE, "ratio", "P-value of model_drift_chi2.", DRIFT, JOB),
    Family("model_drift_rows", GAUGE, "rows", "Values in the window that the drift statistics of this subject rest on.", DRIFT, JOB),
    Family("model_missing_ratio", GAUGE, "ratio", "Share of the window's predictions whose feature is missing.", FEATURE_WINDOW, JOB),
    Family("model_out_of_range_ratio", GAUGE, "ratio", "Share of the window's feature values below the baseline's minimum or above its maximum.", FEATURE_WINDOW, JOB),
    Family("model_unseen_ratio", GAUGE, "ratio", "Share of the window's feature values whose category the baseline has not seen.", FEATURE_WINDOW, JOB),
    Family("model_source_up", GAUGE, "1", "1 if the last read of the source succeeded, else 0.", ("model_name", "source"), JOB),
    Family("model_source_last_success_timestamp_seconds", GAUGE, "seconds", "Unix time of the last successful read of the source.", ("model_name", "source"), JOB, volatile=True),
    Family("model_source_rows_total", COUNTER, "records", "Records read from the source since the process started.", ("model_name", "source"), JOB, volatile=True),
    Family("model_source_invalid_total", COUNTER, "records", "Distinct records that could not be used: without the id, timestamp, prediction or label that is named, or with one of another type.", ("model_name", "source", "reason"), JOB),
    Family("model_evaluation_last_success_timestamp_seconds", GAUGE, "seconds", "Unix time as of which the model was last evaluated.", ("model_name",), JOB),
    Family("model_evaluation_duration_seconds", GAUGE, "seconds", "Duration of the last evaluation.", ("model_name",), JOB, volatile=True),
    Family("model_newest_prediction_timestamp_seconds", GAUGE, "seconds", "Timestamp of the newest prediction known.", ("model_name",), JOB),
    Family("model_newest_label_timestamp_seconds", GAUGE, "seconds", "Timestamp of the newest label record known.", ("model_name",), JOB),
    Family("model_exporter_build_info", GAUGE, "1", "Constant 1; the label tells the version of model-exporter.", ("version",), JOB),
    Family("model_exporter_config_last_reload_successful", GAUGE, "1", "1 if the last load of the configuration succeeded, else 0.", (), JOB, volatile=True),
)

SCORES = (
    ScoreFamily("accuracy", "model_accuracy_ratio", "model_accuracy_ratio_lower", "model_accuracy_ratio_upper", "model_baseline_accuracy_ratio", "ratio", "Share of labelled predictions whose predicted class is the label", (), (0, 1), HIGHER),
    ScoreFamily("balanced_accuracy", "model_balanced_accuracy_ratio", "model_balanced_accuracy_ratio_lower", "model_balanced_accuracy_ratio_upper", "model_baseline_balanced_accuracy_ratio", "ratio", "Mean recall over the classes; for a binary model only when both classes are among the labels", (), (0, 1), HIGHER),
    ScoreFamily("precision", "model_precision_ratio", "model_precision_ratio_lower", "model_precision_ratio_upper", "model_baseline_precision_ratio", "ratio", "Share of rows predicted as a class whose label is that class", ("average",), (0, 1), HIGHER),
    ScoreFamily("recall", "model_recall_ratio", "model_recall_ratio_lower", "model_recall_ratio_upper", "model_baseline_recall_ratio", "ratio", "Share of rows labelled as a class that were predicted as that class", ("average",), (0, 1), HIGHER),
    ScoreFamily("f1", "model_f1_ratio", "model_f1_ratio_lower", "model_f1_ratio_upper", "model_baseline_f1_ratio", "ratio", "Harmonic mean of precision and recall", ("average",), (0, 1), HIGHER),
    ScoreFamily("class_precision", "model_class_precision_ratio", "model_class_precision_ratio_lower", "model_class_precision_ratio_upper", "model_baseline_class_precision_ratio", "ratio", "Precision of one class", ("class",), (0, 1), HIGHER),
    ScoreFamily("class_recall", "model_class_recall_ratio", "model_class_recall_ratio_lower", "model_class_recall_ratio_upper", "model_baseline_class_recall_ratio", "ratio", "Recall of one class", ("class",), (0, 1), HIGHER),
    ScoreFamily("class_f1", "model_class_f1_ratio", "model_class_f1_ratio_lower", "model_class_f1_ratio_upper", "model_baseline_class_f1_ratio", "ratio", "F1 of one class", ("class",), (0, 1), HIGHER),
    ScoreFamily("specificity", "model_specificity_ratio", "model_specificity_ratio_lower", "model_specificity_ratio_upper", "model_baseline_specificity_ratio", "ratio", "Share of negative labels that were predicted negative", (), (0, 1), HIGHER),
    ScoreFamily("mcc", "model_mcc", "model_mcc_lower", "model_mcc_upper", "model_baseline_mcc", "1", "Matthews correlation coefficient; 0 when degenerate", (), (-1, 1), HIGHER),
    ScoreFamily("roc_auc", "model_roc_auc", "model_roc_auc_lower", "model_roc_auc_upper", "model_baseline_roc_auc", "ratio", "Area under the ROC curve; one-vs-rest, averaged over the classes among the labels, if multiclass", (), (0, 1), HIGHER),
    ScoreFamily("average_precision", "model_average_precision", "model_average_precision_lower", "model_average_precision_upper", "model_baseline_average_precision", "ratio", "Average precision (step-wise area under the precision-recall curve)", (), (0, 1), HIGHER),
    ScoreFamily("log_loss", "model_log_loss", "model_log_loss_lower", "model_log_loss_upper", "model_baseline_log_loss", "nats", "Mean negative log of the probability given to the label, clipped at float64 epsilon", (), (0, INFINITE), LOWER),
    ScoreFamily("brier_score", "model_brier_score", "model_brier_score_lower", "model_brier_score_upper", "model_baseline_brier_score", "1", "Mean squared error of the probabilities; summed over the classes (0 to 2) if multiclass", (), (0, 2), LOWER),
    ScoreFamily("calibration_error", "model_calibration_error", "model_calibration_error_lower", "model_calibration_error_upper", "model_baseline_calibration_error", "ratio", "Expected calibration error over ten equal-width bins of the score; of the predicted class if multiclass", (), (0, 1), LOWER),
    ScoreFamily("mae", "model_mae", "model_mae_lower", "model_mae_upper", "model_baseline_mae", "label", "Mean absolute error", (), (0, INFINITE), LOWER),
    ScoreFamily("mse", "model_mse", "model_mse_lower", "model_mse_upper", "model_baseline_mse", "label squared", "Mean squared error", (), (0, INFINITE), LOWER),
    ScoreFamily("rmse", "model_rmse", "model_rmse_lower", "model_rmse_upper", "model_baseline_rmse", "label", "Root of the mean squared error", (), (0, INFINITE), LOWER),
    ScoreFamily("r2", "model_r2", "model_r2_lower", "model_r2_upper", "model_baseline_r2", "1", "Coefficient of determination", (), (-INFINITE, 1), HIGHER),
    ScoreFamily("mape", "model_mape_ratio", "model_mape_ratio_lower", "model_mape_ratio_upper", "model_baseline_mape_ratio", "ratio", "Mean absolute percentage error as a fraction, over rows whose label is not 0", (), (0, INFINITE), LOWER),
    ScoreFamily("wape", "model_wape_ratio", "model_wape_ratio_lower", "model_wape_ratio_upper", "model_baseline_wape_ratio", "ratio", "Sum of absolute errors over the sum of absolute labels", (), (0, INFINITE), LOWER),
    ScoreFamily("bias", "model_bias", "model_bias_lower", "model_bias_upper", "model_baseline_bias", "label", "Mean of prediction minus label", (), (-INFINITE, INFINITE), ZERO),
)

ESTIMATES = (
    EstimatedFamily("accuracy", "model_estimated_accuracy_ratio", "model_estimated_accuracy_ratio_lower", "model_estimated_accuracy_ratio_upper"),
    EstimatedFamily("balanced_accuracy", "model_estimated_balanced_accuracy_ratio", "model_estimated_balanced_accuracy_ratio_lower", "model_estimated_balanced_accuracy_ratio_upper"),
    EstimatedFamily("precision", "model_estimated_precision_ratio", "model_estimated_precision_ratio_lower", "model_estimated_precision_ratio_upper"),
    EstimatedFamily("recall", "model_estimated_recall_ratio", "model_estimated_recall_ratio_lower", "model_estimated_recall_ratio_upper"),
    EstimatedFamily("f1", "model_estimated_f1_ratio", "model_estimated_f1_ratio_lower", "model_estimated_f1_ratio_upper"),
    EstimatedFamily("specificity", "model_estimated_specificity_ratio", "model_estimated_specificity_ratio_lower", "model_estimated_specificity_ratio_upper"),
    EstimatedFamily("mcc", "model_estimated_mcc", "model_estimated_mcc_lower", "model_estimated_mcc_upper"),
    EstimatedFamily("roc_auc", "model_estimated_roc_auc", "model_estimated_roc_auc_lower", "model_estimated_roc_auc_upper"),
    EstimatedFamily("average_precision", "model_estimated_average_precision", "model_estimated_average_precision_lower", "model_estimated_average_precision_upper"),
    EstimatedFamily("log_loss", "model_estimated_log_loss", "model_estimated_log_loss_lower", "model_estimated_log_loss_upper"),
    EstimatedFamily("brier_score", "model_estimated_brier_score", "model_estimated_brier_score_lower", "model_estimated_brier_score_upper"),
    EstimatedFamily("mae", "model_estimated_mae", "model_estimated_mae_lower", "model_estimated_mae_upper"),
    EstimatedFamily("mse", "model_estimated_mse", "model_estimated_mse_lower", "model_estimated_mse_upper"),
    EstimatedFamily("rmse", "model_estimated_rmse", "model_estimated_rmse_lower", "model_estimated_rmse_upper"),
    EstimatedFamily("mape", "model_estimated_mape_ratio", "model_estimated_mape_ratio_lower", "model_estimated_mape_ratio_upper"),
)
SCORE_BY_KEY: dict[str, ScoreFamily] = {score.key: score for score in SCORES}
MEASURES = (
    MeasureFamily("model_threshold_precision_ratio", "model_threshold_precision_ratio_lower", "model_threshold_precision_ratio_upper", "ratio", "Precision if rows were predicted positive from this score on", (*WINDOW, "threshold")),
    MeasureFamily("model_threshold_recall_ratio", "model_threshold_recall_ratio_lower", "model_threshold_recall_ratio_upper", "ratio", "Recall if rows were predicted positive from this score on", (*WINDOW, "threshold")),
    MeasureFamily("model_threshold_specificity_ratio", "model_threshold_specificity_ratio_lower", "model_threshold_specificity_ratio_upper", "ratio", "Specificity if rows were predicted positive from this score on", (*WINDOW, "threshold")),
    MeasureFamily("model_threshold_f1_ratio", "model_threshold_f1_ratio_lower", "model_threshold_f1_ratio_upper", "ratio", "F1 if rows were predicted positive from this score on", (*WINDOW, "threshold")),
    MeasureFamily("model_calibration_bin_observed_ratio", "model_calibration_bin_observed_ratio_lower", "model_calibration_bin_observed_ratio_upper", "ratio", "Share of positive labels among the rows of a calibration bin; of right predictions if multiclass", BIN_WINDOW),
    MeasureFamily("model_value_mean", "model_value_mean_lower", "model_value_mean_upper", "1", "Mean of what a labelled prediction is worth by the configured values, in their unit", WINDOW),
    MeasureFamily("model_business_mean", "model_business_mean_lower", "model_business_mean_upper", "1", "Mean of a measure of the business over the labelled predictions that have it, in the measure's unit", (*WINDOW, "measure")),
    MeasureFamily("model_quantile_loss", "model_quantile_loss_lower", "model_quantile_loss_upper", "label", "Mean pinball loss of a predicted quantile", (*WINDOW, "level")),
    MeasureFamily("model_quantile_coverage_ratio", "model_quantile_coverage_ratio_lower", "model_quantile_coverage_ratio_upper", "ratio", "Share of labels at or below a predicted quantile; level is what it should be", (*WINDOW, "level")),
    MeasureFamily("model_interval_coverage_ratio", "model_interval_coverage_ratio_lower", "model_interval_coverage_ratio_upper", "ratio", "Share of labels inside a predicted interval, ends included; level is what it should be", (*WINDOW, "level")),
    MeasureFamily("model_interval_width", "model_interval_width_lower", "model_interval_width_upper", "label", "Mean width of a predicted interval", (*WINDOW, "level")),
    MeasureFamily("model_ndcg_at_k", "model_ndcg_at_k_lower", "model_ndcg_at_k_upper", "ratio", "Mean normalized discounted cumulative gain of the first k rows of each request", ("model_name", "model_version", "window", "k")),
    MeasureFamily("model_precision_at_k_ratio", "model_precision_at_k_ratio_lower", "model_precision_at_k_ratio_upper", "ratio", "Mean share of relevant rows among the first k of each request", ("model_name", "model_version", "window", "k")),
    MeasureFamily("model_custom_score", "model_custom_score_lower", "model_custom_score_upper", "1", "Score that the configuration declares as module:function", ("model_name", "model_version", "window", "score")),
)


def _families_of(score: ScoreFamily) -> tuple[Family, ...]:
    window = (*WINDOW, *score.extra)
    return (
        Family(score.name, GAUGE, score.unit, f"{score.help}.", window, JOB),
        Family(score.lower, GAUGE, score.unit, f"{score.help}: lower end of the 95 % confidence interval.", window, JOB),
        Family(score.upper, GAUGE, score.unit, f"{score.help}: upper end of the 95 % confidence interval.", window, JOB),
        Family(score.baseline, GAUGE, score.unit, f"{score.help}: on the baseline's rows.", (*MODEL, *score.extra), JOB),
    )


def _families_of_estimate(estimated: EstimatedFamily) -> tuple[Family, ...]:
    score = SCORE_BY_KEY[estimated.key]
    window = (*WINDOW, *score.extra)
    text = f"{score.help}: estimated over all predictions of the window, labelled or not"
    return (
        Family(estimated.name, GAUGE, score.unit, f"{text}.", window, JOB),
        Family(estimated.lower, GAUGE, score.unit, f"{text}; lower end of the 95 % band.", window, JOB),
        Family(estimated.upper, GAUGE, score.unit, f"{text}; upper end of the 95 % band.", window, JOB),
    )


def _families_with_bounds(measure: MeasureFamily) -> tuple[Family, ...]:
    return (
        Family(measure.name, GAUGE, measure.unit, f"{measure.help}.", measure.labels, JOB),
        Family(measure.lower, GAUGE, measure.unit, f"{measure.help}: lower end of the 95 % confidence interval.", measure.labels, JOB),
        Family(measure.upper, GAUGE, measure.unit, f"{measure.help}: upper end of the 95 % confidence interval.", measure.labels, JOB),
    )
# fmt: on


FAMILIES: tuple[Family, ...] = (
    *SIDECAR_FAMILIES,
    *JOB_FAMILIES,
    *(family for score in SCORES for family in _families_of(score)),
    *(family for estimated in ESTIMATES for family in _families_of_estimate(estimated)),
    *(family for measure in MEASURES for family in _families_with_bounds(measure)),
)
BY_NAME: dict[str, Family] = {family.name: family for family in FAMILIES}
MEASURE_BY_NAME: dict[str, MeasureFamily] = {measure.name: measure for measure in MEASURES}
