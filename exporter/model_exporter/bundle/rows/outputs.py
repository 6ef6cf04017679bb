"""Outputs: what the model predicts, before any label comes."""

from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_PREDICTIONS, VERSION_LEGEND
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import PER_MODEL, VERSION

ROW = Row(
    "Predictions",
    [
        timeseries(
            "Predicted classes",
            "Rows predicted per second, by predicted class, over all replicas.",
            unit="cps",
            queries=[
                Query(
                    f"sum by ({PER_MODEL}, predicted_class) "
                    f"(rate(model_predicted_class_total{{{VERSION}}}[$__rate_interval]))",
                    f"{VERSION_LEGEND} {{{{predicted_class}}}}",
                )
            ],
            empty=NO_PREDICTIONS,
            width=12,
            stacked=True,
        ),
        timeseries(
            "Mean and quantiles of predictions",
            "Over the newest predictions of each replica: the score if the model has one, else the"
            " predicted value. Averaged over replicas, which is exact for the mean only when they"
            " share the load evenly.",
            unit="none",
            queries=[
                Query(
                    f"avg by ({PER_MODEL}) (model_prediction_mean{{{VERSION}}})",
                    f"{VERSION_LEGEND} mean",
                ),
                Query(
                    f"avg by ({PER_MODEL}, level) (model_prediction_quantile{{{VERSION}}})",
                    f"{VERSION_LEGEND} quantile {{{{level}}}}",
                ),
            ],
            empty=NO_PREDICTIONS,
            width=12,
        ),
    ],
)
