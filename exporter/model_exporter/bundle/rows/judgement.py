"""Judgement: quality, drift and labels of the models that stand out."""

from model_exporter.bundle import links, queries
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import (
    BELOW_ZERO,
    NO_DRIFT,
    NO_EXPECTATIONS,
    NO_LABELS,
    VERSION_LEGEND,
    linked,
)
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import FEATURE_DRIFT, PER_MODEL, WHOLE

LEAD = linked(links.to_model(links.VERSION_OF_SERIES))

ROW = Row(
    "Quality, drift, labels",
    [
        timeseries(
            "Least headroom",
            "How far scores are from the bound that they are expected to keep, as a share of the"
            " bound: the ten with least now. Below 0 a score is beyond its bound; few labels make"
            " it jump, which is why alerts go by the confidence interval.",
            unit="percentunit",
            queries=[
                Query(
                    queries.top_now(
                        queries.HEADROOM, by=f"{PER_MODEL}, score, bound", best="bottomk"
                    ),
                    f"{VERSION_LEGEND} {{{{score}}}}",
                )
            ],
            empty=NO_EXPECTATIONS,
            overrides=[LEAD],
            marks=BELOW_ZERO,
        ),
        timeseries(
            "Drifted features",
            "Features that the drift test takes for moved, in the chosen window: the ten model"
            " versions with most in the time range.",
            unit="short",
            queries=[
                Query(
                    queries.top(
                        queries.DRIFTED,
                        f"sum by ({PER_MODEL}) (max_over_time(model_drift_detected"
                        f"{{{FEATURE_DRIFT}}}[$__range] @ end()))",
                        by=PER_MODEL,
                    ),
                    VERSION_LEGEND,
                )
            ],
            empty=NO_DRIFT,
            overrides=[LEAD],
        ),
        timeseries(
            "Least label coverage",
            "Share of the window's predictions that have a label by now: the ten model versions"
            " with least in the time range. Quality is known for these predictions only.",
            unit="percentunit",
            queries=[
                Query(
                    queries.lowest_gauge(f"model_label_coverage_ratio{{{WHOLE}}}", by=PER_MODEL),
                    VERSION_LEGEND,
                )
            ],
            empty=NO_LABELS,
            overrides=[LEAD],
            top=1,
        ),
    ],
)
