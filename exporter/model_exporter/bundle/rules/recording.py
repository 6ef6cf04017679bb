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
    Recording(
        record="model_version_feature:model_feature_invalid:ratio_rate1h",
        why="The same of invalid values, by reason.",
        expr=f"""
            sum by ({LEVEL}, feature, reason) (increase(model_feature_invalid_total[1h]))
            / on ({LEVEL}, feature) group_left ()
            (
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


def _counts(record: str, counted: str) -> Recording:
    """Return values by bin; `counted` are those of all bins, known to the baseline or not."""
    return Recording(
        record=record,
        why="Values by bin of the baseline. A bin without a value is a known 0; bins of a"
        " baseline that was replaced within the window are left out.",
        expr=f"""
            (
              {counted}
              and
              model_version_bin:model_baseline:ratio
            )
            or
            0 * model_version_bin:model_baseline:ratio
        """,
    )


def _drift(
    *, counts: str, rows: str, ratio: str, psi: str, js: str, chi2: str
) -> tuple[Recording, ...]:
    """Return the rules that lead from the counts of one window to its drift statistics."""
    base = "model_version_bin:model_baseline:ratio"
    enough = f"and\n                {rows} >= {thresholds.DRIFT_ROWS}"
    return (
        Recording(
            record=rows,
            why="The sample that the statistics rest on; they are silent below the minimum.",
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
            why="Population stability index: sum of (now - baseline) * ln(now / baseline).",
            expr=f"""
                sum by ({FEATURE}) (
                  ({ratio} - {base})
                  * ln({ratio} / {base})
                )
                {enough}
            """,
        ),
        Recording(
            record=js,
            why="Jensen-Shannon distance, base 2: 0 for the same, 1 for nothing in common.",
            expr=f"""
                sqrt(clamp_min(sum by ({FEATURE}) (
                  {ratio} * ln(2 * {ratio} / ({ratio} + {base}))
                  + {base} * ln(2 * {base} / ({ratio} + {base}))
                ) / (2 * 0.6931471805599453), 0))
                {enough}
            """,
        ),
        Recording(
            record=chi2,
            why="Pearson's chi-squared, the baseline's shares taken as exact: rows times the sum of"
            " (now - baseline)^2 / baseline. With no drift at all it is about the bins less one.",
            expr=f"""
                {rows} * sum by ({FEATURE}) (
                  ({ratio} - {base}) ^ 2 / ({base} > 0)
                )
                {enough}
            """,
        ),
    )


DRIFT = (
    BASELINE,
    _counts(
        "model_version_bin:model_distribution:increase1h",
        f"sum by ({BIN}) (increase(model_distribution_total[1h]))",
    ),
    *_drift(
        counts="model_version_bin:model_distribution:increase1h",
        rows="model_version_feature:model_distribution:increase1h",
        ratio="model_version_bin:model_distribution:ratio1h",
        psi="model_version_feature:model_drift_psi:1h",
        js="model_version_feature:model_drift_js_distance:1h",
        chi2="model_version_feature:model_drift_chi2:1h",
    ),
    _counts(
        "model_version_bin:model_distribution:increase6h",
        f"sum by ({BIN}) (increase(model_distribution_total[6h]))",
    ),
    *_drift(
        counts="model_version_bin:model_distribution:increase6h",
        rows="model_version_feature:model_distribution:increase6h",
        ratio="model_version_bin:model_distribution:ratio6h",
        psi="model_version_feature:model_drift_psi:6h",
        js="model_version_feature:model_drift_js_distance:6h",
        chi2="model_version_feature:model_drift_chi2:6h",
    ),
    # Of the recorded hours: a day of raw samples would cost as much as all other rules together.
    _counts(
        "model_version_bin:model_distribution:increase1d",
        "sum_over_time(model_version_bin:model_distribution:increase1h[1d:1h])",
    ),
    *_drift(
        counts="model_version_bin:model_distribution:increase1d",
        rows="model_version_feature:model_distribution:increase1d",
        ratio="model_version_bin:model_distribution:ratio1d",
        psi="model_version_feature:model_drift_psi:1d",
        js="model_version_feature:model_drift_js_distance:1d",
        chi2="model_version_feature:model_drift_chi2:1d",
    ),
)

GROUPS = (
    Group("model-exporter.serving.recording", SERVING),
    # A minute is often enough for windows of hours, and well within Prometheus's lookback of 5m.
    Group("model-exporter.drift.recording", DRIFT, "1m"),
)
