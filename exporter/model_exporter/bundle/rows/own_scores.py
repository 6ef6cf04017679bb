"""Scores that only some configurations have: thresholds, ranking, quantiles, own functions."""

from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import WHOLE, WINDOWED


def _lines(
    title: str, description: str, *, queries: list[Query], empty: str, unit: str = "percentunit"
) -> Panel:
    return timeseries(
        title, description, unit=unit, queries=queries, empty=empty, width=6, lowest=None
    )


ROW = Row(
    "Thresholds, ranking, quantiles, scores of your own (as configured)",
    [
        _lines(
            "At other thresholds",
            "Precision and recall of a binary model if rows were predicted positive from these"
            " scores on: what moving the threshold would do.",
            queries=[
                Query(
                    f"max by (threshold) (model_threshold_precision_ratio{{{WHOLE}}})",
                    "precision at {{threshold}}",
                ),
                Query(
                    f"max by (threshold) (model_threshold_recall_ratio{{{WHOLE}}})",
                    "recall at {{threshold}}",
                ),
            ],
            empty="No `thresholds:` of this model in exporter.yml",
        ),
        _lines(
            "Ranking",
            "NDCG and precision of the first k rows of each request.",
            queries=[
                Query(f"max by (k) (model_ndcg_at_k{{{WINDOWED}}})", "NDCG at {{k}}"),
                Query(
                    f"max by (k) (model_precision_at_k_ratio{{{WINDOWED}}})", "precision at {{k}}"
                ),
            ],
            empty="No column `group` of this model's predictions in exporter.yml",
        ),
        _lines(
            "Predicted quantiles and intervals",
            "Share of labels at or below a predicted quantile, and inside a predicted interval:"
            " each should be its level.",
            queries=[
                Query(
                    f"max by (level) (model_quantile_coverage_ratio{{{WHOLE}}})",
                    "at or below {{level}}",
                ),
                Query(
                    f"max by (level) (model_interval_coverage_ratio{{{WHOLE}}})",
                    "inside the {{level}} interval",
                ),
            ],
            empty="No column `quantiles` of this model's predictions in exporter.yml",
        ),
        _lines(
            "Scores of your own",
            "What the functions of `scores:` in the configuration return.",
            queries=[
                Query(f"max by (score) (model_custom_score{{{WINDOWED}}})", "{{score}}"),
            ],
            empty="No `scores:` of this model in exporter.yml",
            unit="none",
        ),
    ],
    collapsed=True,
)
