"""What the versions say: whether they predict alike, before any label comes."""

from model_exporter.bundle import queries, thresholds
from model_exporter.bundle.charts import bar_gauge
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_BINS, NO_PREDICTIONS, PSI_STEPS
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import VERSION

SUBJECT = "subject, feature"


def _counts(by: str) -> str:
    return f"sum by ({by}) (increase(model_distribution_total{{{VERSION}}}[$__range]))"


def _shares(by: str) -> str:
    share = f"{_counts(f'{by}, bin')} / on ({by}) group_left () ({_counts(by)} > 0)"
    return f"clamp_min({share}, {thresholds.PSI_FLOOR})"


ONE, ALL = _shares(f"model_version, {SUBJECT}"), _shares(SUBJECT)
MATCHED = f"on ({SUBJECT}, bin) group_left ()"
APART = (
    f"sum by (model_version, {SUBJECT}) (({ONE} - {MATCHED} {ALL}) * ln({ONE} / {MATCHED} {ALL}))"
)

ROW = Row(
    "What they are asked and what they answer",
    [
        bar_gauge(
            "Drift between versions",
            "Population stability index of what each version was asked and what it answered against"
            " all chosen versions together, within the time range: the ten largest. Inputs that"
            " differ mean that traffic is not split by chance, and scores cannot be compared."
            " Versions with unlike baselines have unlike bins, and are left out.",
            unit="none",
            query=Query(
                f"topk({queries.LINES}, {APART})", "{{model_version}} {{subject}} {{feature}}"
            ),
            empty=f"{NO_BINS}, in two versions or more",
            marks=PSI_STEPS,
        ),
        timeseries(
            "Mean prediction",
            "Mean of the newest predictions of each version: the score if the model has one, else"
            " the predicted value.",
            unit="none",
            queries=[
                Query(
                    queries.top_gauge(f"model_prediction_mean{{{VERSION}}}", by="model_version"),
                    "{{model_version}}",
                )
            ],
            empty=NO_PREDICTIONS,
            lowest=None,
        ),
        timeseries(
            "Predicted classes",
            "Share of each predicted class among the newest predictions of each version: the ten"
            " commonest.",
            unit="percentunit",
            queries=[
                Query(
                    queries.top_gauge(
                        f"model_predicted_class_ratio{{{VERSION}}}",
                        by="model_version, predicted_class",
                    ),
                    "{{model_version}} {{predicted_class}}",
                )
            ],
            empty="No predictions yet; regression models have no classes",
        ),
    ],
)
