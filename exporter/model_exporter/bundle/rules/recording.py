"""Recording rules: sums over replicas, and from them ratios, quantiles and drift.

Level `model_version` is one version of one model in one job; levels below it add `feature` and
`bin`. `namespace` is kept where the scrape adds it; other target labels are summed away.
"""

from model_exporter.bundle import thresholds
from model_exporter.bundle.rules.rule import Group, Recording

LEVEL = "namespace, job, model_name, model_version"
FEATURE = f"{LEVEL}, subject, feature"
BIN = f"{FEATURE}, bin"

SERVING = (
    Recording(
        record="model_version:model_prediction_requests:rate5m",
        why="Calls per second over all replicas.",
        expr=f"sum by ({LEVEL}) (rate(model_prediction_requests_total[5m]))",
    ),
    Recording(
        record="model_version:model_prediction_requests:rate1h",
        why="The long window of the error alert, and its minimum sample.",
        expr=f"sum by ({LEVEL}) (rate(model_prediction_requests_total[1h]))",
    ),
    Recording(
        record="model_version:model_prediction_errors:ratio_rate5m",
        why="0 where nothing has failed yet: errors have no series before the first.",
        expr=f"""
            (
              sum by ({LEVEL}) (rate(model_prediction_errors_total[5m]))
              or
              0 * model_version:model_prediction_requests:rate5m
            )
            / (model_version:model_prediction_requests:rate5m > 0)
        """,
    ),
    Recording(
        record="model_version:model_prediction_errors:ratio_rate1h",
        why="As above, over an hour.",
        expr=f"""
            (
              sum by ({LEVEL}) (rate(model_prediction_errors_total[1h]))
              or
              0 * model_version:model_prediction_requests:rate1h
            )
            / (model_version:model_prediction_requests:rate1h > 0)
        """,
    ),
    Recording(
        record="model_version:model_prediction_latency_seconds:p50_rate5m",
        why="The comparison drops NaN, the quantile of no calls: one would spoil an average.",
        expr=f"""
            histogram_quantile(
              0.5,
              sum by ({LEVEL}, le) (rate(model_prediction_latency_seconds_bucket[5m]))
            ) >= 0
        """,
    ),
    Recording(
        record="model_version:model_prediction_latency_seconds:p99_rate5m",
        why="As above, for the slowest call in a hundred.",
        expr=f"""
            histogram_quantile(
              0.99,
              sum by ({LEVEL}, le) (rate(model_prediction_latency_seconds_bucket[5m]))
            ) >= 0
        """,
    ),
    Recording(
        record="model_version_feature:model_feature_missing:ratio_rate1h",
        why="Share of a feature's values that are missing; silent below the minimum sample.",
        expr=f"""
            sum by ({LEVEL}, feature) (increase(model_feature_missing_total[1h]))
            / (
              sum by ({LEVEL}, feature) (increase(model_feature_values_total[1h]))
              >= {thresholds.DRIFT_ROWS}
            )
        """,
    ),
)

BASELINE = Recording(
    record="model_version_bin:model_baseline:ratio",
    why="Every replica serves the same baseline: max counts it once.",
    expr=f"clamp_min(max by ({BIN}) (model_baseline_ratio), {thresholds.PSI_FLOOR})",
)


def _drift(window: str, *, counts: str, rows: str, ratio: str, psi: str) -> tuple[Recording, ...]:
    """Return the rules that lead from the counters of one window to its PSI."""
    return (
        Recording(
            record=counts,
            why="Values by bin of the baseline. A bin without a value is a known 0; bins of a"
            " baseline that was replaced within the window are left out.",
            expr=f"""
                (
                  sum by ({BIN}) (increase(model_distribution_total[{window}]))
                  and
                  model_version_bin:model_baseline:ratio
                )
                or
                0 * model_version_bin:model_baseline:ratio
            """,
        ),
        Recording(
            record=rows,
            why="The sample that the PSI rests on.",
            expr=f"sum by ({FEATURE}) ({counts})",
        ),
        Recording(
            record=ratio,
            why="Share of each bin, floored so that an empty bin gives a finite term.",
            expr=f"""
                clamp_min(
                  {counts}
                  / on ({FEATURE}) group_left ()
                  ({rows} > 0),
                  {thresholds.PSI_FLOOR}
                )
            """,
        ),
        Recording(
            record=psi,
            why="Population stability index: sum of (now - baseline) * ln(now / baseline). Silent"
            " below the minimum sample, where it would be noise.",
            expr=f"""
                sum by ({FEATURE}) (
                  ({ratio} - model_version_bin:model_baseline:ratio)
                  * ln({ratio} / model_version_bin:model_baseline:ratio)
                )
                and
                {rows} >= {thresholds.DRIFT_ROWS}
            """,
        ),
    )


DRIFT = (
    BASELINE,
    *_drift(
        "1h",
        counts="model_version_bin:model_distribution:increase1h",
        rows="model_version_feature:model_distribution:increase1h",
        ratio="model_version_bin:model_distribution:ratio1h",
        psi="model_version_feature:model_drift_psi:1h",
    ),
    *_drift(
        "6h",
        counts="model_version_bin:model_distribution:increase6h",
        rows="model_version_feature:model_distribution:increase6h",
        ratio="model_version_bin:model_distribution:ratio6h",
        psi="model_version_feature:model_drift_psi:6h",
    ),
)

GROUPS = (
    Group("model-exporter.serving.recording", SERVING),
    # A minute is often enough for windows of hours, and well within Prometheus's lookback of 5m.
    Group("model-exporter.drift.recording", DRIFT, "1m"),
)
