"""Queries that several panels show."""

from model_exporter.bundle.selectors import FEATURE_DRIFT, PER_MODEL, VERSION, WHOLE

PREDICTION_RATE = (
    f"sum by ({PER_MODEL}) (rate(model_predictions_total{{{VERSION}}}[$__rate_interval]))"
)
CALL_RATE = (
    f"sum by ({PER_MODEL}) (rate(model_prediction_requests_total{{{VERSION}}}[$__rate_interval]))"
)
ERROR_RATIO = (
    f"(sum by ({PER_MODEL}) "
    f"(rate(model_prediction_errors_total{{{VERSION}}}[$__rate_interval])) or 0 * {CALL_RATE})"
    f" / ({CALL_RATE} > 0)"
)
LATENCY_P99 = (
    f"histogram_quantile(0.99, sum by ({PER_MODEL}, le) "
    f"(rate(model_prediction_latency_seconds_bucket{{{VERSION}}}[$__rate_interval])))"
)
IN_FLIGHT = f"sum by ({PER_MODEL}) (model_predictions_in_progress{{{VERSION}}})"
WORST_PSI = f"max by ({PER_MODEL}) (model_drift_psi{{{FEATURE_DRIFT}}})"
COVERAGE = f"max by ({PER_MODEL}) (model_label_coverage_ratio{{{WHOLE}}})"
VIOLATED = f"max by ({PER_MODEL}) (model_expectation_violated{{{WHOLE}}})"
